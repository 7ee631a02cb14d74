"""Which folds of nnU-Net v2's model folders are taken, and what is said of missing ones."""

import pytest
from small_unets import cascade_plan, small_unet

from mtann.errors import ModelError
from mtann.models.nnunet.export import export_bundle
from mtann.models.nnunet.folder import import_folder


@pytest.fixture
def folder(tmp_path):
    """A model folder of two folds, as nnU-Net itself would write it."""
    (made,) = export_bundle(small_unet(folds=("0", "1"), mirror=(0, 1)), tmp_path / "nnunet")
    return made


def test_missing_folds_are_named(folder):
    with pytest.raises(ModelError, match=r"no checkpoint_final.pth for fold\(s\) 4; it has: 0, 1"):
        import_folder(folder, ["0", "4"])
    with pytest.raises(ModelError, match=r"no checkpoint_best.pth|no fold_X/checkpoint_best.pth"):
        import_folder(folder, best=True)
    for fold in "01":
        (folder / f"fold_{fold}" / "checkpoint_final.pth").rename(folder / f"fold_{fold}" / "checkpoint_best.pth")
    with pytest.raises(ModelError, match=r"there is no fold_X/checkpoint_final.pth. There is checkpoint_best.pth"):
        import_folder(folder)
    assert import_folder(folder, best=True).card.folds == ("0", "1")


def test_the_fold_of_all_cases_is_taken_only_where_it_is_alone(folder):
    (folder / "fold_1").rename(folder / "fold_all")
    assert import_folder(folder).card.folds == ("0",)
    assert import_folder(folder, ["all"]).card.folds == ("all",)
    for file in (folder / "fold_0").iterdir():
        file.unlink()
    assert import_folder(folder).card.folds == ("all",)


def test_a_cascade_without_its_first_stage_says_which_folder_it_needs(tmp_path):
    first, second = export_bundle(small_unet(cascade_plan(), configurations=("3d_cascade_fullres",)), tmp_path)
    first.rename(tmp_path / "elsewhere")
    with pytest.raises(ModelError, match="put the folder of that model, 'nnUNetTrainer__nnUNetPlans__3d_lowres'"):
        import_folder(second)
