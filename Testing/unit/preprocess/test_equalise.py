"""Equalisation: uniform grey values, by region, and no more contrast than allowed."""

import numpy as np
import pytest

from mtann.errors import CancelledError
from mtann.preprocess.equalise import equalise, equalise_locally, tone_curves
from mtann.progress import Run

SHAPE = (8, 64, 64)
EVERYWHERE = np.ones(SHAPE, bool)


def skewed() -> np.ndarray:
    """Exponentially distributed intensities, most of them dark."""
    return np.random.default_rng(0).exponential(100, SHAPE).astype(np.float32)


def test_the_histogram_becomes_uniform() -> None:
    counts, _ = np.histogram(equalise(skewed(), EVERYWHERE), bins=20, range=(0, 1))
    assert counts / counts.sum() == pytest.approx(0.05, abs=0.0005)


def test_each_value_becomes_the_share_of_darker_ones() -> None:
    image = np.arange(1025, dtype=np.float32).reshape(1, 25, 41) ** 2
    expected = np.arange(1025).reshape(1, 25, 41) / 1024
    np.testing.assert_allclose(equalise(image, np.ones(image.shape, bool)), expected, atol=1e-5)


def test_equal_values_get_the_middle_of_their_ranks() -> None:
    image = np.zeros((1, 10, 100), np.float32)
    image[:, 6:] = 5  # 60 % dark
    ranks = equalise(image, np.ones(image.shape, bool))
    assert ranks[0, 0, 0] == pytest.approx(0.3, abs=0.001)
    assert ranks[0, 9, 0] == pytest.approx(0.8, abs=0.001)


def test_only_the_mask_counts_and_beyond_its_range_values_stay_at_the_ends() -> None:
    image, mask = skewed(), EVERYWHERE.copy()
    mask[:4] = False
    image[:2], image[2:4] = -1e6, 1e6
    ranks = equalise(image, mask)
    np.testing.assert_array_equal(ranks[4:], equalise(image[4:], mask[4:]))
    assert np.all(ranks[:2] == 0)
    assert np.all(ranks[2:4] == 1)


def test_gain_and_offset_do_not_matter() -> None:
    np.testing.assert_allclose(equalise(3 * skewed() + 70, EVERYWHERE), equalise(skewed(), EVERYWHERE), atol=1e-4)
    one, other = (equalise_locally(i, EVERYWHERE, (8, 16, 16), 3.0, Run()) for i in (skewed(), 3 * skewed() + 70))
    np.testing.assert_allclose(one, other, atol=1e-4)


def test_without_limit_each_region_becomes_uniform() -> None:
    # Four quarters in one slice, each with its own level and spread.
    image = np.random.default_rng(0).random((1, 128, 128)).astype(np.float32)
    image[:, 64:] = 5 + 3 * image[:, 64:]
    image[:, :, 64:] = 20 + 2 * image[:, :, 64:]
    local = equalise_locally(image, np.ones(image.shape, bool), (1, 64, 64), None, Run())
    for y in (0, 127):
        for x in (0, 127):
            # Beyond the centre of a corner region, only its own histogram counts.
            rows, columns = (slice(0, 32) if at == 0 else slice(96, 128) for at in (y, x))
            counts, _ = np.histogram(local[0, rows, columns], bins=4, range=(0, 1))
            assert counts / counts.sum() == pytest.approx(0.25, abs=0.06)


def test_curves_without_limit_are_the_cumulative_histogram() -> None:
    curve = tone_curves(np.array([[6.0, 1.0, 1.0, 0.0]]), None)
    assert curve[0] == pytest.approx([0, 6 / 8, 7 / 8, 1, 1])


def test_curves_with_a_limit_by_hand() -> None:
    # Mean 2, so densities 3, 0.5, 0.5, 0. Cut at 1.5, the excess of 1.5 lifts all four bins by 0.375; that is less than
    # 2, so the cut must be higher: c + (3 - c) / 4 = 2 gives c = 5 / 3, and a lift of 1 / 3.
    curve = tone_curves(np.array([[6.0, 1.0, 1.0, 0.0]]), 2.0)
    densities = np.array([2, 5 / 6, 5 / 6, 1 / 3])
    assert np.diff(curve[0]) * 4 == pytest.approx(densities, abs=1e-5)
    assert curve[0, -1] == pytest.approx(1)


