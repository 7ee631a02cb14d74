"""Findings, their voxels and places: decisions made without any node."""

import numpy as np
import pytest

pytest.importorskip("slicer.util", reason="slicer-core is not installed (pip install slicer-core)")

from hypothesis import given
from hypothesis import strategies as st
from results import ball as ball_of
from results import make_candidate

from mtann.geometry import Geometry
from MTANNDetectLib.Review.Findings import ACCEPTED, REJECTED, Finding, ordered, shown, summarise
from MTANNDetectLib.Review.History import History
from MTANNDetectLib.Review.Parts import ball, grown, halves
from MTANNDetectLib.Review.Places import (
    Body,
    bodyFromPoints,
    coordinatesInWords,
    hasSides,
    nearestLandmark,
    placeInWords,
)

pytestmark = pytest.mark.slicer
GRID = Geometry((30, 30, 30), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
HEAD = Body((0.0, 0.0, 0.0), (75.0, 90.0, 70.0), True)


def _finding(number, score, status="new"):
    return Finding(make_candidate(number, (0.0, 0.0, 0.0), score, True), status)


def test_the_order_is_by_score_and_then_by_number():
    findings = [
        _finding(5, float("nan")),
        _finding(2, 0.4),
        _finding(1, 0.4),
        _finding(4, float("nan")),
        _finding(3, 0.9),
    ]
    assert [one.id for one in ordered(findings)] == [3, 1, 2, 4, 5]


def test_a_summary_counts_what_counts():
    findings = [_finding(1, 0.9, REJECTED), _finding(2, 0.5), _finding(3, 0.1), _finding(4, 0.1, ACCEPTED)]
    assert [one.id for one in shown(findings, 0.3)] == [2, 4]
    summary = summarise(findings, 0.3)
    assert (summary.count, summary.undecided, summary.largestMm) == (2, 1, 5.1)
    assert summary.volumeMm3 == pytest.approx(67.4 + 69.4)
    assert summarise([], 0.3).largestMm == 0.0


def test_a_dumbbell_is_cut_at_its_waist():
    inside = ball_of(GRID, (8, 15, 15), 5) | ball_of(GRID, (21, 15, 15), 6)
    inside[15, 15, 8:22] = True
    first, second = halves(inside, GRID)
    assert not (first & second).any()
    assert np.array_equal(first | second, inside)
    assert first[15, 15, 21]
    assert second[15, 15, 8]
    # Between the balls only the bar is cut: voxels 13 to 15 along x.
    assert np.argwhere(second)[:, 2].max() in (13, 14, 15)


def test_unconnected_parts_are_told_apart():
    small, large = ball_of(GRID, (5, 5, 5), 2), ball_of(GRID, (20, 20, 20), 4)
    first, second = halves(small | large, GRID)
    assert np.array_equal(first, large)
    assert np.array_equal(second, small)


@given(st.lists(st.tuples(*[st.integers(0, 5)] * 3), min_size=2, max_size=30, unique=True))
def test_halves_are_never_empty(voxels):
    inside = np.zeros((6, 6, 6), bool)
    inside[tuple(np.array(voxels).T)] = True
    first, second = halves(inside, Geometry((6, 6, 6), (1.0, 1.0, 3.0), (0.0, 0.0, 0.0)))
    assert first.any()
    assert second.any()
    assert not (first & second).any()
    assert np.array_equal(first | second, inside)


@pytest.mark.parametrize("centre", [(15.2, 14.1, 13.0), (0.0, 0.0, 29.0), (29.4, 29.4, 29.4)])
def test_a_ball_holds_the_voxels_within_its_radius(centre):
    box, inside = ball(GRID, centre, 4.3)
    whole = np.zeros(GRID.shape_zyx, bool)
    whole[box] = inside
    assert np.array_equal(whole, ball_of(GRID, centre, 4.3))


def test_a_tiny_ball_holds_one_voxel():
    box, inside = ball(GRID, (15.4, 15.4, 15.4), 0.01)
    assert inside.sum() == 1
    assert box[0].start + int(np.argwhere(inside)[0, 0]) == 15


def test_an_outline_follows_the_likelihood_where_there_is_some():
    likelihood = np.zeros(GRID.shape_zyx, np.float32)
    near, far = ball_of(GRID, (12, 12, 12), 3), ball_of(GRID, (25, 25, 25), 2)
    likelihood[near], likelihood[far] = 0.4, 0.9
    box, inside = grown(likelihood, GRID, (13, 12, 12), 4, 0.5)
    whole = np.zeros(GRID.shape_zyx, bool)
    whole[box] = inside
    assert np.array_equal(whole, near)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ((40, 0, 0), "right"),
        ((-40, 0, 0), "left"),
        ((4.4, 0, 0), "near midline"),
        ((4.6, 0, 0), "right"),
        ((-50, 60, -50), "left, anterior, inferior"),
        ((50, -60, 50), "right, posterior, superior"),
    ],
)
def test_places_are_told_from_the_heads_middle(place, words):
    assert placeInWords(place, HEAD) == words


def test_less_is_said_near_the_midline_without_a_mask():
    unsure = Body(HEAD.centreRas, HEAD.halfRas, False)
    assert placeInWords((8.9, 0, 0), unsure) == "near midline"
    assert placeInWords((9.1, 0, 0), unsure) == "right"


def test_where_no_side_is_known_coordinates_are_told():
    assert placeInWords((-24.6, -37, 43.2), None) == "L 25, P 37, S 43 mm"
    assert coordinatesInWords((24.6, 37, -43.2)) == "R 25, A 37, I 43 mm"


def test_sides_are_told_of_parts_of_the_body_that_have_two():
    assert hasSides("Head (synthetic)")
    assert hasSides("chest")
    assert not hasSides("left knee")
    assert not hasSides("")


def test_the_outline_leaves_stray_points_out():
    points = np.vstack(
        [np.mgrid[-50:51:2, -60:61:2, -40:41:4].reshape(3, -1).T + np.array([10, 0, 0]), [(900, 900, 900)]]
    )
    body = bodyFromPoints(points, True)
    assert np.allclose(body.centreRas, (10, 0, 0), atol=1)
    assert np.allclose(body.halfRas, (50, 60, 40), atol=2)
    assert bodyFromPoints(np.empty((0, 3)), True) is None


def test_the_nearest_named_point_is_told():
    landmarks = {"AC": (0, 0, 0), "PC": (0, -25, 0)}
    assert nearestLandmark((3, -21, 0), landmarks) == "5 mm from PC"
    assert nearestLandmark((0, 200, 0), landmarks) == ""
    assert nearestLandmark((0, 0, 0), {}) == ""


def test_a_new_step_forgets_what_was_undone():
    history = History()
    assert history.undo() is None
    history.record("a", "b")
    history.record("b", "c")
    assert (history.undo(), history.undo(), history.undo()) == ("b", "a", None)
    assert history.redo() == "b"
    history.record("b", "d")
    assert (history.redo(), history.undo(), history.canRedo) == (None, "b", True)
