"""Images reach the model's grid and come back at the same place in the patient, with the same values."""

import numpy as np
import pytest
from hypothesis import given, settings

from mtann.errors import GeometryError
from mtann.geometry import TOLERANCE_MM, FloatArray, Geometry, Triple
from mtann.preprocess.grid import (
    check_overlap,
    default_spacing_mm,
    model_grid,
    overlap_fraction,
    resample,
    resample_mask,
    restore,
)
from mtann.volume import Volume
from unit.grids import ORIENTATIONS, blob, centroid_lps_mm, geometries, grid, ramp, turned, world_points

AXIAL = grid((24, 26, 28), (1.0, 1.0, 1.0), None, (5.0, -7.0, 9.0))
SAGITTAL_AXES = np.array([[0, 0, 1], [1, 0, 0], [0, -1, 0]], dtype=float)
CORONAL_AXES = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], dtype=float)


def block_corners(geometry: Geometry) -> FloatArray:
    """The block's corners at the outer voxel edges, sorted."""
    bits = np.array(np.meshgrid((0, 1), (0, 1), (0, 1))).reshape(3, -1).T
    corners = np.round(geometry.lps_from_index(bits * np.array(geometry.shape_zyx) - 0.5), 6)
    return corners[np.lexsort(corners.T)]


@pytest.mark.parametrize(
    "stored", [np.eye(3), np.diag([-1.0, 1, -1]), turned(20, -15, 40)], ids=["LPS", "RPI", "oblique"]
)
@pytest.mark.parametrize(
    "wanted", [np.eye(3), np.diag([1.0, -1, 1]), turned(-10, 30, 5)], ids=["LPS", "LAS", "oblique"]
)
@pytest.mark.parametrize("spacing", [0.6, 1.0])
def test_a_linear_image_is_reproduced_at_every_place(stored: FloatArray, wanted: FloatArray, spacing: float) -> None:
    image = ramp(grid((24, 26, 28), (1.0, 1.0, 1.0), stored, (5.0, -7.0, 9.0)))
    target = grid((9, 10, 11), (spacing,) * 3, wanted, (6.0, -8.0, 8.5))
    assert resample(image, target) == pytest.approx(ramp(target).array, abs=1e-3)


@pytest.mark.parametrize("spacing", [(2.0, 2.0, 2.0), (1.0, 3.0, 2.5)])
def test_smoothing_for_a_coarser_grid_keeps_a_linear_image(spacing: Triple) -> None:
    # Well inside, where the replicated edge does not reach.
    target = grid((3, 3, 4), spacing, turned(0, 0, 10), (5.0, -7.0, 9.0))
    assert resample(ramp(AXIAL), target) == pytest.approx(ramp(target).array, abs=1e-3)


@settings(max_examples=20)
@given(geometries())
def test_a_constant_image_stays_constant_everywhere(geometry: Geometry) -> None:
    target = grid((5, 6, 7), (3.0, 2.0, 4.0), turned(10, 20, 30), tuple(geometry.lps_from_index((0, 0, 0)).tolist()))
    image = Volume(np.full(geometry.shape_zyx, 42.0, np.float32), geometry)
    assert resample(image, target) == pytest.approx(42.0, abs=1e-4)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_outside_the_image_its_edge_is_repeated(axis: int) -> None:
    slope = tuple(float(axis == world) for world in range(3))
    # Longer than the image along one axis only: beyond a face, its nearest voxels are repeated without interpolation.
    shape = tuple(40 if index == 2 - axis else 10 for index in range(3))
    target = grid(shape, (1.0, 1.0, 1.0), None, (5.25, -6.75, 9.25))
    low, high = (AXIAL.lps_from_index(corner)[axis] for corner in ((0, 0, 0), (23, 25, 27)))
    expected = np.clip(world_points(target)[..., axis], low, high)
    np.testing.assert_allclose(resample(ramp(AXIAL, slope, 0.0), target), expected, atol=1e-4)


