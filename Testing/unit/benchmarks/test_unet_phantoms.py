"""The phantoms of the U-Net benchmark: frozen, out of reach of thresholds, and within that of a U-Net."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import shape_phantoms
from shape_phantoms import best_threshold_dice, make_phantom, write_cases
from unet_phantoms import AIM, CASES, FOLDS, MOST_BY_THRESHOLD, small_plan

from mtann.cli import main


def test_the_settings_are_frozen():
    # The figures in RESULTS.md were measured with these; an easier phantom would make them meaningless.
    assert shape_phantoms.EDGE_VOXELS == 28
    assert shape_phantoms.RADII_VOXELS == (3.5, 5.0)
    assert shape_phantoms.CONTRASTS == (1.0, 1.6)
    assert (shape_phantoms.NOISE, shape_phantoms.BACKGROUND) == (0.3, 0.2)
    assert (CASES, FOLDS, AIM, MOST_BY_THRESHOLD) == (20, 5, 0.90, 0.60)


@pytest.mark.parametrize("seed", [0, 7])
def test_a_phantom_has_its_balls_and_other_bright_things(seed):
    phantom = make_phantom(seed)
    _, count = ndimage.label(phantom.labels, np.ones((3, 3, 3)))
    assert count == 2
    inside = phantom.image[phantom.labels > 0].mean()
    assert 0.8 < inside < 1.8
    smooth = ndimage.gaussian_filter(phantom.image, 1.0)
    assert np.count_nonzero((smooth > 0.7) & (phantom.labels == 0)) > 0.5 * np.count_nonzero(phantom.labels)
    assert np.array_equal(make_phantom(seed).image, phantom.image)


def test_no_threshold_reaches_the_lesions_alone():
    assert best_threshold_dice([make_phantom(seed) for seed in range(4)]) < MOST_BY_THRESHOLD


@pytest.mark.slow
def test_a_unet_learns_what_a_threshold_cannot(tmp_path):
    cases = write_cases(tmp_path / "data", 8)
    (tmp_path / "plan.json").write_text(small_plan().model_dump_json())
    words = ["train", "unet", "--plan", tmp_path, "--cases", cases, "--output", tmp_path / "out", "--fold", 0]
    how = ["--folds", 4, "--epochs", 8, "--iterations", 40, "--validation-iterations", 2, "--device", "cpu"]
    assert main([str(word) for word in [*words, *how]]) == 0
    fold = tmp_path / "out" / "3d_fullres" / "fold_0"
    losses = [json.loads(line)["validation_loss"] for line in (fold / "log.jsonl").read_text().splitlines()]
    assert losses[-1] < losses[0] - 0.3
    assert json.loads((fold / "validation" / "summary.json").read_text())["dice"] > MOST_BY_THRESHOLD
