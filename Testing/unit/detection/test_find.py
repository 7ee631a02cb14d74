"""Candidates on volumes whose answer is known by construction."""

import numpy as np
import pytest
from scipy import ndimage

from mtann.detection.find import find_candidates, report_from
from mtann.geometry import Geometry
from mtann.settings import DetectionSettings

from .test_peaks import ball, grid_of


def candidates_of(likelihood, target=None, settings=None):
    grid = grid_of(likelihood)
    mask = np.ones(likelihood.shape, dtype=bool)
    return find_candidates(likelihood, grid, mask, target or grid, settings or DetectionSettings(), "lesion")


def test_every_ball_is_one_candidate_with_its_place_and_size():
    shape = (60, 70, 80)
    truth = [((15, 15, 15), 1.5), ((40, 20, 60), 4.0), ((35, 50, 25), 12.0)]
    likelihood = sum(ball(shape, centre, radius) for centre, radius in truth)
    _, labels, candidates = candidates_of(likelihood)
    strong = [candidate for candidate in candidates if candidate.score > 0.3]
    assert len(strong) == 3
    for centre, radius in truth:
        nearest = min(strong, key=lambda c: np.linalg.norm(np.array(c.centroid_lps_mm)[::-1] - centre))
        np.testing.assert_allclose(np.array(nearest.centroid_lps_mm)[::-1], centre, atol=0.05)
        assert nearest.volume_mm3 == np.count_nonzero(labels == nearest.id)
        # The outline lies at half of the peak: where the ball's edge, one voxel wide, crosses one half.
        voxels = np.count_nonzero(ball(shape, centre, radius) > 0.5)
        assert nearest.volume_mm3 == pytest.approx(voxels, rel=0.02, abs=1)
        assert 2 * radius <= nearest.axial_diameter_mm <= 2 * radius + 3
        assert nearest.perpendicular_diameter_mm <= nearest.axial_diameter_mm <= nearest.max_diameter_mm + 1e-9


def test_candidates_are_numbered_by_score_and_the_map_holds_each_number_in_one_piece():
    random = np.random.default_rng(3)
    likelihood = ndimage.gaussian_filter(random.normal(size=(40, 40, 40)), 2).astype(np.float32)
    likelihood /= likelihood.max()
    _, labels, candidates = candidates_of(likelihood)
    assert [candidate.id for candidate in candidates] == list(range(1, len(candidates) + 1))
    scores = [candidate.score for candidate in candidates]
    assert scores == sorted(scores, reverse=True)
    assert set(np.unique(labels)) - {0} == {candidate.id for candidate in candidates}
    for candidate in candidates:
        assert ndimage.label(labels == candidate.id, structure=np.ones((3, 3, 3)))[1] == 1
        assert not candidate.reported


def test_a_ring_is_filled_and_is_one_candidate():
    likelihood = ball((50, 50, 50), (25, 25, 25), 10) - ball((50, 50, 50), (25, 25, 25), 6)
    _, labels, candidates = candidates_of(likelihood)
    assert labels[25, 25, 25] == 1
    assert labels[25, 25, 17] == 1
    assert candidates[0].volume_mm3 == pytest.approx(4 / 3 * np.pi * 10**3, rel=0.06)


def test_on_thick_slices_the_outline_is_measured_on_the_images_own_voxels():
    likelihood = ball((60, 60, 60), (30, 30, 30), 9)
    target = Geometry((12, 120, 120), (0.5, 0.5, 5.0), (-0.25, -0.25, 2.0))
    restored, labels, candidates = candidates_of(likelihood, target)
    assert restored.shape == labels.shape == (12, 120, 120)
    np.testing.assert_allclose(candidates[0].centroid_lps_mm, (30, 30, 30), atol=(0.25))
    assert candidates[0].volume_mm3 == pytest.approx(4 / 3 * np.pi * 9.2**3, rel=0.15)