def test_onto_its_own_grid_an_image_is_copied() -> None:
    image = Volume(
        np.arange(24, dtype=np.int16).reshape(2, 3, 4), Geometry((2, 3, 4), (1.0, 2.0, 3.0), (0.0, 0.0, 0.0))
    )
    copy = resample(image, image.geometry)
    assert copy.dtype == np.float32
    assert np.array_equal(copy, image.array)
    copy[:] = 0
    assert image.array[1, 2, 3] == 23


def test_fine_detail_does_not_alias_on_a_coarser_grid() -> None:
    checkers = Volume((np.indices((32, 32, 32)).sum(axis=0) % 2).astype(np.float32), grid((32, 32, 32)))
    # Every second voxel: without smoothing, all samples would show the same colour.
    target = Geometry((14, 14, 14), (2.0, 2.0, 2.0), tuple(checkers.geometry.lps_from_index((2, 2, 2)).tolist()))
    assert resample(checkers, target) == pytest.approx(0.5, abs=0.01)


def test_smoothing_for_a_coarser_grid_keeps_the_mean_and_takes_the_noise() -> None:
    noise = np.random.default_rng(0).normal(100.0, 10.0, (48, 48, 48)).astype(np.float32)
    coarse = resample(Volume(noise, grid((48, 48, 48))), grid((12, 12, 12), (4.0, 4.0, 4.0)))
    assert coarse.mean() == pytest.approx(noise.mean(), abs=0.3)
    # A Gaussian of sigma voxels keeps 1 / (2 sqrt(pi) sigma) of the noise along an axis, less what interpolation takes.
    sigma = np.sqrt(15) / 2.355
    assert coarse.std() == pytest.approx(10.0 * (2 * np.sqrt(np.pi) * sigma) ** -1.5, rel=0.15)


@pytest.mark.parametrize("axes", [np.eye(3), SAGITTAL_AXES, CORONAL_AXES], ids=["axial", "sagittal", "coronal"])
def test_smoothing_follows_the_patients_axes_and_not_the_arrays(axes: FloatArray) -> None:
    # One bright plane across LPS z; the grid is coarse along x and y, however its own axes are ordered.
    lines = np.zeros((9, 32, 32), np.float32)
    lines[4] = 1.0
    spacing = np.array([4.0, 4.0, 1.0]) @ np.abs(axes)
    shape = np.array([8, 8, 9]) @ np.abs(axes).astype(int)
    target = grid(tuple(shape[::-1].tolist()), tuple(spacing.tolist()), axes)
    expected = np.abs(world_points(target)[..., 2]) < 0.5
    assert resample(Volume(lines, grid((9, 32, 32))), target) == pytest.approx(expected.astype(float), abs=1e-5)


CENTRE = (4.3, -6.1, 8.9)


@pytest.mark.parametrize(
    ("geometry", "sigma_mm"),
    [
        (grid((40, 44, 48), (1.0, 1.0, 1.0), turned(20, -15, 40), CENTRE), 4.0),
        (grid((40, 44, 48), (1.0, 1.0, 1.0), np.diag([-1.0, -1, 1]), (5.0, -7.0, 9.0)), 4.0),
        (grid((16, 100, 104), (0.5, 0.5, 5.0), turned(5, 0, 10), (5.0, -7.0, 9.0)), 6.0),
        (grid((100, 16, 104), (0.5, 5.0, 0.5), None, (5.0, -7.0, 9.0)), 6.0),
    ],
    ids=["oblique", "flipped", "thick slices", "thick coronal slices"],
)
@pytest.mark.parametrize("dimensions", [2, 3])
def test_a_blob_returns_from_the_models_grid_to_its_place(geometry: Geometry, sigma_mm: float, dimensions: int) -> None:
    image = blob(geometry, CENTRE, sigma_mm)
    there = model_grid(geometry, 0.8, dimensions)
    back = restore(resample(image, there), there, geometry)
    expected = geometry.index_from_lps(centroid_lps_mm(image))
    assert geometry.index_from_lps(centroid_lps_mm(image.with_array(back))) == pytest.approx(expected, abs=0.05)
    assert back.max() == pytest.approx(1.0, abs=0.1)