@pytest.mark.parametrize("limit", [1.0, 1.5, 3.0, 10.0])
def test_no_slope_exceeds_the_limit(limit: float) -> None:
    random = np.random.default_rng(0)
    histograms = random.exponential(1, (5, 256)) ** 4
    histograms[0, 1:] = 0  # all in one bin
    slopes = np.diff(tone_curves(histograms, limit)) * 256
    assert slopes.max() <= limit * (1 + 1e-3)
    # The limit is reached, not only kept.
    assert slopes.max() == pytest.approx(limit, rel=1e-2)


@pytest.mark.parametrize("limit", [1.0, 2.0, 4.0])
def test_the_limit_bounds_the_gain_of_contrast(limit: float) -> None:
    # The same tile everywhere, so that one curve holds everywhere: dense about 100, with two far values for the range.
    tile = np.random.default_rng(0).normal(100, 1, (16, 16)).astype(np.float32)
    tile[0, 0], tile[0, 1] = 0, 200
    image = np.tile(tile, (1, 4, 4))
    local = equalise_locally(image, np.ones(image.shape, bool), (1, 16, 16), limit, Run())
    # One in sixteen values, for differences that are far above rounding.
    order = np.argsort(tile, axis=None)[::16]
    gain = np.diff(local[0, :16, :16].ravel()[order]) / np.diff(tile.ravel()[order]) * 200
    assert gain.max() <= limit * 1.01
    assert gain.max() == pytest.approx(limit, rel=0.02)


def test_a_limit_of_one_only_stretches_the_range() -> None:
    image = skewed()
    stretched = (image - image.min()) / (image.max() - image.min())
    np.testing.assert_allclose(equalise_locally(image, EVERYWHERE, (8, 16, 16), 1.0, Run()), stretched, atol=5e-3)


def test_regions_without_tissue_take_the_nearest_ones_curve() -> None:
    image, mask = skewed(), EVERYWHERE.copy()
    mask[:, :, 32:] = False
    image[:, :, 32:] = image[:, :, :32]
    local = equalise_locally(image, mask, (8, 64, 32), None, Run())
    counts, _ = np.histogram(local[:, :, 32:], bins=10, range=(0, 1))
    assert counts / counts.sum() == pytest.approx(0.1, abs=0.01)


def test_what_lies_outside_the_mask_does_not_change_the_tissue() -> None:
    image, mask = skewed(), EVERYWHERE.copy()
    mask[:, :20] = False
    other = np.where(mask, image, -5e4).astype(np.float32)
    one, two = (equalise_locally(array, mask, (8, 16, 16), 3.0, Run()) for array in (image, other))
    np.testing.assert_array_equal(one[mask], two[mask])


def test_a_hot_voxel_does_not_take_the_contrast_away() -> None:
    image = skewed()
    plain = equalise_locally(image, EVERYWHERE, (8, 64, 64), 3.0, Run())
    few = np.tile(image, (8, 1, 1))
    few[0, 0, 0] = 1e7
    hot = equalise_locally(few, np.ones(few.shape, bool), (64, 64, 64), 3.0, Run())
    assert hot[32:40].std() > 0.8 * plain.std()
    assert hot[0, 0, 0] == 1


def test_all_but_a_few_voxels_equal_still_has_a_range() -> None:
    image = np.zeros((40, 64, 64), np.float32)
    image[20, 30, 30] = 9
    local = equalise_locally(image, np.ones(image.shape, bool), (40, 64, 64), 3.0, Run())
    assert np.isfinite(local).all()
    assert local[20, 30, 30] == 1 > local[0, 0, 0]


def test_it_stops_at_the_next_slice() -> None:
    asked = iter(range(100))
    with pytest.raises(CancelledError):
        equalise_locally(skewed(), EVERYWHERE, (8, 16, 16), 3.0, Run(cancelled=lambda: next(asked) == 2))
    assert next(asked) == 3
