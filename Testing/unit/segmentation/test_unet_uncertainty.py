"""How far networks and mirrored patches disagree: against every evaluation written out, and parts counted by hand."""

import json

import numpy as np
import pytest
from small_unets import REGIONS, image, small_unet
from unet_plans import configuration, plan

from mtann import segment
from mtann.detection.calibration import TemperatureCalibration
from mtann.errors import SettingsError
from mtann.sampling.lesions import Lesion
from mtann.segmentation.files import save_segmentation
from mtann.segmentation.parts import parts_of
from mtann.segmentation.result import SegmentationSettings

CPU = SegmentationSettings(device="cpu", backend="torch", precision="fp32", mirroring=False, probabilities=True)
UNSURE = CPU.model_copy(update={"uncertainty": True})


def stacked(result):
    return np.stack([one.array for one in result.probabilities]).astype(np.float64)


@pytest.mark.parametrize("made", [plan(), plan(configurations=(configuration(spacing=(1.5, 0.9, 1.2)),))])
def test_variance_and_entropy_are_those_of_the_folds_asked_one_by_one(made):
    bundle, volume = small_unet(made, folds=("0", "1", "2")), image()
    found = segment(volume, bundle, UNSURE).uncertainty
    each = np.stack([stacked(segment(volume, bundle, CPU.model_copy(update={"folds": (fold,)}))) for fold in "012"])
    mean = each.mean(axis=0)
    entropy = -(mean * np.log2(np.maximum(mean, 1e-300))).sum(axis=0)
    assert found.evaluations == 3
    np.testing.assert_allclose(found.variance.array, each.var(axis=0).max(axis=0), atol=1e-5)
    np.testing.assert_allclose(found.entropy.array, entropy, atol=1e-4)
    assert 0 < found.entropy.array.max() <= np.log2(3) + 1e-6
    assert not found.entropy.array[:2].any()  # the border of zeros was cut away


def test_mirrored_positions_are_evaluations_of_their_own():
    bundle, volume = small_unet(mirror=(0, 2)), image()
    mirrored = UNSURE.model_copy(update={"mirroring": True})
    result = segment(volume, bundle, mirrored)
    assert result.uncertainty.evaluations == 4
    assert result.uncertainty.variance.array.max() > 0
    plain = segment(volume, bundle, mirrored.model_copy(update={"uncertainty": False}))
    np.testing.assert_array_equal(result.label_map.array, plain.label_map.array)


def test_regions_have_the_entropy_of_the_most_uncertain_one():
    bundle, volume = small_unet(plan(**REGIONS), folds=("0", "1")), image()
    found = segment(volume, bundle, UNSURE).uncertainty
    each = np.stack([stacked(segment(volume, bundle, CPU.model_copy(update={"folds": (fold,)}))) for fold in "01"])
    mean = np.clip(each.mean(axis=0), 1e-12, 1 - 1e-12)
    bits = -(mean * np.log2(mean) + (1 - mean) * np.log2(1 - mean))
    np.testing.assert_allclose(found.entropy.array, bits.max(axis=0), atol=1e-4)
    np.testing.assert_allclose(found.variance.array, each.var(axis=0).max(axis=0), atol=1e-5)


def test_intervals_hold_the_volumes_of_the_evaluations():
    bundle, volume = small_unet(folds=("0", "1", "2")), image()
    result = segment(volume, bundle, UNSURE)
    assert result.uncertainty.components
    for one in result.uncertainty.components:
        assert 0 <= one.low_mm3 <= one.median_mm3 <= one.high_mm3
    names = [(one.label, one.number) for one in result.uncertainty.components]
    assert len(set(names)) == len(names) and names[0] == ("oedema", 1)
    largest = next(one for one in result.uncertainty.components if one.label == "core")
    index = np.round(volume.geometry.index_from_lps(np.array(largest.centre_lps_mm))).astype(int)
    assert np.all(index >= 0) and np.all(index < volume.array.shape)


