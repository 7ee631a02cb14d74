"""Given candidates: how wide they are scored, how large they are, and which voxels they cover."""

import numpy as np
import pytest

from mtann.detection.given import GivenCandidate, as_candidates, covered_voxels, given_from, paint
from mtann.geometry import Geometry
from mtann.sampling.lesions import DEFAULT_RADIUS_MM, Lesion, lesions_from_label_map
from mtann.settings import TrainingSettings
from mtann.volume import Volume
from unit.grids import grid, turned

GRID = Geometry((21, 21, 21), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))


def block(geometry: Geometry, *slices: slice) -> Lesion:
    """A lesion of one block of voxels."""
    array = np.zeros(geometry.shape_zyx, dtype=np.uint8)
    array[slices] = 1
    (lesion,) = lesions_from_label_map(Volume(array, geometry))
    return lesion


def voxel_set(voxels) -> set[tuple[int, ...]]:
    return {tuple(voxel) for voxel in voxels.tolist()}


def test_a_point_is_scored_as_a_lesion_of_its_radius_is_taught_and_has_its_spheres_size():
    (candidate,) = as_candidates([GivenCandidate((1.0, 2.0, 3.0), 5.0, score=0.7, id=9)], GRID, TrainingSettings(), "x")
    assert candidate.centroid_lps_mm == candidate.peak_lps_mm == (1.0, 2.0, 3.0)
    assert candidate.scoring_sigma_mm == pytest.approx(0.7 * 5.0)
    assert candidate.volume_mm3 == pytest.approx(4 / 3 * np.pi * 125)
    assert (candidate.axial_diameter_mm, candidate.perpendicular_diameter_mm, candidate.max_diameter_mm) == (10, 10, 10)
    assert (candidate.id, candidate.given_id, candidate.given_score, candidate.class_name) == (1, 9, 0.7, "x")


def test_without_a_radius_the_default_counts():
    (candidate,) = as_candidates([GivenCandidate((1.0, 2.0, 3.0))], GRID, TrainingSettings(), "x")
    assert candidate.scoring_sigma_mm == pytest.approx(0.7 * DEFAULT_RADIUS_MM)
    assert candidate.max_diameter_mm == 2 * DEFAULT_RADIUS_MM


def test_a_fixed_teaching_width_is_the_scoring_width_too():
    coarse = Geometry((9, 9, 9), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0))
    training = TrainingSettings(fixed_teaching_sigma_voxels=4.5)
    (candidate,) = as_candidates([GivenCandidate((1.0, 2.0, 3.0), 2.0)], coarse, training, "x")
    assert candidate.scoring_sigma_mm == 9.0


def test_an_outline_is_measured_on_its_own_grid():
    fine = Geometry((40, 40, 40), (0.5, 0.5, 0.5), (0.0, 0.0, 0.0))
    lesion = block(fine, slice(4, 10), slice(4, 12), slice(4, 8))  # 3 x 4 x 2 mm.
    (candidate,) = as_candidates(given_from([lesion]), GRID, TrainingSettings(), "x")
    assert candidate.volume_mm3 == pytest.approx(24.0)
    assert candidate.max_diameter_mm == pytest.approx(np.sqrt(9 + 16 + 4))
    assert candidate.axial_diameter_mm == pytest.approx(np.sqrt(16 + 4))


def test_ids_count_from_one_unless_given():
    places = [Lesion((0.0, 0.0, 0.0)), Lesion((1.0, 0.0, 0.0), 2.0)]
    assert [(one.id, one.score, one.radius_mm) for one in given_from(places)] == [(1, None, None), (2, None, 2.0)]
    assert [(one.id, one.score) for one in given_from(places, [7, 3], [0.5, None])] == [(7, 0.5), (3, None)]


def test_a_sphere_covers_the_voxels_within_its_radius():
    # 1 + 6 within 1 mm, 12 more within the square root of 2.
    assert len(covered_voxels(Lesion((10.0, 10.0, 10.0), 1.0), GRID)) == 7
    assert len(covered_voxels(Lesion((10.0, 10.0, 10.0), 1.5), GRID)) == 19
    assert voxel_set(covered_voxels(Lesion((0.0, 20.0, 10.0), 1.0), GRID)) == {
        (10, 20, 0),
        (9, 20, 0),
        (11, 20, 0),
        (10, 19, 0),
        (10, 20, 1),
    }


def test_an_outline_on_the_same_grid_keeps_its_voxels_to_the_last():
    for geometry in (GRID, grid((21, 21, 21), (0.7, 0.9, 2.0), turned(20, -15, 35))):
        array = np.zeros(geometry.shape_zyx, dtype=np.uint8)
        array[3:6, 0:4, 18:21] = 1
        array[4, 4:9, 19] = 1
        (lesion,) = lesions_from_label_map(Volume(array, geometry))
        assert voxel_set(covered_voxels(lesion, geometry)) == voxel_set(np.argwhere(array))


def test_an_outline_on_another_grid_covers_the_same_place_in_the_world():
    shifted = Geometry((10, 10, 10), (2.0, 2.0, 2.0), (0.5, 0.5, 0.5))
    lesion = block(shifted, slice(2, 4), slice(5, 6), slice(7, 8))  # z 3.5 to 7.5, y 9.5 to 11.5, x 13.5 to 15.5 mm.
    expected = {(z, y, x) for z in (4, 5, 6, 7) for y in (10, 11) for x in (14, 15)}
    assert voxel_set(covered_voxels(lesion, GRID)) == expected


def test_what_falls_between_the_voxels_still_covers_the_nearest_one():
    coarse = Geometry((4, 4, 4), (5.0, 5.0, 5.0), (0.0, 0.0, 0.0))
    fine = Geometry((20, 20, 20), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    assert voxel_set(covered_voxels(Lesion((7.0, 8.0, 2.0), 0.5), coarse)) == {(0, 2, 1)}
    assert voxel_set(covered_voxels(block(fine, slice(2, 3), slice(8, 9), slice(7, 8)), coarse)) == {(0, 2, 1)}


def test_where_two_meet_the_last_painted_lies_on_top():
    first, second = np.array([[0, 0, 0], [0, 0, 1]]), np.array([[0, 0, 1], [0, 0, 2]])
    assert paint([first, second], [1, 0], (1, 1, 4)).tolist() == [[[1, 1, 2, 0]]]
    assert paint([first, second], [0, 1], (1, 1, 4)).tolist() == [[[1, 2, 2, 0]]]
    assert not paint([], [], (1, 1, 4)).any()
