"""Another scanner's view of a background, where what it may change is known."""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from varied_backgrounds import vary_scanner


def brain_image():
    z, y, x = np.mgrid[:24, :40, :40]
    brain = ((z - 12) / 11) ** 2 + ((y - 20) / 18) ** 2 + ((x - 20) / 18) ** 2 < 1
    image = np.where(brain, 300.0 + 200.0 * (x > 20), 0).astype(np.float32)
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