def test_onto_the_same_grid_a_likelihood_is_restored_as_it_is() -> None:
    values = np.random.default_rng(0).normal(size=AXIAL.shape_zyx).astype(np.float32)
    assert np.array_equal(restore(values, AXIAL, AXIAL), values)


@pytest.mark.parametrize("axes", ORIENTATIONS, ids=lambda axes: str(axes.astype(int).tolist()))
def test_a_model_sees_the_same_patient_whatever_way_the_image_is_stored(axes: FloatArray) -> None:
    # A block of 24 x 30 x 36 mm in a slightly turned patient, stored along any of its axes.
    patient = turned(8, -5, 12)
    sides = np.array([24.0, 30.0, 36.0]) @ np.abs(axes)
    spacing = np.array([1.0, 1.5, 2.0]) @ np.abs(axes)
    shape_xyz = np.round(sides / spacing).astype(int)
    stored = grid(tuple(shape_xyz[::-1].tolist()), tuple(spacing.tolist()), patient @ axes, (5.0, -7.0, 9.0))
    there = model_grid(stored, 1.0, 3)
    assert there.matches(grid((36, 30, 24), (1.0, 1.0, 1.0), patient, (5.0, -7.0, 9.0)), TOLERANCE_MM)
    assert block_corners(there) == pytest.approx(block_corners(stored), abs=1e-5)
    inner = (slice(3, -3),) * 3
    assert resample(ramp(stored), there)[inner] == pytest.approx(ramp(there).array[inner], abs=1e-3)


@pytest.mark.parametrize(
    ("axes", "slice_direction"),
    [(np.eye(3), (0, 0, 1)), (SAGITTAL_AXES, (1, 0, 0)), (CORONAL_AXES, (0, 1, 0))],
    ids=["axial", "sagittal", "coronal"],
)
def test_a_two_dimensional_model_works_in_the_acquisition_plane(axes: FloatArray, slice_direction: Triple) -> None:
    stored = grid((7, 20, 30), (0.5, 0.7, 4.0), axes, (5.0, -7.0, 9.0))
    there = model_grid(stored, 0.5, 2)
    assert there.axes[:, 2] == pytest.approx(slice_direction)
    assert there.spacing_zyx_mm == (4.0, 0.5, 0.5)
    assert there.shape_zyx[0] == 7
    assert sorted(there.shape_zyx[1:]) == [28, 30]
    # The slices are the image's own.
    normal = np.array(slice_direction)
    planes = [np.unique(np.round(world_points(g) @ normal, 4)) for g in (stored, there)]
    assert planes[0] == pytest.approx(planes[1])


@pytest.mark.parametrize(("thickness", "across"), [(1.0, 2), (1.009, 2), (1.02, 0), (0.8, 2)])
def test_where_no_slice_axis_stands_out_slices_are_axial(thickness: float, across: int) -> None:
    # Stored sagittally, array axis z running to the left.
    there = model_grid(grid((7, 20, 30), (1.0, 1.0, thickness), SAGITTAL_AXES), 1.0, 2)
    assert np.argmax(np.abs(there.axes[:, 2])) == across


@pytest.mark.parametrize("thickness", [0.5, 1.0, 5.0])
@pytest.mark.parametrize("axes", [np.eye(3), SAGITTAL_AXES, CORONAL_AXES], ids=["axial", "sagittal", "coronal"])
def test_a_single_slice_is_the_acquisition_plane_however_thin(axes: FloatArray, thickness: float) -> None:
    there = model_grid(grid((1, 20, 30), (2.0, 2.0, thickness), axes), 1.0, 2)
    assert there.shape_zyx[0] == 1
    assert sorted(there.shape_zyx[1:]) == [40, 60]
    assert np.abs(there.axes[:, 2]) == pytest.approx(np.abs(axes[:, 2]))


