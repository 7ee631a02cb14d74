"""When a candidate hits a lesion: each rule counted by hand."""

import numpy as np
import pytest

from mtann.errors import CasesError, SettingsError
from mtann.evaluation.matching import match_found
from mtann.evaluation.outlines import in_a_hole
from mtann.evaluation.rules import CentreRule, DilatedRule, Luna16Rule, OverlapRule, read_rule
from mtann.evaluation.study import Found
from mtann.geometry import Geometry
from mtann.sampling.lesions import lesions_from_label_map
from mtann.volume import Volume
from unit.studies import GRID, found, lesions_of, mask_of, points

# 4 x 4 x 4 voxels from 2 to 5 along every axis.
BOX = ((2, 6), (2, 6), (2, 6))
MISSED = -np.inf


def hits(candidates, lesions, rule):
    return match_found(candidates, [one.score for one in candidates], lesions, rule)


def outlined(*boxes, scores=None):
    lesions = lesions_of(boxes)
    scores = scores or [1.0] * len(boxes)
    return [Found(one.centre_lps_mm, one.radius_mm, one.outline, s) for one, s in zip(lesions, scores, strict=True)]


def test_centre_counts_to_a_millimetre_beyond_the_outermost_voxels_edge():
    # The box ends at x = 5.5; 6.5 is 1 mm beyond, 6.6 more than that.
    rule, lesions = CentreRule(), lesions_of([BOX])
    assert hits(found((6.5, 4, 4, 0.9)), lesions, rule).hits == (0,)
    assert hits(found((6.6, 4, 4, 0.9)), lesions, rule).hits == (None,)
    assert hits(found((6.6, 4, 4, 0.9)), lesions, CentreRule(tolerance_mm=1.2)).hits == (0,)


def test_luna16_is_strictly_closer_than_the_radius():
    lesions = points((0, 0, 0), radius=3.0)
    assert hits(found((2.999, 0, 0, 0.9)), lesions, Luna16Rule()).hits == (0,)
    assert hits(found((3.0, 0, 0, 0.9)), lesions, Luna16Rule()).hits == (None,)


def test_overlap_by_hand():
    # Shifted by two along x: 2 x 4 x 4 = 32 voxels are shared of 64 + 64 - 32 = 96: a third.
    shifted = outlined(((2, 6), (2, 6), (4, 8)))
    assert hits(shifted, lesions_of([BOX]), OverlapRule(least=1 / 3)).hits == (0,)
    assert hits(shifted, lesions_of([BOX]), OverlapRule(least=0.34)).hits == (None,)


def test_dilated_touches_across_a_gap_of_one_voxel_but_not_of_two_or_of_a_corner():
    lesions = lesions_of([BOX])  # ends with voxel 5; grown by one, with voxel 6
    assert hits(outlined(((2, 6), (2, 6), (6, 8))), lesions, DilatedRule()).hits == (0,)
    assert hits(outlined(((2, 6), (2, 6), (7, 9))), lesions, DilatedRule()).hits == (None,)
    # 18 neighbours reach over an edge, not over a corner.
    assert hits(outlined(((2, 6), (6, 8), (6, 8))), lesions, DilatedRule()).hits == (0,)
    assert hits(outlined(((6, 8), (6, 8), (6, 8))), lesions, DilatedRule()).hits == (None,)
    assert hits(outlined(((2, 6), (2, 6), (7, 9))), lesions, DilatedRule(voxels=2)).hits == (0,)


def test_a_candidate_on_two_lesions_hits_the_nearer_one_or_both_as_the_rule_says():
    # Centres at 0 and 4, radius 3; the candidate at 1.5 is within both spheres, and nearer to neither's outline: 0, 0.
    lesions = points((0, 0, 0), (4, 0, 0), radius=3.0)
    candidate = found((1.5, 0, 0, 0.8))
    assert hits(candidate, lesions, CentreRule()).lesion_scores == (0.8, MISSED)
    assert hits(candidate, lesions, Luna16Rule()).lesion_scores == (0.8, 0.8)
    assert hits(candidate, lesions, Luna16Rule()).hits == (0,)
    # One large outline over two small lesions: all of both is covered. By overlap it hits the larger alone.
    two = lesions_of([((2, 4), (2, 4), (2, 4)), ((2, 4), (2, 4), (8, 11))])
    large = outlined(((2, 4), (2, 4), (2, 11)))
    assert hits(large, two, OverlapRule(least=0.1)).lesion_scores == (MISSED, 1.0)
    assert hits(large, two, DilatedRule()).lesion_scores == (1.0, 1.0)


@pytest.mark.parametrize("rule", [CentreRule(), Luna16Rule()])
def test_two_candidates_on_one_lesion_count_once_and_neither_is_a_false_alarm(rule):
    match = hits(found((0, 0, 0, 0.6), (1, 0, 0, 0.9)), points((0, 0, 0)), rule)
    assert (match.lesion_scores, match.false_alarm_scores, match.hits) == ((0.9,), (), (0, 0))


def rim(boxes, cores, grid=GRID):
    """One lesion: boxes of which others are cut out."""
    array = mask_of(boxes, grid).array.copy()
    array[mask_of(cores, grid).array != 0] = 0
    (lesion,) = lesions_from_label_map(Volume(array, grid))
    return lesion


# 9 voxels across with a wall of one and a core of 7: its middle is 3.5 mm from the wall's inner face.
SHELL, CORE = ((1, 10), (2, 11), (2, 11)), ((2, 9), (3, 10), (3, 10))


