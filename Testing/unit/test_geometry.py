"""Voxel indices and the patient's coordinates are taken into each other exactly, on any grid."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtann.errors import GeometryError
from mtann.geometry import TOLERANCE_MM, FloatArray, Geometry, canonical_order
from unit.grids import ORIENTATIONS, geometries, grid, millimetres, turned, world_points

PLAIN = Geometry((4, 5, 6), (1.0, 2.0, 3.0), (10.0, 20.0, 30.0))
ORDERS = st.permutations(range(3))
FLIPS = st.tuples(st.booleans(), st.booleans(), st.booleans())


def outer_corners(geometry: Geometry) -> FloatArray:
    """The block's eight corners at the outer voxel edges, sorted."""
    index = np.array(
        [[(-0.5, n - 0.5)[bit >> axis & 1] for axis, n in enumerate(geometry.shape_zyx)] for bit in range(8)]
    )
    corners = np.round(geometry.lps_from_index(index), 6)
    return corners[np.lexsort(corners.T)]


def test_hand_counted_places_on_an_oblique_grid() -> None:
    # The array's x axis runs to posterior, y to the right, z to superior: a quarter turn about the long axis.
    geometry = Geometry((4, 5, 6), (1.0, 2.0, 3.0), (10.0, 20.0, 30.0), (0, -1, 0, 1, 0, 0, 0, 0, 1))
    assert geometry.lps_from_index((0, 0, 0)) == pytest.approx((10, 20, 30))
    assert geometry.lps_from_index((1, 2, 3)) == pytest.approx((10 - 2 * 2, 20 + 3 * 1, 30 + 1 * 3))
    assert geometry.index_from_lps((6, 23, 33)) == pytest.approx((1, 2, 3))


@given(geometries(), st.lists(st.tuples(*[millimetres(-50, 50)] * 3), min_size=1, max_size=5))
def test_indices_survive_the_way_to_lps_and_back(geometry: Geometry, indices: list[tuple[float, float, float]]) -> None:
    back = geometry.index_from_lps(geometry.lps_from_index(indices))
    assert back == pytest.approx(np.array(indices), abs=1e-8)


@given(geometries(), st.tuples(*[millimetres(-500, 500)] * 3))
def test_points_survive_the_way_to_the_index_and_back(geometry: Geometry, point: tuple[float, float, float]) -> None:
    assert geometry.lps_from_index(geometry.index_from_lps(point)) == pytest.approx(np.array(point), abs=1e-8)


@given(geometries())
def test_the_matrix_says_the_same_as_the_fields(geometry: Geometry) -> None:
    again = Geometry.from_matrix(geometry.shape_zyx, geometry.matrix)
    assert again.matches(geometry, 1e-9)
    assert again.spacing_xyz_mm == pytest.approx(geometry.spacing_xyz_mm)
    assert again.direction == pytest.approx(geometry.direction)


@given(geometries(), st.tuples(*[millimetres(0.2, 5.0)] * 3))
def test_respaced_stays_centred_on_the_same_block(geometry: Geometry, spacing: tuple[float, float, float]) -> None:
    new = geometry.respaced(spacing)
    middle = [(np.array(g.shape_zyx) - 1) / 2 for g in (geometry, new)]
    assert new.spacing_zyx_mm == spacing
    assert new.lps_from_index(middle[1]) == pytest.approx(geometry.lps_from_index(middle[0]), abs=1e-6)
    # The block's length is met to within half a new voxel, unless it is shorter than one.
    lengths = [np.array(g.shape_zyx) * g.spacing_zyx_mm for g in (geometry, new)]
    assert np.all((np.abs(lengths[1] - lengths[0]) <= np.array(spacing) / 2 + 1e-9) | (np.array(new.shape_zyx) == 1))


@given(geometries(), st.tuples(*[st.integers(1, 4)] * 3))
def test_respaced_by_whole_parts_covers_the_block_edge_to_edge(geometry: Geometry, parts: tuple[int, int, int]) -> None:
    new = geometry.respaced(np.array(geometry.spacing_zyx_mm) / parts)
    assert new.shape_zyx == tuple(np.array(geometry.shape_zyx) * parts)
    assert outer_corners(new) == pytest.approx(outer_corners(geometry), abs=1e-5)


@given(geometries(least=3), st.data())
def test_cropped_keeps_every_voxels_place(geometry: Geometry, data: st.DataObject) -> None:
    start = [data.draw(st.integers(0, n - 1)) for n in geometry.shape_zyx]
    stop = [data.draw(st.integers(a + 1, n)) for a, n in zip(start, geometry.shape_zyx, strict=True)]
    part = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    assert world_points(geometry.cropped(start, stop)) == pytest.approx(world_points(geometry)[part], abs=1e-8)


@given(geometries(), ORDERS, FLIPS)
def test_reordered_keeps_every_voxels_place(
    geometry: Geometry, order: list[int], flip: tuple[bool, bool, bool]
) -> None:
    points = world_points(geometry)
    # New axis i takes old axis order[i]; array axes count the other way round.
    moved = np.transpose(points, [2 - order[2], 2 - order[1], 2 - order[0], 3])
    moved = np.flip(moved, [2 - axis for axis in range(3) if flip[axis]])
    assert world_points(geometry.reordered(order, flip)) == pytest.approx(moved, abs=1e-8)


