"""Which folds of nnU-Net v2's model folders are taken, and what is said of missing ones."""

import pytest
from nnunet_changes import change_checkpoint, rewrite
from small_unets import cascade_plan, small_unet

from mtann.cli import main
from mtann.errors import ModelError
from mtann.models.bundle import save_bundle
from mtann.models.nnunet.export import export_bundle
from mtann.models.nnunet.folder import import_folder
from mtann.models.unet_card import PostProcessing


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


def test_a_copy_of_a_fold_beside_it_is_no_fold(folder):
    (folder / "fold_1").rename(folder / "fold_0_backup")
    assert import_folder(folder).card.folds == ("0",)


def test_axes_are_mirrored_that_every_fold_allows(folder):
    for fold, axes in (("0", (0, 2)), ("1", (1, 2))):
        change_checkpoint(
            folder, lambda document, axes=axes: document.update(inference_allowed_mirroring_axes=axes), fold
        )
    assert import_folder(folder).card.mirror_axes["3d_fullres"] == (2,)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"inference_allowed_mirroring_axes": (0, 7)}, "cannot be used"),
        ({"network_weights": {"encoder.x": 3}}, "'encoder.x' is no tensor"),
    ],
)
def test_a_strange_checkpoint_is_refused_in_words(folder, change, complaint):
    for fold in "01":
        change_checkpoint(folder, lambda document: document.update(change), fold)
    with pytest.raises(ModelError, match=complaint):
        import_folder(folder)


def test_weights_that_are_no_numbers_are_refused(folder):
    def spoil(document):
        name = next(name for name in document["network_weights"] if "seg_layers" in name)
        document["network_weights"][name][...] = float("nan")

    change_checkpoint(folder, spoil)
    with pytest.raises(ModelError, match="not finite 32-bit numbers .* training has failed"):
        import_folder(folder)


def test_axes_that_are_no_permutation_are_refused(folder):
    rewrite(folder, "plans.json", lambda plans: plans.update(transpose_forward=[0, 1, 1]))
    with pytest.raises(ModelError, match="name each of the axes 0, 1, 2 once"):
        import_folder(folder)


def test_exporting_says_what_the_folders_cannot_hold(tmp_path, capsys):
    save_bundle(small_unet(post_processing=(PostProcessing(label="core", keep_largest=True),)), tmp_path / "model")
    assert main(["models", "export", str(tmp_path / "model"), "--output", str(tmp_path / "out")]) == 0
    assert "post-processing (core) has no place in these folders" in capsys.readouterr().err
