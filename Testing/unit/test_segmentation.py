"""Outlining whole lesions: Dice on unseen phantoms, where the map lies, and models that cannot."""

import json

import numpy as np
import pytest
from small_models import GRID, NETWORK, QUICK, ball_cases, ball_model, balls

from mtann import segment, train
from mtann.cases import TrainingCase
from mtann.cli import main
from mtann.errors import CancelledError, ModelError, SettingsError
from mtann.models.bundle import make_bundle, save_bundle
from mtann.sampling.lesions import lesions_from_points
from mtann.segmentation.likelihood import resolve_segmentation
from mtann.segmentation.result import SegmentationSettings
from mtann.volume_io import read_volume, write_volume

CPU = SegmentationSettings(device="cpu")


def at(threshold):
    return SegmentationSettings(device="cpu", threshold=threshold)


def dice(found, truth):
    return 2 * np.count_nonzero(found & truth) / (np.count_nonzero(found) + np.count_nonzero(truth))


def test_unseen_balls_are_outlined_as_well_as_the_model_says():
    phantom = balls(7)
    label_map = segment(phantom.volume, ball_model(), CPU).label_map
    own = ball_model().card.segmentation
    assert label_map.geometry == GRID
    assert label_map.array.dtype == np.uint8
    found = dice(label_map.array > 0, phantom.labels.array > 0)
    assert found > 0.7
    assert found == pytest.approx(own.dice, abs=0.1)
    assert own.cases == 2 and "out-of-fold" in own.chosen_on


def test_the_threshold_is_the_best_there_is_to_within_a_little():
    phantom = balls(7)
    truth = phantom.labels.array > 0
    scores = {t: dice(segment(phantom.volume, ball_model(), at(t)).label_map.array > 0, truth) for t in (0.1, 0.9)}
    own = dice(segment(phantom.volume, ball_model(), CPU).label_map.array > 0, truth)
    assert own > max(scores.values())


def test_a_mask_limits_the_map():
    phantom = balls(7)
    half = np.zeros(GRID.shape_zyx, np.uint8)
    half[:, :, :22] = 1
    found = segment(phantom.volume, ball_model(), CPU, mask=phantom.volume.with_array(half)).label_map.array
    assert found[:, :, :22].any() and not found[:, :, 22:].any()


@pytest.mark.slow
def test_a_model_taught_on_points_has_no_threshold_but_takes_one():
    cases = [
        TrainingCase(
            case.case,
            case.patient,
            case.channels,
            lesions_from_points([one.centre_lps_mm for one in case.lesions], [2.5, 4.0]),
        )
        for case in ball_cases()
    ]
    model = train(cases, network=NETWORK, training=QUICK, device="cpu")
    assert model.card.segmentation is None
    with pytest.raises(ModelError, match=r"no threshold for segmentation.*give a threshold"):
        segment(balls(7).volume, model)
    assert segment(balls(7).volume, model, at(0.5)).label_map.array.any()


@pytest.mark.parametrize("threshold", [0.0, -1.0, float("nan"), float("inf")])
def test_thresholds_that_mean_nothing_are_refused(threshold):
    with pytest.raises(SettingsError, match="above 0"):
        resolve_segmentation(ball_model().card, threshold)


def test_cancelling_ends_the_run():
    asked = iter(range(1000))
    with pytest.raises(CancelledError):
        segment(balls(7).volume, ball_model(), CPU, cancelled=lambda: next(asked) > 6)


def test_the_command_writes_a_map_and_what_it_is(tmp_path, capsys):
    save_bundle(ball_model(), tmp_path / "model")
    write_volume(balls(7).volume, tmp_path / "image.nii.gz")
    command = ["segment", tmp_path / "image.nii.gz", "--model", tmp_path / "model", "--output", tmp_path / "out"]
    for _ in range(2):  # a former result is replaced
        assert main([str(word) for word in (*command, "--device", "cpu", "--json")]) == 0
    document = json.loads((tmp_path / "out" / "segmentation.json").read_text())
    written = read_volume(tmp_path / "out" / "segmentation.nii.gz")
    np.testing.assert_array_equal(written.array, segment(balls(7).volume, ball_model(), CPU).label_map.array)
    assert document["volume_mm3"] == np.count_nonzero(written.array)
    assert document["labels"] == {"1": "lesion"}
    assert document["threshold"] == ball_model().card.segmentation.threshold
    assert list(document["inputs"]) == ["t1c"]
    capsys.readouterr()
    assert main(["models", "info", str(tmp_path / "model")]) == 0
    assert "segmentation: threshold" in capsys.readouterr().out


def test_a_model_that_cannot_segment_is_told_and_nothing_is_written(tmp_path, capsys):
    bundle = ball_model()
    blind = make_bundle(bundle.card.model_copy(update={"segmentation": None}), bundle.networks())
    save_bundle(blind, tmp_path / "blind")
    with pytest.raises(ModelError, match="taught without outlines"):
        segment(balls(7).volume, blind)
    write_volume(balls(7).volume, tmp_path / "image.nii.gz")
    command = ["segment", tmp_path / "image.nii.gz", "--model", tmp_path / "blind", "--output", tmp_path / "out"]
    assert main([str(word) for word in command]) == 2
    assert "no threshold for segmentation" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
