"""Another scanner's view of a background, where what it may change is known."""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from distractors import add_distractors, vessel
from varied_backgrounds import thick_slices, vary_scanner


def brain_image():
    z, y, x = np.mgrid[:24, :40, :40]
    brain = ((z - 12) / 11) ** 2 + ((y - 20) / 18) ** 2 + ((x - 20) / 18) ** 2 < 1
    image = np.where(brain, 0.6 + 0.4 * (x > 20), 0).astype(np.float32)
    return image, brain


def test_outside_the_brain_nothing_appears_and_inside_it_order_is_kept():
    image, brain = brain_image()
    for seed in range(5):
        shown = vary_scanner(image, brain, np.random.default_rng(seed))
        assert not shown[~brain].any()
        assert (shown[brain] != 0).all()
        # The bright half stays bright, whatever gamma, bias and noise do.
        assert np.median(shown[:, :, 26:][brain[:, :, 26:]]) > np.median(shown[:, :, :15][brain[:, :, :15]]) + 200


def test_every_seed_is_another_scanner_and_the_same_seed_the_same():
    image, brain = brain_image()
    first, again, other = (vary_scanner(image, brain, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other)[brain].mean() > 5


def test_distractors_leave_nothing_outside_the_mask_and_keep_the_brains_scale():
    image, brain = brain_image()
    for seed in range(4):
        shown, mask = add_distractors(1000 * image, brain, np.random.default_rng(seed))
        assert not shown[~mask].any()
        assert (shown[mask] > 0).all()
        # White matter stays what it was; what is added is a small part.
        assert np.percentile(shown[mask & brain], 50) == pytest.approx(600, rel=0.7)
        assert (mask & brain).sum() > 0.3 * brain.sum()


def test_a_painted_vessel_is_a_thin_bright_tube():
    image, brain = np.full((60, 60, 60), 0.8, np.float32), np.ones((60, 60, 60), bool)
    shown = vessel(image, brain, np.random.default_rng(3))
    bright = shown > 1.0
    assert 20 < bright.sum() < 0.03 * bright.size
    assert (shown >= image - 1e-6).all()
    # A tube is as good as gone after an opening by a ball wider than itself.
    assert not ndimage.binary_opening(bright, iterations=4).any()


def test_thick_slices_keep_the_mean_and_blur_along_one_axis_only():
    image = np.zeros((40, 9, 9), np.float32)
    image[18:22] = 1.0
    shown = thick_slices(image, 0, 4.0)
    assert np.ptp(shown, axis=(1, 2)).max() == 0
    assert shown.sum() == pytest.approx(image.sum(), rel=0.35)
    assert 0.2 < shown.max() <= 1.0
    assert (shown[:, 0, 0] > 0).sum() > 6
