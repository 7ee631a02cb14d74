"""Less than fp32 is taken by itself only where it was measured to give the same labels, and the result says why."""

import json

import numpy as np
import pytest
from small_unets import image, small_unet

from mtann.backends import computation as choosing
from mtann.backends.computation import Computation
from mtann.cli import main
from mtann.models import precision_checks
from mtann.models.bundle import save_bundle
from mtann.models.nnunet.export import export_bundle
from mtann.models.precision_checks import permission_of, remember_check, remembered_checks
from mtann.models.unet_card import ReducedCheck
from mtann.progress import Run
from mtann.segmentation import precision
from mtann.segmentation.precision import check_precision, least_dice
from mtann.segmentation.result import SegmentationSettings
from mtann.segmentation.segment import segment
from mtann.volume_io import write_volume
from unit.segmentation.segmentations import bars, regions, segmentation


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(precision_checks, "checks_folder", lambda: tmp_path / "precision")


@pytest.fixture
def torch_bf16(monkeypatch):
    """As if torch in bf16 were the fastest: every processor can compute so."""

    def fastest(backend, where, able):
        return "bf16"

    monkeypatch.setattr(choosing, "_fastest", fastest)


def sharp_unet():
    """A network that copies: its outputs are far apart everywhere, so that rounding decides nothing."""
    bundle = small_unet()
    weights = {name: np.zeros_like(array) for name, array in bundle.weights.items()}
    for name, array in weights.items():
        if name.endswith("norm.weight"):
            array += 1
    (first,) = [n for n in weights if "encoder.stages.0." in n and n.endswith("conv.weight") and ".all_" not in n]
    (last,) = [n for n in weights if "decoder.stages.0." in n and n.endswith("conv.weight") and ".all_" not in n]
    (head,) = [n for n in weights if "seg_layers.0." in n and n.endswith("weight")]
    weights[first][0, 0, 1, 1, 1] = weights[last][0, 4, 1, 1, 1] = weights[head][1, 0] = 1.0
    return type(bundle)(bundle.card, weights, "ab" * 32)


def two_levels():
    """An image of two values, far apart."""
    array = np.ones((22, 20, 24), np.float32)
    array[4:12, 6:14, 5:15] = 5
    return image().with_array(array)


def check(bundle, volume):
    return check_precision(volume, bundle, "cpu", "torch", "on a case", Run())


def test_a_network_of_close_outputs_differs_and_one_of_clear_ones_does_not(torch_bf16):
    assert segment(
        two_levels(), sharp_unet(), SegmentationSettings(device="cpu", backend="torch")
    ).label_map.array.any()
    clear = check(sharp_unet(), two_levels())
    assert (clear.backend, clear.precision, clear.dice) == ("torch", "bf16", 1.0) and clear.same_labels
    patchy = check(small_unet(), image())
    assert patchy.dice is not None and patchy.dice < 0.999 and not patchy.same_labels


def test_dice_is_the_least_of_all_labels():
    """Label 1: 61 voxels against 60, Dice 120 / 121; label 2: 40 against 40; label 3 is in neither."""
    other = bars()
    other[15, 20, 30] = 0
    assert least_dice(segmentation(), segmentation(other)) == pytest.approx(120 / 121)
    assert least_dice(regions(), regions()) == 1.0
    nothing = np.zeros_like(other)
    assert least_dice(segmentation(nothing), segmentation(nothing)) is None


def test_where_the_processor_has_nothing_faster_the_reason_is_kept(monkeypatch):
    monkeypatch.setattr(choosing, "_openvino_capabilities", lambda: ("FP32",))
    found = check_precision(image(), small_unet(), "cpu", "openvino", "on a case", Run())
    assert (
        found.dice is None
        and found.words == "not measured: openvino on this machine's cpu has nothing faster than fp32"
    )


def test_labels_are_compared_also_where_the_processor_is_slower_in_less_than_fp32(monkeypatch):
    monkeypatch.setattr(choosing, "_openvino_capabilities", lambda: ("FP32", "BF16"))
    monkeypatch.setattr(choosing, "openvino_gain", lambda precision: 0.6)
    found = check_precision(two_levels(), sharp_unet(), "cpu", "openvino", "on a case", Run())
    assert (found.backend, found.precision, found.dice) == ("openvino", "bf16", 1.0)