def test_a_peak_between_two_coarse_voxels_still_marks_one():
    likelihood = ball((20, 20, 20), (10, 10, 12), 1)
    target = Geometry((2, 20, 20), (1.0, 1.0, 10.0), (0.0, 0.0, 4.5))
    _, labels, candidates = candidates_of(likelihood, target)
    assert np.count_nonzero(labels == 1) >= 1
    assert candidates[0].volume_mm3 == np.count_nonzero(labels == 1) * 10


def test_an_empty_likelihood_has_no_candidate_and_a_zero_map():
    _, labels, candidates = candidates_of(np.zeros((10, 10, 10), dtype=np.float32))
    assert candidates == ()
    assert not labels.any()


def test_the_strongest_are_kept():
    shape = (30, 30, 90)
    likelihood = sum(ball(shape, (15, 15, 10 + 14 * i), 3, 0.4 + 0.1 * i) for i in range(6))
    _, _, candidates = candidates_of(likelihood, settings=DetectionSettings(max_candidates=2))
    assert [round(candidate.centroid_lps_mm[0]) for candidate in candidates] == [80, 66]


def test_the_threshold_counts_scores_that_reach_it():
    likelihood = sum(ball((30, 30, 60), (15, 15, x), 3, value) for x, value in ((15, 1.0), (45, 0.5)))
    _, _, candidates = candidates_of(likelihood)
    at = candidates[0].score
    assert [c.reported for c in report_from(candidates[:1], at)] == [True]
    assert [c.reported for c in report_from(candidates[:1], np.nextafter(at, 2))] == [False]
    assert [c.reported for c in report_from(candidates[:1], np.nextafter(at, 0))] == [True]


def test_a_small_lesion_beside_a_large_one_is_a_candidate_of_its_own():
    likelihood = ball((50, 50, 70), (25, 25, 20), 9) + ball((50, 50, 70), (25, 25, 33.5), 2.5)
    blurred = ndimage.gaussian_filter(likelihood, 1.5)
    _, _, candidates = candidates_of(blurred)
    strong = [candidate for candidate in candidates if candidate.score > 0.3]
    assert len(strong) == 2
    places = sorted(candidate.centroid_lps_mm[0] for candidate in strong)
    assert places[0] == pytest.approx(20, abs=1)
    assert places[1] == pytest.approx(33.5, abs=1)


def test_a_hot_spot_within_a_weak_candidate_gives_it_its_score():
    weak = ball((50, 50, 50), (25, 25, 25), 9, 0.55)
    hot = np.maximum(weak, ball((50, 50, 50), (25, 25, 31), 2.0))
    alone = candidates_of(ball((50, 50, 50), (25, 25, 31), 2.0))[2]
    candidates = candidates_of(hot)[2]
    assert candidates[0].score >= alone[0].score - 0.02


def test_a_ring_in_one_slice_is_filled():
    ring = ball((1, 50, 50), (0, 25, 25), 10) - ball((1, 50, 50), (0, 25, 25), 6)
    _, labels, candidates = candidates_of(ring)
    assert labels[0, 25, 25] == 1
    assert candidates[0].volume_mm3 == pytest.approx(np.pi * 10**2, rel=0.15)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("shape", [(1, 80, 80), (30, 30, 30)])
def test_every_candidate_keeps_voxels_in_one_piece_however_outlines_meet(seed, shape):
    likelihood = ndimage.gaussian_filter(
        np.random.default_rng(seed).normal(size=shape), (0 if shape[0] == 1 else 1, 1, 1)
    )
    likelihood = (likelihood / likelihood.max()).astype(np.float32)
    _, labels, candidates = candidates_of(likelihood, settings=DetectionSettings(score_floor=0.01))
    assert len(candidates) > 3
    for candidate in candidates:
        outline = labels == candidate.id
        assert outline.any()
        assert ndimage.label(outline, structure=np.ones((3, 3, 3)))[1] == 1