@pytest.mark.parametrize(
    ("spacings", "expected"),
    [
        ([(0.7, 0.7, 5.0)], 0.7),
        ([(5.0, 0.8, 0.6)], 0.7),
        ([(0.3, 0.3, 1.0)], 0.5),
        ([(2.0, 2.0, 2.0)], 1.0),
        ([(0.6, 0.6, 1.0), (0.8, 0.8, 1.0), (0.9, 0.9, 1.0)], 0.8),
    ],
)
def test_the_default_spacing_is_the_median_in_plane_one_within_limits(spacings: list[Triple], expected: float) -> None:
    assert default_spacing_mm([grid((4, 4, 4), spacing) for spacing in spacings]) == pytest.approx(expected)


def random_mask(geometry: Geometry) -> Volume:
    return Volume((np.random.default_rng(0).random(geometry.shape_zyx) < 0.4).astype(np.int16) * 7, geometry, "mask")


def test_a_mask_on_a_finer_grid_keeps_its_voxels() -> None:
    mask = random_mask(grid((5, 6, 7), (2.0, 2.0, 4.0), turned(20, -15, 40)))
    finer = resample_mask(mask, mask.geometry.respaced((2.0, 1.0, 1.0)))
    assert np.array_equal(finer, (mask.array != 0).repeat(2, 0).repeat(2, 1).repeat(2, 2))


def test_a_mask_stored_the_other_way_round_stays_in_place() -> None:
    mask = random_mask(AXIAL)
    flipped = AXIAL.reordered((1, 0, 2), (True, False, True))
    assert np.array_equal(resample_mask(mask, flipped), (mask.array != 0).transpose(0, 2, 1)[::-1, :, ::-1])


def test_every_non_zero_value_is_inside_a_mask() -> None:
    array = np.array([[[0, 1, -3, 200]]], np.int16)
    mask = Volume(array, Geometry((1, 1, 4), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)))
    assert resample_mask(mask, mask.geometry).tolist() == [[[False, True, True, True]]]


def test_beyond_a_masks_volume_nothing_is_inside() -> None:
    full = Volume(np.ones((4, 4, 4), np.uint8), grid((4, 4, 4)))
    wider = resample_mask(full, grid((8, 8, 8)))
    assert np.array_equal(wider, np.pad(np.ones((4, 4, 4), bool), 2))


@pytest.mark.parametrize(("shift", "share"), [(0.0, 1.0), (5.0, 0.75), (10.0, 0.5), (-15.0, 0.25), (20.0, 0.0)])
def test_overlap_is_the_share_of_the_reference_that_is_covered(shift: float, share: float) -> None:
    reference = grid((20, 20, 20))
    assert overlap_fraction(grid((20, 20, 20), centre_lps_mm=(shift, 0.0, 0.0)), reference) == pytest.approx(share)


def test_overlap_is_counted_in_the_patient_and_not_by_array_shape() -> None:
    reference = grid((20, 20, 20), (1.0, 1.0, 1.0), turned(20, -15, 40))
    assert overlap_fraction(grid((60, 4, 90), (0.5, 10.0, 1.0), turned(0, 30, 5)), reference) == 1.0
    assert overlap_fraction(grid((10, 10, 10), (1.0, 1.0, 1.0), turned(20, -15, 40)), reference) == pytest.approx(1 / 8)


def test_images_that_share_no_tissue_are_refused() -> None:
    first, apart = ramp(AXIAL), ramp(grid((8, 8, 8), centre_lps_mm=(100.0, 0.0, 0.0)))
    assert check_overlap(first, first) == 1.0
    with pytest.raises(GeometryError, match="'ramp' does not overlap 'ramp' in space"):
        check_overlap(apart, first)