@pytest.mark.parametrize(
    ("dice", "expected", "words"),
    [
        (None, "fp32", "not known to give the same labels in bf16: 'mtann models check'"),
        (0.9989, "fp32", "fp32 since its labels in bf16 had a Dice coefficient of 0.9989 against fp32, here"),
        (0.9990, "bf16", "bf16 since its labels in bf16 had a Dice coefficient of 0.9990 against fp32, here"),
    ],
)
def test_auto_follows_the_check_and_says_why(torch_bf16, dice, expected, words):
    checks = () if dice is None else (ReducedCheck(backend="torch", precision="bf16", dice=dice, words="here"),)
    found = segment(
        two_levels(), small_unet(reduced_checks=checks), SegmentationSettings(device="cpu", backend="torch")
    )
    assert f"torch on cpu, {expected}" in found.computation and words in found.computation


def test_what_was_asked_for_is_taken_whatever_the_check_says(torch_bf16):
    how = SegmentationSettings(device="cpu", backend="torch", precision="bf16")
    assert "bf16 (backend as asked for; precision as asked for)" in segment(image(), small_unet(), how).computation


def test_a_check_is_of_one_backend_and_precision_and_the_last_one_counts():
    bundle = small_unet()
    remember_check(bundle.sha256, ReducedCheck(backend="openvino", precision="bf16", dice=1.0, words="first"))
    ask = permission_of(bundle.card, bundle.sha256)
    assert ask("openvino", "bf16")[0] and not ask("torch", "fp16")[0]
    remember_check(bundle.sha256, ReducedCheck(backend="openvino", precision="bf16", dice=0.5, words="again"))
    assert ask("openvino", "bf16") == (
        False,
        "fp32 since its labels in bf16 had a Dice coefficient of 0.5000 against fp32, again",
    )
    assert len(remembered_checks(bundle.sha256)) == 1
    (precision_checks.checks_folder() / f"{bundle.sha256}.json").write_text("{broken")
    assert remembered_checks(bundle.sha256) == ()


def test_a_folder_of_nnunet_is_checked_once_and_remembered(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(precision, "reduced_computation", lambda *_: Computation("cpu", "torch", "bf16", ""))
    monkeypatch.setattr(choosing, "_fastest", lambda *_: "bf16")
    (folder,) = export_bundle(sharp_unet(), tmp_path / "nnunet")
    write_volume(two_levels(), tmp_path / "image.nii.gz")
    words = [str(tmp_path / "image.nii.gz"), "--model", str(folder), "--device", "cpu", "--backend", "torch"]
    assert main(["segment", *words, "--output", str(tmp_path / "out"), "--json"]) == 0
    assert "not known to give the same labels" in json.loads(capsys.readouterr().out)["computation"]
    assert main(["models", "check", str(folder), str(tmp_path / "image.nii.gz"), "--device", "cpu"]) == 0
    assert "Dice coefficient 1.0000 against fp32" in capsys.readouterr().out
    assert main(["segment", *words, "--output", str(tmp_path / "out"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["computation"]
    assert "torch on cpu, bf16" in told and "on a case checked here" in told
    kept = next((tmp_path / "precision").iterdir()).read_text()
    assert str(tmp_path) not in kept and "image" not in kept


def test_info_tells_of_checks_in_the_model_and_of_those_made_here(tmp_path, capsys):
    own = ReducedCheck(backend="openvino", precision="bf16", dice=0.9995, words="on a case of the training data")
    bundle = small_unet(reduced_checks=(own, ReducedCheck(backend="torch", precision="fp32", words="not measured: x")))
    save_bundle(bundle, tmp_path / "model")
    remember_check(
        bundle.sha256, ReducedCheck(backend="torch", precision="fp16", dice=0.5, words="on a case checked here")
    )
    assert main(["models", "info", str(tmp_path / "model")]) == 0
    said = capsys.readouterr().out
    assert "In bf16: Dice coefficient 0.9995 against fp32, on a case of the training data" in said
    assert (
        "In fp16: Dice coefficient 0.5000 against fp32, on a case checked here" in said and "not measured" not in said
    )


def test_images_are_refused_where_nothing_is_checked(tmp_path, capsys):
    save_bundle(small_unet(), tmp_path / "model")
    assert main(["models", "verify", str(tmp_path / "model"), "image.nii.gz"]) == 2
    assert "Images are for 'mtann models check'" in capsys.readouterr().err