@pytest.mark.parametrize("axes", ORIENTATIONS, ids=lambda axes: str(axes.astype(int).tolist()))
def test_the_canonical_order_of_every_orientation_runs_to_left_posterior_superior(axes: FloatArray) -> None:
    oblique = turned(20, -15, 10)
    stored = grid((4, 5, 6), (0.5, 1.0, 2.0), oblique @ axes, (5.0, -7.0, 9.0))
    canonical = stored.reordered(*canonical_order(stored))
    assert canonical.axes == pytest.approx(oblique)
    assert outer_corners(canonical) == pytest.approx(outer_corners(stored), abs=1e-5)


@given(geometries())
def test_canonical_order_leaves_no_axis_pointing_away(geometry: Geometry) -> None:
    assert np.all(np.diag(geometry.reordered(*canonical_order(geometry)).axes) >= 0)


@given(geometries())
def test_a_canonical_grid_is_left_as_it_is(geometry: Geometry) -> None:
    canonical = geometry.reordered(*canonical_order(geometry))
    assert canonical.reordered(*canonical_order(canonical)).matches(canonical, 1e-9)


@pytest.mark.parametrize(("shift", "same"), [(0.0, True), (0.99, True), (1.01, False), (-0.99, True), (-1.01, False)])
def test_grids_match_up_to_the_tolerance(shift: float, same: bool) -> None:
    # An origin of zero, where adding the shift loses no digits.
    here = replace(PLAIN, origin_lps_mm=(0.0, 0.0, 0.0))
    there = replace(here, origin_lps_mm=(0.0, shift * TOLERANCE_MM, 0.0))
    assert here.matches(there) is same
    assert there.matches(here) is same


def test_grids_match_at_exactly_the_tolerance() -> None:
    here = Geometry((1, 1, 1), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    assert here.matches(replace(here, origin_lps_mm=(0.25, 0.0, 0.0)), tolerance_mm=0.25)


def test_a_small_difference_in_spacing_adds_up_over_a_long_grid() -> None:
    here = Geometry((2, 2, 500), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    there = replace(here, spacing_xyz_mm=(1.000001, 1.0, 1.0))
    assert not here.matches(there)
    assert here.cropped((0, 0, 0), (2, 2, 50)).matches(there.cropped((0, 0, 0), (2, 2, 50)))


def test_grids_of_different_shape_never_match() -> None:
    assert not PLAIN.matches(PLAIN.cropped((0, 0, 0), (4, 5, 5)))


@pytest.mark.parametrize(
    ("index", "inside"),
    [
        ((-0.5, 0, 0), True),
        ((-0.501, 0, 0), False),
        ((3.5, 4.5, 5.5), True),
        ((3.5, 4.5, 5.501), False),
        ((0, 4.501, 0), False),
        ((2, 2, 2), True),
    ],
)
def test_a_volume_ends_at_its_outer_voxel_edges(index: tuple[float, float, float], inside: bool) -> None:
    assert PLAIN.contains_index(index) == inside


def test_sizes_and_volume() -> None:
    assert PLAIN.size_xyz == (6, 5, 4)
    assert PLAIN.spacing_zyx_mm == (3.0, 2.0, 1.0)
    assert PLAIN.voxel_volume_mm3 == pytest.approx(6.0)


SHEARED = (1, 0.1, 0, 0, np.sqrt(1 - 0.01), 0, 0, 0, 1)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"shape_zyx": (0, 5, 6)}, "at least one voxel"),
        ({"spacing_xyz_mm": (1.0, 0.0, 1.0)}, "positive spacing"),
        ({"spacing_xyz_mm": (1.0, -1.0, 1.0)}, "positive spacing"),
        ({"spacing_xyz_mm": (1.0, float("nan"), 1.0)}, "positive spacing"),
        ({"origin_lps_mm": (float("inf"), 0.0, 0.0)}, "finite origin"),
        ({"direction": (1.0, 0.0, 0.0, 1.0)}, "nine direction cosines"),
        ({"direction": SHEARED}, "right angles"),
        ({"direction": (1, 0, 0, 0, 1, 0, 1, 0, 0)}, "right angles"),
        ({"direction": (1.1, 0, 0, 0, 1, 0, 0, 0, 1)}, "right angles"),
    ],
)
def test_a_grid_that_cannot_be_is_refused(change: dict[str, tuple[float, ...]], reason: str) -> None:
    with pytest.raises(GeometryError, match=reason):
        replace(PLAIN, **change)


def test_cosines_rounded_to_four_digits_are_accepted() -> None:
    axes = np.round(turned(31, 17, -8), 4)
    assert Geometry((2, 2, 2), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), tuple(axes.ravel().tolist()))


@pytest.mark.parametrize("broken", [np.zeros((4, 4)), np.diag([1.0, 0.0, 1.0, 1.0]), np.full((4, 4), np.nan)])
def test_a_singular_matrix_is_refused(broken: FloatArray) -> None:
    with pytest.raises(GeometryError, match="singular"):
        Geometry.from_matrix((2, 2, 2), broken)


def test_a_sheared_matrix_is_refused() -> None:
    sheared = np.eye(4)
    sheared[0, 1] = 0.2
    with pytest.raises(GeometryError, match="right angles"):
        Geometry.from_matrix((2, 2, 2), sheared)
