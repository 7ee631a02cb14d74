"""Outlined lesions are separated, measured and cropped rightly; points become lesions where they were marked."""

from pathlib import Path

import numpy as np
import pytest

from mtann.errors import CasesError, ImageError
from mtann.geometry import Geometry, Triple
from mtann.sampling.lesions import lesions_from_label_map, lesions_from_points, read_lesions
from mtann.volume import Volume
from mtann.volume_io import write_volume
from unit.grids import grid, turned, world_points

UNIT = Geometry((6, 7, 8), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))


def label_map(*voxels: tuple[tuple[int, int, int], float], dtype: str = "uint8", geometry: Geometry = UNIT) -> Volume:
    """Single voxels (z, y, x), each with a value."""
    array = np.zeros(geometry.shape_zyx, dtype)
    for index, value in voxels:
        array[index] = value
    return Volume(array, geometry, "labels.nii.gz")


def centres(label_map: Volume, *args: object, **kwargs: object) -> list[list[float]]:
    return sorted(list(lesion.centre_lps_mm) for lesion in lesions_from_label_map(label_map, *args, **kwargs))


def spheres(geometry: Geometry, *places: tuple[Triple, float]) -> Volume:
    """Spheres of the same value in world space."""
    points = world_points(geometry)
    inside = [np.linalg.norm(points - centre, axis=-1) <= radius for centre, radius in places]
    return Volume(np.any(inside, axis=0).astype(np.int16), geometry, "labels.nii.gz")


@pytest.mark.parametrize("neighbour", [(2, 3, 3), (2, 3, 4), (3, 4, 4), (1, 2, 3), (1, 4, 4), (2, 2, 4)])
def test_voxels_that_touch_by_face_edge_or_corner_are_one_lesion(neighbour: tuple[int, int, int]) -> None:
    (lesion,) = lesions_from_label_map(label_map(((2, 3, 3), 1), (neighbour, 1)))
    middle = (np.array((2, 3, 3)) + neighbour) / 2
    assert lesion.centre_lps_mm == pytest.approx(tuple(middle[::-1]))


def test_voxels_with_one_between_them_are_two_lesions() -> None:
    assert centres(label_map(((1, 1, 1), 1), ((1, 1, 3), 1))) == [[1, 1, 1], [3, 1, 1]]


def test_touching_voxels_of_different_values_are_one_lesion_unless_instances_are_kept() -> None:
    touching = label_map(((1, 1, 1), 2), ((1, 1, 2), 5))
    assert centres(touching) == [[1.5, 1, 1]]
    assert centres(touching, keep_instances=True) == [[1, 1, 1], [2, 1, 1]]


def test_a_value_in_two_places_is_one_lesion_where_instances_are_kept() -> None:
    apart = label_map(((1, 1, 1), 3), ((1, 1, 5), 3))
    assert centres(apart, keep_instances=True) == [[3, 1, 1]]
    assert centres(apart) == [[1, 1, 1], [5, 1, 1]]


@pytest.mark.parametrize("dtype", ["int16", "int64", "float32"])
def test_negative_and_huge_values_are_instances_too(dtype: str) -> None:
    values = label_map(((1, 1, 1), -4), ((1, 1, 5), 30000 if dtype == "int16" else 2**31), dtype=dtype)
    assert centres(values, keep_instances=True) == [[1, 1, 1], [5, 1, 1]]


def test_only_the_wanted_values_are_lesions() -> None:
    mixed = label_map(((1, 1, 1), 1), ((1, 1, 3), 2), ((1, 1, 5), 3))
    assert centres(mixed, (1, 3)) == [[1, 1, 1], [5, 1, 1]]
    assert centres(mixed, (2,), keep_instances=True) == [[3, 1, 1]]
    assert centres(mixed, (9,)) == []
    assert centres(mixed, ()) == [[1, 1, 1], [3, 1, 1], [5, 1, 1]]


def test_a_value_between_two_wanted_ones_does_not_join_them() -> None:
    assert centres(label_map(((1, 1, 1), 1), ((1, 1, 2), 2), ((1, 1, 3), 1)), (1,)) == [[1, 1, 1], [3, 1, 1]]


@pytest.mark.parametrize("dtype", ["bool", "uint8", "float64"])
def test_an_empty_map_has_no_lesions(dtype: str) -> None:
    for keep in (False, True):
        assert lesions_from_label_map(label_map(dtype=dtype), keep_instances=keep) == ()