def test_parts_are_followed_from_one_evaluation_to_another_by_hand():
    """Part 1 of 8 voxels, part 2 of 2. The other evaluation has 4 + 1 voxels about part 1, none about part 2."""
    own = np.zeros((1, 6, 20), bool)
    own[0, 1:3, 2:6] = True
    own[0, 4, 14:16] = True
    first, second = parts_of(lambda _, box: own[box], 1, own.shape)
    assert [(one.number, one.voxels) for one in (first, second)] == [(1, 8), (2, 2)]
    assert first.centre == (0.0, 1.5, 3.5)
    other = np.zeros_like(own)
    other[0, 1, 2:6] = True
    other[0, 0, 6] = True  # touches by a corner, so it hangs together with the part
    other[0, 5, 2] = True  # apart from it
    assert first.count(other[first.box]) == 5
    assert second.count(other[second.box]) == 0
    both = np.ones_like(own)  # what joins two parts is not counted for the other one
    assert first.count(both[first.box]) == np.prod([part.stop - part.start for part in first.box])


def test_one_network_without_mirroring_cannot_disagree():
    with pytest.raises(SettingsError, match="here is one network and nothing mirrored"):
        segment(image(), small_unet(), UNSURE)


def test_around_places_nothing_is_said_of_the_rest():
    made = plan(configurations=(configuration(patch_size=(8, 8, 8)),))
    volume = image((60, 20, 24))
    places = [Lesion((4.0, 4.0, 4.0), 1.0), Lesion((6.0, 5.0, 4.0), 1.0)]  # their boxes overlap
    found = segment(volume, small_unet(made, folds=("0", "1")), UNSURE, around=places)
    whole = segment(volume, small_unet(made, folds=("0", "1")), UNSURE)
    near = (slice(0, 15),) * 3
    np.testing.assert_allclose(found.uncertainty.entropy.array[near], whole.uncertainty.entropy.array[near], atol=1e-5)
    np.testing.assert_allclose(
        found.uncertainty.variance.array[near], whole.uncertainty.variance.array[near], atol=1e-5
    )
    assert not found.uncertainty.entropy.array[20:].any() and whole.uncertainty.entropy.array[20:].any()


def test_a_temperature_calibrates_probabilities_and_changes_no_label():
    warm = TemperatureCalibration(temperature=2.0, cases=3, chosen_on="x")
    made = plan(configurations=(configuration(), configuration("2d", spacing=(1.0, 1.0))))
    for names in (("3d_fullres",), ("3d_fullres", "2d")):
        plain = segment(image(), small_unet(made, configurations=names), CPU)
        calibrated = segment(image(), small_unet(made, configurations=names, calibration=warm), CPU)
        np.testing.assert_array_equal(plain.label_map.array, calibrated.label_map.array)
        cold, cool = stacked(plain), stacked(calibrated)
        inside = (slice(None), slice(2, None), slice(0, 17))
        assert cool[inside].max(axis=0).mean() < cold[inside].max(axis=0).mean() - 0.01
        if len(names) == 1:
            root = np.sqrt(cold[inside])
            np.testing.assert_allclose(cool[inside], root / root.sum(axis=0), atol=1e-5)


def test_uncertainty_is_written_beside_and_reported(tmp_path):
    volume = image()
    result = segment(volume, small_unet(folds=("0", "1")), UNSURE.model_copy(update={"probabilities": False}))
    save_segmentation(result, volume, tmp_path / "out", "")
    told = json.loads((tmp_path / "out" / "uncertainty.json").read_text())
    assert told["evaluations"] == 2 and len(told["components"]) == len(result.uncertainty.components)
    assert {"variance.nii.gz", "entropy.nii.gz"} <= {path.name for path in (tmp_path / "out").iterdir()}
    assert "2 evaluations: each network" in (tmp_path / "out" / "report.html").read_text()
