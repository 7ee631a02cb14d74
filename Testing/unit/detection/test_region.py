import numpy as np
import pytest

from mtann.detection.region import Region, Surroundings, component, hull, whole, within
from mtann.geometry import Geometry

THIN = Geometry((20, 30, 40), (1.0, 2.0, 4.0), (10.0, 0.0, -5.0))  # x, y, z: voxels of 4 x 2 x 1 mm in z, y, x
BOX = (slice(0, 7),) * 3


def cube(*parts, shape=(7, 7, 7)):
    """A block in which the given ones of parts ``(start, stop)`` are true, the same along each axis."""
    block = np.zeros(shape, dtype=bool)
    for start, stop in parts:
        block[(slice(start, stop),) * 3] = True
    return block


def test_surroundings_reach_the_voxels_within_their_reach_and_know_how_far_each_is():
    # Voxel (z, y, x) = (10, 15, 20) lies at x = 10 + 20, y = 2 * 15, z = -5 + 4 * 10.
    around = Surroundings(THIN, np.array([30.0, 30.0, 35.0]), 8.0)
    assert around.box == (slice(8, 13), slice(11, 20), slice(12, 29))
    assert around.distance_mm[2, 4, 8] == 0
    assert around.distance_mm[0, 4, 8] == 8
    assert around.distance_mm[3, 4, 11] == 5  # 4 mm along z, 3 mm along x
    # Exactly on a voxel, no other one is less than a voxel away.
    assert np.argwhere(around.neighbours).tolist() == [[2, 4, 8]]
    between = Surroundings(THIN, np.array([30.5, 30.0, 37.0]), 8.0)
    assert np.count_nonzero(between.neighbours) == 4


def test_surroundings_end_where_the_volume_does():
    corner = Surroundings(THIN, np.array([9.0, -1.0, -6.0]), 8.0)
    assert corner.box == (slice(0, 3), slice(0, 5), slice(0, 9))
    assert corner.distance_mm[0, 0, 0] == 0
    assert corner.widened(12.0).box == (slice(0, 4), slice(0, 7), slice(0, 13))


@pytest.mark.parametrize(("steps", "met"), [(3, False), (4, True), (5, True)])
def test_the_end_is_met_within_the_largest_voxel_edge_of_it(steps, met):
    around = Surroundings(THIN, np.array([30.0, 30.0, 35.0]), 8.0)
    outline = np.zeros(around.distance_mm.shape, dtype=bool)
    outline[2, 4, 8 : 8 + steps + 1] = True  # up to 3, 4, 5 mm along x; the end is at 8 mm, a voxel is 4 mm high
    assert around.end_is_met_by(outline) is met


def test_a_component_is_what_is_connected_to_its_start_across_corners():
    part = cube((0, 2), (2, 4), (5, 7))
    assert np.array_equal(component(part, (0, 0, 0)), cube((0, 2), (2, 4)))
    assert np.array_equal(component(part, (6, 6, 6)), cube((5, 7)))


def test_the_start_always_counts_and_what_is_given_stays_as_it_was():
    part = cube((0, 2))
    alone = component(part, (6, 6, 6))
    assert np.argwhere(alone).tolist() == [[6, 6, 6]]
    assert np.array_equal(part, cube((0, 2)))


def test_regions_touch_across_corners_and_not_across_a_gap():
    outline = cube((0, 3))
    assert Region(outline, ~cube((3, 5)), BOX).touches_others
    assert not Region(outline, ~cube((4, 6)), BOX).touches_others


def test_a_closed_shell_is_filled_and_a_ring_if_its_hole_is_more_than_a_tenth_of_it():
    shell = cube((0, 7)) & ~cube((2, 5))  # 316 voxels round 27
    region = Region(shell, np.ones_like(shell), BOX)
    assert np.array_equal(region.filled, cube((0, 7)))
    assert not region.is_ring
    wide = cube((0, 7)) & ~cube((1, 6))  # 218 voxels round 125
    assert Region(wide, np.ones_like(wide), BOX).is_ring
    wide[3, 3, 0] = False
    opened = Region(wide, np.ones_like(wide), BOX)
    assert np.array_equal(opened.filled, wide)
    assert not opened.is_ring


def test_a_ring_in_one_slice_is_filled_within_it():
    ring = np.ones((5, 1, 5), dtype=bool)
    ring[1:4, 0, 1:4] = False
    region = Region(ring, np.ones_like(ring), (slice(0, 5), slice(0, 1), slice(0, 5)))
    assert region.filled.all()
    assert region.is_ring


def test_boxes_hold_both_and_take_voxels_there_and_back():
    box = hull((slice(2, 5), slice(4, 9)), (slice(3, 7), slice(0, 6)))
    assert box == (slice(2, 7), slice(0, 9))
    assert within((4, 3), box) == (2, 3)
    assert whole((2, 3), box) == (4, 3)