@pytest.mark.parametrize(
    "geometry",
    [
        grid((40, 44, 48), (0.7, 0.7, 0.7), turned(20, 10, -30), (30.0, -40.0, 12.0)),
        grid((12, 60, 64), (0.5, 0.5, 2.5), np.diag([-1.0, -1, 1]), (30.0, -40.0, 12.0)),
    ],
    ids=["oblique", "flipped, anisotropic"],
)
def test_spheres_are_measured_at_their_place_and_size(geometry: Geometry) -> None:
    places = [((24.0, -38.0, 10.0), 5.0), ((36.0, -42.0, 14.0), 4.0)]
    found = sorted(lesions_from_label_map(spheres(geometry, *places)), key=lambda lesion: lesion.centre_lps_mm)
    assert len(found) == 2
    for lesion, (centre, radius) in zip(found, places, strict=True):
        assert lesion.centre_lps_mm == pytest.approx(centre, abs=0.1 * max(geometry.spacing_xyz_mm))
        assert lesion.radius_mm == pytest.approx(radius, rel=0.03)


def test_radius_is_that_of_the_sphere_of_equal_volume() -> None:
    box = Volume(np.ones((2, 3, 4), np.uint8), Geometry((2, 3, 4), (0.5, 1.0, 3.0), (0.0, 0.0, 0.0)))
    (lesion,) = lesions_from_label_map(box)
    assert 4 / 3 * np.pi * lesion.radius_mm**3 == pytest.approx(24 * 1.5)
    assert lesion.centre_lps_mm == pytest.approx((0.75, 1.0, 1.5))


def test_the_outline_is_cropped_with_a_margin_in_its_place() -> None:
    geometry = grid((6, 7, 8), (1.0, 2.0, 3.0), turned(20, 10, -30))
    # A second lesion within the first one's box: it must not get into the outline.
    voxels = [((2, 3, 3), 1), ((2, 3, 5), 1), ((2, 3, 4), 2), ((0, 6, 7), 3)]
    first, second, third = lesions_from_label_map(label_map(*voxels, geometry=geometry), keep_instances=True)
    assert first.outline.array.shape == (3, 3, 5)
    assert np.argwhere(first.outline.array).tolist() == [[1, 1, 1], [1, 1, 3]]
    assert np.argwhere(second.outline.array).tolist() == [[1, 1, 1]]
    assert first.outline.geometry.lps_from_index((1, 1, 1)) == pytest.approx(geometry.lps_from_index((2, 3, 3)))
    # At the border there is no room for a margin.
    assert third.outline.array.shape == (2, 2, 2)
    assert third.outline.geometry.lps_from_index((0, 1, 1)) == pytest.approx(geometry.lps_from_index((0, 6, 7)))


@pytest.mark.parametrize("value", [0.5, np.nan, 1.0001])
def test_a_map_with_fractions_is_no_label_map(value: float) -> None:
    with pytest.raises(CasesError, match=r"'labels.nii.gz' holds fractions"):
        lesions_from_label_map(label_map(((1, 1, 1), value), dtype="float32"))


def test_whole_numbers_stored_as_float_are_labels() -> None:
    assert centres(label_map(((1, 2, 3), 7.0), dtype="float32"), (7,)) == [[3, 2, 1]]


def test_points_become_lesions_with_their_radius() -> None:
    first, second = lesions_from_points([(1.0, 2.0, 3.0), (-4.0, 5.0, 6.0)], [4.5, None])
    assert (first.centre_lps_mm, first.radius_mm, first.outline) == ((1.0, 2.0, 3.0), 4.5, None)
    assert (second.centre_lps_mm, second.radius_mm) == ((-4.0, 5.0, 6.0), None)
    assert lesions_from_points([]) == ()
    assert lesions_from_points([(1.0, 2.0, 3.0)])[0].radius_mm is None


@pytest.mark.parametrize(
    ("point", "radius"),
    [((np.nan, 0, 0), None), ((0, np.inf, 0), 3.0), ((0, 0, 0), 0.0), ((0, 0, 0), -1.0), ((0, 0, 0), np.nan)],
)
def test_points_without_a_place_or_size_are_refused(point: Triple, radius: float | None) -> None:
    with pytest.raises(CasesError, match="Lesion point 2"):
        lesions_from_points([(1.0, 2.0, 3.0), point], [None, radius])


def test_the_file_name_says_how_lesions_are_read(tmp_path: Path) -> None:
    write_volume(label_map(((1, 1, 1), 2), ((1, 1, 2), 5)), tmp_path / "labels.nii.gz")
    assert len(read_lesions(tmp_path / "labels.nii.gz")) == 1
    assert len(read_lesions(tmp_path / "labels.nii.gz", keep_instances=True)) == 2
    (tmp_path / "Points.CSV").write_text("x_ras_mm,y_ras_mm,z_ras_mm,radius_mm\n1,2,3,4\n")
    (lesion,) = read_lesions(tmp_path / "Points.CSV")
    assert (lesion.centre_lps_mm, lesion.radius_mm) == ((-1.0, -2.0, 3.0), 4.0)
    with pytest.raises(ImageError, match="There is no image"):
        read_lesions(tmp_path / "nothing.nii.gz")
