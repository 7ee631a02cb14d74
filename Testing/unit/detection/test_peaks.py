import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtann.detection.peaks import find_peaks, scales_for, score_at, smooth_inside
from mtann.geometry import Geometry
from mtann.progress import Run
from mtann.settings import DetectionSettings


def ball(shape, centre, radius, value=1.0):
    index = np.moveaxis(np.indices(shape), 0, -1)
    distance = np.linalg.norm(index - np.array(centre), axis=-1)
    return (value * np.clip(radius + 0.5 - distance, 0, 1)).astype(np.float32)


def grid_of(volume, spacing=1.0):
    return Geometry(volume.shape, (spacing,) * 3, (0.0, 0.0, 0.0))


def test_the_score_is_the_gaussian_weighted_mean_within_three_sigma():
    likelihood = np.random.default_rng(0).random((15, 15, 15)).astype(np.float32)
    sigma = 1.5
    index = np.moveaxis(np.indices(likelihood.shape), 0, -1) - 7
    weight = np.exp(-(index**2).sum(axis=-1) / (2 * sigma**2))
    weight[np.abs(index).max(axis=-1) > 5] = 0  # 3 sigma are 4.5 voxels, rounded to 5.
    expected = (weight * likelihood).sum() / weight.sum()
    assert score_at(likelihood, (7, 7, 7), np.array([sigma] * 3)) == pytest.approx(expected, rel=1e-6)


def test_near_the_border_the_weights_are_normalised_inside_the_volume():
    ones = np.ones((5, 6, 7), dtype=np.float32)
    assert score_at(ones, (0, 0, 6), np.array([2.0] * 3)) == pytest.approx(1.0)
    np.testing.assert_allclose(smooth_inside(ones, np.array([2.0, 1.0, 3.0]), Run()), 1.0, atol=1e-5)


@given(
    radius=st.floats(1.5, 15.0),
    offset=st.tuples(*[st.floats(-0.5, 0.5)] * 3),
)
@pytest.mark.slow
def test_a_ball_of_any_size_gives_its_strongest_peak_at_its_centre_and_scores_high(radius, offset):
    centre = np.array([24, 24, 24]) + offset
    likelihood = ball((49, 49, 49), centre, radius)
    peaks = find_peaks(likelihood, grid_of(likelihood), likelihood >= 0, DetectionSettings(), Run())
    assert np.abs(np.array(peaks[0].index_zyx) - centre).max() <= 1.0
    assert 0.35 <= peaks[0].score <= 0.95
    assert 0.25 * radius <= peaks[0].scale_mm <= 1.0 * radius


def test_scales_are_millimetres_whatever_the_spacing():
    fine, coarse = ball((60, 60, 60), (30, 30, 30), 8), ball((30, 30, 30), (15, 15, 15), 4)
    everywhere = DetectionSettings()
    first = find_peaks(fine, grid_of(fine, 0.5), fine >= 0, everywhere, Run())[0]
    second = find_peaks(coarse, grid_of(coarse, 1.0), coarse >= 0, everywhere, Run())[0]
    assert first.scale_mm == second.scale_mm
    assert first.score == pytest.approx(second.score, abs=0.05)


def test_peaks_lie_within_the_mask_and_above_the_floor():
    likelihood = ball((30, 30, 30), (8, 8, 8), 3) + ball((30, 30, 30), (22, 22, 22), 3, 0.3)
    mask = np.zeros(likelihood.shape, dtype=bool)
    mask[15:] = True
    inside = find_peaks(likelihood, grid_of(likelihood), mask, DetectionSettings(), Run())
    assert all(peak.index_zyx[0] >= 15 for peak in inside)
    assert inside[0].index_zyx == (22, 22, 22)
    floored = find_peaks(likelihood, grid_of(likelihood), mask, DetectionSettings(score_floor=0.3), Run())
    assert floored == []
    assert find_peaks(likelihood, grid_of(likelihood), np.zeros_like(mask), DetectionSettings(), Run()) == []


def test_scales_reach_from_the_smallest_lesion_to_the_largest():
    assert scales_for([1.0], 1.0) == (1.0,)
    assert scales_for([2.5, 10.0], 0.5) == (1.0, 1.6, 2.56, 4.1, 6.55)  # 0.4 * 2.5, up to at least 0.6 * 10.
    assert scales_for([20.0], 1.0) == (8.0, 12.8)
