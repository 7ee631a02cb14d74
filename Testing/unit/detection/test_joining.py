"""Pieces of one lesion become one candidate; lesions that touch do not."""

import itertools

import numpy as np
import pytest
from scipy import ndimage

from mtann.detection import joining
from mtann.detection.find import find_candidates
from mtann.detection.joining import NOTHING_JOINED, Piece, join_pieces
from mtann.detection.peaks import Peak
from mtann.progress import Run
from mtann.settings import DetectionSettings

from .test_peaks import ball, grid_of

JOINED = DetectionSettings(join_fraction=0.4)
APART = DetectionSettings(join_fraction=NOTHING_JOINED)


def strong(likelihood, settings, least=0.2):
    mask = np.ones(likelihood.shape, dtype=bool)
    _, labels, candidates = find_candidates(
        likelihood.astype(np.float32), grid_of(likelihood), mask, grid_of(likelihood), settings, "lesion"
    )
    return labels, [candidate for candidate in candidates if candidate.score > least]


def rim(dip, radius=16, shape=(11, 51, 51), pieces=5, width=1.5):
    """A rim of three quarters of a circle in some pieces, between which the likelihood falls to a share of theirs."""
    _, y, x = np.indices(shape) - (np.array(shape) // 2).reshape(3, 1, 1, 1)
    angle, away = np.degrees(np.arctan2(y, x)) % 360, np.hypot(y, x) - radius
    z = np.indices(shape)[0] - shape[0] // 2
    along = dip + (1 - dip) * np.cos(np.radians(angle * pieces / 2)) ** 2
    return np.where(angle <= 288, along, 0) * np.exp(-0.5 * (away**2 + z**2) / width**2)


def test_pieces_of_a_rim_become_one_candidate_of_the_best_pieces_score():
    apart, joined = strong(rim(0.45), APART)[1], strong(rim(0.45), JOINED)
    assert len(apart) >= 4
    labels, (one,) = joined
    assert one.score == max(candidate.score for candidate in apart)
    assert one.peak_lps_mm in [candidate.peak_lps_mm for candidate in apart]
    assert one.volume_mm3 == np.count_nonzero(labels == one.id)
    assert one.volume_mm3 >= sum(candidate.volume_mm3 for candidate in apart)
    # The rim's diameter: 32 mm between its middle lines, and its thickness.
    assert 32 <= one.axial_diameter_mm <= 40


def test_a_piece_found_at_a_coarse_scale_in_the_middle_is_joined_from_where_its_outline_starts():
    # The peak of such a scale may lie as far from the highest likelihood as the scale is wide.
    likelihood = rim(0.45, radius=24, shape=(11, 71, 71), pieces=9, width=2.5).astype(np.float32)
    labels, count = ndimage.label(likelihood > 0.6)
    weak = labels[5, 35, 59]
    # A weaker piece looks for stronger ones; these do not look for it.
    likelihood[labels == weak] *= 0.9
    grid, pieces = grid_of(likelihood), []
    for value in range(1, count + 1):
        start = np.unravel_index(np.argmax(np.where(labels == value, likelihood, 0)), likelihood.shape)
        scale, place = (26.84, (5, 35, 35)) if value == weak else (1.0, start)
        peak = Peak(tuple(map(int, place)), scale, 0.3, 0.5)
        pieces.append(Piece(peak, tuple(map(int, start)), grid.lps_from_index(np.array(place, float))))
    joined, peaks = join_pieces(labels.astype(np.uint16), pieces, likelihood, grid, 0.4, Run())
    assert count >= 7
    assert len(peaks) == 1
    assert (joined[labels > 0] == 1).all()


def beads(places, radius=2.5, shape=(31, 121, 121), dip=0.5):
    """Balls along a way (z, y, x from the middle, mm), between neighbours of which the likelihood falls to a share."""
    index = np.moveaxis(np.indices(shape), 0, -1) - (np.array(shape) - 1) / 2
    likelihood = np.zeros(shape)
    for first, second in itertools.pairwise(places):
        first, second = np.array(first, float), np.array(second, float)
        along = np.clip((index - first) @ (second - first) / ((second - first) ** 2).sum(), 0, 1)
        away = np.linalg.norm(index - first - along[..., None] * (second - first), axis=-1)
        likelihood = np.maximum(likelihood, dip * np.exp(-0.5 * (away / 1.5) ** 2))
    for place in places:
        away = np.linalg.norm(index - np.array(place), axis=-1)
        likelihood = np.maximum(likelihood, np.exp(-0.5 * (away / radius) ** 2))
    return likelihood


def arc(degrees, radius, count):
    angles = np.radians(np.linspace(0, degrees, count))
    return [(0.0, radius * np.sin(angle), radius * np.cos(angle)) for angle in angles]


@pytest.mark.parametrize(
    "places",
    [
        [(0, 0, x) for x in range(-48, 49, 12)],
        arc(120, 40, 8),
        arc(180, 30, 9),
        # A horseshoe of vessels like the sinuses of a head, and another vessel that runs up from its middle.
        [*arc(180, 36, 10), (0, 36, 0), (6, 26, 0), (12, 16, 0)],
    ],
    ids=["straight", "bent", "half round", "sinuses"],
)
def test_a_chain_of_vessels_is_not_joined(places):
    likelihood = beads(places)
    _, apart = strong(likelihood, APART)
    assert len(apart) >= len(places) - 1
    assert len(strong(likelihood, JOINED)[1]) == len(apart)


def test_a_fork_of_vessels_is_not_joined():
    arms = [[(0, r * np.sin(a), r * np.cos(a)) for r in (0, 12, 24, 36)] for a in np.radians((0, 120, 240))]
    likelihood = np.max([beads(arm) for arm in arms], axis=0)
    assert len(strong(likelihood, JOINED)[1]) == len(strong(likelihood, APART)[1]) >= 10


def test_an_open_rim_is_joined_and_surrounds_its_place():
    _, (one,) = strong(beads(arc(250, 16, 7)), JOINED)
    z, y, x = np.array(one.centroid_lps_mm)[::-1] - (15, 60, 60)
    # The centroid of an arc of 250 degrees, whose middle lies at 125: 16 sin(125) / 2.18 radians.
    away = 16 * np.sin(np.radians(125)) / np.radians(125)
    expected = away * np.array([np.sin(np.radians(125)), np.cos(np.radians(125))])
    assert abs(z) < 0.5
    np.testing.assert_allclose((y, x), expected, atol=1.5)


def test_a_rim_is_joined_without_the_far_end_of_a_vessel_that_it_touches():
    rim_places = arc(300, 16, 8)
    both = np.maximum(beads(rim_places), beads([rim_places[0], (0, 0, 28), (0, 0, 40), (0, 0, 52)]))
    labels, candidates = strong(both, JOINED)
    largest = max(candidates, key=lambda candidate: candidate.max_diameter_mm)
    assert all(labels[15, round(60 + y), round(60 + x)] == largest.id for _, y, x in rim_places)
    # A stump of the vessel may be taken for a part of the rim; its end is 1.75 radii away.
    assert labels[15, 60, 60 + 52] not in (0, largest.id)


def test_pieces_with_a_deeper_valley_between_them_stay_apart():
    assert len(strong(rim(0.3), JOINED)[1]) == len(strong(rim(0.3), APART)[1]) >= 4


@pytest.mark.parametrize(
    "centres", [((15, 25, 20), (15, 25, 33)), ((15, 20, 20), (15, 20, 33), (15, 31.3, 26.5))], ids=["two", "three"]
)
def test_balls_that_touch_are_not_joined(centres):
    likelihood = ndimage.gaussian_filter(sum(ball((31, 51, 51), centre, 6) for centre in centres), 1.8)
    between = likelihood[15, round(centres[0][1]), 26] / likelihood[15, round(centres[0][1]), 20]
    assert between > JOINED.join_fraction
    assert len(strong(likelihood, JOINED)[1]) == len(centres)


@pytest.mark.parametrize("waist", [0.45, 0.6])
def test_pieces_that_close_round_a_hole_are_joined_and_filled(waist):
    z, y, x = np.indices((51, 51, 51)) - 25
    away = np.sqrt(z**2 + y**2 + x**2) - 16
    # Two caps of a shell; between them a waist, at 0.6 part of an outline that was filled.
    shell = (waist + (1 - waist) * np.clip(np.abs(x) / 5, 0, 1)) * np.exp(-0.5 * away**2 / 1.5**2)
    apart = strong(shell, APART)[1]
    labels, (one,) = strong(shell, JOINED)
    assert len(apart) > 2
    assert labels[25, 25, 25] == one.id
    # Outlined at half of the peak, 1.8 mm from the middle of the shell; the waist is part of no piece.
    assert one.volume_mm3 == pytest.approx(4 / 3 * np.pi * 17.8**3, rel=0.15)


def test_every_candidate_has_its_number_in_the_map():
    random = np.random.default_rng(3)
    likelihood = ndimage.gaussian_filter(random.normal(size=(40, 40, 40)), 2).astype(np.float32)
    likelihood /= likelihood.max()
    labels, candidates = strong(likelihood, JOINED, -np.inf)
    apart, before = strong(likelihood, APART, -np.inf)
    assert len(candidates) < len(before)
    assert set(np.unique(labels)) - {0} == {candidate.id for candidate in candidates}
    # Joining adds to outlines and takes from none.
    assert (labels[apart > 0] > 0).all()


def test_a_set_from_which_a_lesion_was_taken_may_hold_another(monkeypatch):
    """Two pairs and a bridge between them; at such a fraction nothing closer can be tried."""
    bridge = {(0, 1), (1, 2), (2, 3), (3, 4)}

    def connections(self, numbers, fraction):
        matrix = np.zeros((5, 5), dtype=bool)
        for first, second in bridge:
            matrix[first, second] = first in numbers and second in numbers
        return matrix

    monkeypatch.setattr(joining._Joining, "_connections", connections)
    monkeypatch.setattr(joining._Joining, "_is_lesion", lambda self, group: set(group) in ({0, 1}, {3, 4}))
    values = np.arange(1, 6, dtype=np.uint16).reshape(1, 1, 5)
    pieces = [joining.Piece(Peak((0, 0, x), 1.0, 0.5, 0.9), (0, 0, x), np.zeros(3)) for x in range(5)]
    likelihood = np.ones((1, 1, 5), dtype=np.float32)
    found = joining._Joining(values, pieces, likelihood, grid_of(likelihood), 0.9, Run()).lesions()
    assert sorted(map(tuple, found)) == [(0, 1), (3, 4)]
