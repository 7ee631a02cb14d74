"""nnU-Net's checkpoints: read so that nothing in them runs, whatever numpy wrote them."""

import io
import os
import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch
from nnunet_changes import change_checkpoint
from small_unets import small_unet

from mtann.errors import ModelError
from mtann.models.nnunet import checkpoint
from mtann.models.nnunet.checkpoint import read_checkpoint
from mtann.models.nnunet.export import export_bundle
from mtann.models.nnunet.folder import import_folder


@pytest.fixture
def folder(tmp_path):
    (made,) = export_bundle(small_unet(), tmp_path / "nnunet")
    return made


class Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def test_a_malicious_checkpoint_is_refused_and_runs_nothing(folder, tmp_path):
    witness = tmp_path / "executed"
    change_checkpoint(folder, lambda document: document.update(logging=Malicious(witness)))
    with pytest.raises(ModelError, match="'fold_0/checkpoint_final.pth' was not opened.*could run as a program"):
        import_folder(folder)
    plain = folder / "fold_0" / "checkpoint_final.pth"
    plain.write_bytes(pickle.dumps(Malicious(witness)))
    with pytest.raises(ModelError, match=r"fold_0/checkpoint_final\.pth"):
        import_folder(folder)
    assert not witness.exists()


def test_numbers_of_numpy_in_the_log_are_read_whatever_numpy_wrote_them(folder):
    log = {"mean_fg_dice": [np.float64(0.5), np.float32(0.25)], "epochs": np.int64(3), "when": np.bool_(True)}
    change_checkpoint(folder, lambda document: document.update(logging=log, optimizer_state=OrderedDict()))
    path = folder / "fold_0" / "checkpoint_final.pth"
    assert read_checkpoint(path).configuration == "3d_fullres"
    # numpy 1 and numpy 2 name the maker of scalars differently; both names are of unequal length, so pickle anew.
    for module in (b"numpy._core.multiarray", b"numpy.core.multiarray"):
        data = pickle.dumps(np.float64(0.5), protocol=2)
        for known in (b"numpy._core.multiarray", b"numpy.core.multiarray"):
            data = data.replace(known, module)
        with torch.serialization.safe_globals(checkpoint._harmless()):
            assert torch._weights_only_unpickler.load(io.BytesIO(data)) == 0.5


def test_a_damaged_or_foreign_checkpoint_is_told(folder):
    path = folder / "fold_0" / "checkpoint_final.pth"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match=r"fold_0/checkpoint_final\.pth"):
        import_folder(folder)
    torch.save({"state_dict": {}}, path)
    with pytest.raises(ModelError, match="is not as nnU-Net v2 writes it"):
        import_folder(folder)