def test_a_place_in_the_dark_core_of_a_rim_hits_the_lesion():
    lesion = rim([SHELL], [CORE])
    middle, outside = (6, 6, 5), (14, 6, 5)
    assert hits(found((*middle, 0.9), (*outside, 0.4)), [lesion], CentreRule()).hits == (0, None)
    # A wall that is open to one side encloses nothing; close to the wall counts all the same.
    door = ((4, 7), (5, 8), (10, 11))
    opened = rim([SHELL], [CORE, door])
    assert hits(found((*middle, 0.9), (3.4, 6, 5, 0.8)), [opened], CentreRule()).hits == (None, 0)


def test_a_lesion_within_anothers_core_is_hit_rather_than_the_rim():
    inner = lesions_of([((5, 6), (6, 7), (6, 7))])[0]
    lesions = [rim([SHELL], [CORE]), inner]
    # In the middle both qualify; 2 mm beside it, 1.5 mm from either, only the rim that encloses it.
    assert hits(found((6, 6, 5, 0.9)), lesions, CentreRule()).lesion_scores == (MISSED, 0.9)
    assert hits(found((8, 6, 5, 0.9)), lesions, CentreRule()).lesion_scores == (0.9, MISSED)


@pytest.mark.parametrize(
    ("slices", "thickness", "hit"),
    [((5, 6), 1.0, True), ((4, 7), 1.0, False), ((4, 7), 5.0, True), ((0, 1), 1.0, True)],
    ids=["one slice", "open above and below", "thick slices", "an image of one slice"],
)
def test_a_ring_in_a_slice_encloses_its_core_and_a_pipe_does_not(slices, thickness, hit):
    shape = (1, 20, 20) if slices == (0, 1) else GRID.shape_zyx
    grid = Geometry(shape, (1.0, 1.0, thickness), (0.0, 0.0, 0.0))
    ring = rim([(slices, (2, 11), (2, 11))], [(slices, (3, 10), (3, 10))], grid)
    z = (slices[0] + slices[1] - 1) / 2 * thickness
    got = hits(found((6, 6, z, 0.9), (14, 6, z, 0.5), (-3, 6, z, 0.4)), [ring], CentreRule()).hits
    assert got == ((0 if hit else None), None, None)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_are_those_of_the_thick_axis_however_the_image_is_stored(axis):
    walls = np.ones((3, 9, 9), dtype=np.uint8)
    walls[:, 1:-1, 1:-1] = 0
    spacing = [1.0, 1.0, 1.0]
    spacing[axis] = 5.0
    array = np.moveaxis(walls, 0, axis)
    grid = Geometry(array.shape, tuple(reversed(spacing)), (0.0, 0.0, 0.0))
    (lesion,) = lesions_from_label_map(Volume(array, grid))
    middle = tuple(np.array(grid.lps_from_index((np.array(array.shape) - 1) / 2)))
    assert in_a_hole(middle, lesion.outline)


def test_touching_lesions_are_one_component_and_two_instances():
    array = np.zeros(GRID.shape_zyx, np.uint8)
    array[2:6, 2:6, 2:4], array[2:6, 2:6, 4:6] = 1, 2
    labels = Volume(array, GRID)
    one, two = lesions_from_label_map(labels), lesions_from_label_map(labels, keep_instances=True)
    candidate = found((2.5, 4, 4, 0.9))
    assert hits(candidate, one, CentreRule()).lesion_scores == (0.9,)
    assert hits(candidate, two, CentreRule()).lesion_scores == (0.9, MISSED)


def test_points_have_no_outline_to_overlap():
    with pytest.raises(CasesError, match="'iou' needs outlines, but there are candidates that are points"):
        hits(found((4, 4, 4, 0.9)), lesions_of([BOX]), OverlapRule())
    with pytest.raises(CasesError, match="'dilated' needs outlines, but there are reference lesions that are points"):
        hits(outlined(BOX), points((4, 4, 4)), DilatedRule())


def test_outlines_of_other_grids_are_refused():
    other = Geometry((12, 20, 20), (1.0, 1.0, 2.0), (0.0, 0.0, 0.0))
    shifted = Geometry((12, 20, 20), (1.0, 1.0, 1.0), (0.5, 0.0, 0.0))
    for grid in (other, shifted):
        (lesion,) = lesions_of([BOX], grid)
        with pytest.raises(CasesError, match="different voxel grids"):
            hits(outlined(BOX), [lesion], DilatedRule())


def test_rules_by_name():
    assert read_rule("centre:2") == CentreRule(tolerance_mm=2)
    assert read_rule("luna16") == Luna16Rule()
    assert read_rule("iou:0.5") == OverlapRule(least=0.5)
    assert read_rule("dilated") == DilatedRule(voxels=1)
    for text in ("iou:0", "iou:1.1", "centre:-1", "centre:x", "luna16:3", "near", ""):
        with pytest.raises(SettingsError):
            read_rule(text)


def test_the_luna16_definition_by_brute_force():
    random = np.random.default_rng(5)
    for _ in range(50):
        lesions = [
            points(tuple(p), radius=float(r))[0]
            for p, r in zip(random.uniform(0, 20, (4, 3)), random.uniform(1, 8, 4), strict=True)
        ]
        candidates = found(*map(tuple, np.c_[random.uniform(0, 20, (7, 3)), random.random(7)]))
        best, free = [MISSED] * 4, []
        for candidate in candidates:
            near = [
                number
                for number, lesion in enumerate(lesions)
                if sum((a - b) ** 2 for a, b in zip(candidate.centre_lps_mm, lesion.centre_lps_mm, strict=True))
                < lesion.radius_mm**2
            ]
            for number in near:
                best[number] = max(best[number], candidate.score)
            if not near:
                free.append(candidate.score)
        match = hits(candidates, lesions, Luna16Rule())
        assert (list(match.lesion_scores), list(match.false_alarm_scores)) == (best, free)
