"""A DICOM series is read as one whole block in its place, or refused with what is wrong with it."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from mtann.errors import GeometryError, ImageError
from mtann.geometry import TOLERANCE_MM, Geometry
from mtann.volume_io import read_volume
from unit.dicom_series import place, series_uid, write_series
from unit.grids import grid, turned

AXIAL = grid((6, 5, 4), (0.7, 1.3, 2.5), None, (-120.0, 33.0, 410.0))
OBLIQUE = grid((6, 5, 4), (0.7, 1.3, 2.5), turned(25, -10, 40), (-120.0, 33.0, 410.0))
SAGITTAL = grid((6, 5, 4), (0.7, 1.3, 2.5), np.array([[0, 0, -1], [1, 0, 0], [0, -1, 0]], dtype=float))
STORED = np.random.default_rng(0).integers(-1000, 1000, (6, 5, 4)).astype(np.int16)


def rewrite(path: Path, position: tuple[float, float, float], axes: np.ndarray | None = None) -> None:
    file = pydicom.dcmread(path)
    place(file, position, np.eye(3) if axes is None else axes)
    file.save_as(path)


@pytest.mark.parametrize("geometry", [AXIAL, OBLIQUE, SAGITTAL], ids=["axial", "oblique", "sagittal"])
def test_slices_are_stacked_by_their_place_whatever_their_names(tmp_path: Path, geometry: Geometry) -> None:
    write_series(tmp_path, STORED, geometry)
    volume = read_volume(tmp_path)
    assert volume.array.dtype == np.float32
    assert np.array_equal(volume.array, STORED)
    assert volume.geometry.matches(geometry, TOLERANCE_MM)


def test_slices_written_head_first_come_out_feet_first(tmp_path: Path) -> None:
    # The stack's third axis is always the normal of its rows and columns, so voxels turn round and stay in place.
    write_series(tmp_path, STORED, replace(AXIAL, direction=(1, 0, 0, 0, 1, 0, 0, 0, -1)))
    volume = read_volume(tmp_path)
    assert np.array_equal(volume.array, STORED[::-1])
    assert volume.geometry.lps_from_index((5, 0, 0)) == pytest.approx(AXIAL.origin_lps_mm)


@pytest.mark.parametrize("digits", [3, 4, 6])
def test_rounded_cosines_keep_the_axes_and_their_direction(tmp_path: Path, digits: int) -> None:
    write_series(tmp_path, STORED, OBLIQUE, digits=digits)
    volume = read_volume(tmp_path)
    assert np.array_equal(volume.array, STORED)
    assert volume.geometry.axes == pytest.approx(OBLIQUE.axes, abs=10**-digits)
    assert volume.geometry.origin_lps_mm == pytest.approx(OBLIQUE.origin_lps_mm, abs=1e-6)


def test_rows_and_columns_that_are_not_at_right_angles_are_refused(tmp_path: Path) -> None:
    skewed = turned(25, -10, 40) @ np.array([[1, 0.1, 0], [0, np.sqrt(0.99), 0], [0, 0, 1]])
    for path in write_series(tmp_path, STORED, AXIAL):
        rewrite(path, pydicom.dcmread(path).ImagePositionPatient, skewed)
    with pytest.raises(GeometryError, match="right angles"):
        read_volume(tmp_path)


def test_each_slices_own_rescale_slope_is_applied(tmp_path: Path) -> None:
    rescale = [(1.0 + 0.5 * z, -1024.0 + z) for z in range(6)]
    write_series(tmp_path, STORED, AXIAL, rescale=rescale)
    slope, intercept = np.array(rescale).T[..., None, None]
    assert read_volume(tmp_path).array == pytest.approx(STORED * slope + intercept)


def test_nothing_that_names_the_patient_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "Doe, Jane 1980-01-02"
    write_series(folder, STORED, AXIAL)
    volume = read_volume(folder)
    assert volume.name == "DICOM series"
    assert not {"doe", "jane", "1980", "2020"} & set(repr(volume).lower().replace("-", " ").split())


def test_the_hash_depends_on_the_pixels_and_not_on_file_names(tmp_path: Path) -> None:
    paths = write_series(tmp_path / "one", STORED, AXIAL)
    before = read_volume(tmp_path / "one").sha256
    paths[0].rename(tmp_path / "one" / "zzz.dcm")
    assert read_volume(tmp_path / "one").sha256 == before
    write_series(tmp_path / "two", STORED + 1, AXIAL)
    assert read_volume(tmp_path / "two").sha256 != before


@pytest.mark.parametrize(("removed", "after"), [(1, 1), (3, 3), (4, 4)])
def test_a_missing_slice_is_refused_with_its_place(tmp_path: Path, removed: int, after: int) -> None:
    write_series(tmp_path, STORED, AXIAL)[removed].unlink()
    with pytest.raises(
        GeometryError, match=rf"lacks 1 slice\(s\): the gap after slice {after} of 5 is 5.00 mm where 2.50"
    ):
        read_volume(tmp_path)


def test_several_missing_slices_are_counted(tmp_path: Path) -> None:
    many = grid((12, 5, 4), (0.7, 1.3, 2.5))
    paths = write_series(tmp_path, np.resize(STORED, (12, 5, 4)), many)
    for removed in (2, 6, 7):
        paths[removed].unlink()
    with pytest.raises(GeometryError, match=r"lacks 3 slice"):
        read_volume(tmp_path)


def test_a_doubled_slice_is_refused(tmp_path: Path) -> None:
    paths = write_series(tmp_path, STORED, AXIAL)
    again = pydicom.dcmread(paths[2])
    again.SOPInstanceUID = again.file_meta.MediaStorageSOPInstanceUID = f"{series_uid(1)}.99"
    again.save_as(tmp_path / "again.dcm")
    with pytest.raises(GeometryError, match="two slices at the same position"):
        read_volume(tmp_path)


@pytest.mark.parametrize(("shift", "even"), [(0.1, True), (0.13, False), (0.9, False), (-0.9, False)])
def test_uneven_spacing_is_refused_beyond_a_scanners_rounding(tmp_path: Path, shift: float, even: bool) -> None:
    # The tolerance is 5 % of the gap of 2.5 mm: 0.125 mm.
    paths = write_series(tmp_path, STORED, AXIAL)
    x, y, z = AXIAL.lps_from_index((5, 0, 0))
    rewrite(paths[5], (x, y, z + shift))
    if even:
        assert read_volume(tmp_path).geometry.spacing_xyz_mm[2] == pytest.approx(2.5 + shift / 5)
    else:
        with pytest.raises(GeometryError, match="unevenly spaced"):
            read_volume(tmp_path)


def test_small_differences_of_gaps_that_add_up_are_refused(tmp_path: Path) -> None:
    # Each gap is within 4 % of the median, but the middle slice is 0.5 mm from its place in an even stack.
    many = grid((21, 5, 4), (0.7, 1.3, 2.5))
    for z, path in enumerate(write_series(tmp_path, np.resize(STORED, (21, 5, 4)), many)):
        rewrite(path, (0.0, 0.0, z * 2.45 + max(0, z - 10) * 0.1))
    with pytest.raises(GeometryError, match="unevenly spaced: slices lie up to 0.50 mm"):
        read_volume(tmp_path)


@pytest.mark.parametrize("degrees", [-12.0, 0.3, 12.0, 30.0])
def test_a_tilted_gantry_is_refused_with_its_angle(tmp_path: Path, degrees: float) -> None:
    long = grid((21, 5, 4), (0.7, 1.3, 2.5))
    for z, path in enumerate(write_series(tmp_path, np.resize(STORED, (21, 5, 4)), long)):
        x, y, up = long.lps_from_index((z, 0, 0))
        rewrite(path, (x, y + 2.5 * z * np.tan(np.radians(degrees)), up))
    shift = 50 * np.tan(np.radians(abs(degrees)))
    with pytest.raises(GeometryError, match=rf"tilted gantry.*by up to {shift:.1f} mm \({abs(degrees):.1f} degrees\)"):
        read_volume(tmp_path)


@pytest.mark.parametrize("z", [0, 2, 5])
def test_a_single_slice_out_of_line_is_refused(tmp_path: Path, z: int) -> None:
    paths = write_series(tmp_path, STORED, AXIAL)
    place_x, place_y, place_z = AXIAL.lps_from_index((z, 0, 0))
    rewrite(paths[z], (place_x + 3.0, place_y, place_z))
    with pytest.raises(GeometryError, match="out of line: they shift sideways by up to 3.0 mm"):
        read_volume(tmp_path)


def test_mixed_orientation_is_refused(tmp_path: Path) -> None:
    paths = write_series(tmp_path, STORED, AXIAL)
    rewrite(paths[3], AXIAL.lps_from_index((3, 0, 0)), SAGITTAL.axes)
    with pytest.raises(GeometryError, match="mixes slices of different orientation"):
        read_volume(tmp_path)


def test_slices_of_different_size_are_refused(tmp_path: Path) -> None:
    paths = write_series(tmp_path, STORED, AXIAL)
    small = pydicom.dcmread(paths[3])
    small.Rows, small.PixelData = 4, small.PixelData[: 4 * 4 * 2]
    small.save_as(paths[3])
    with pytest.raises(GeometryError, match="mixes slices of different orientation, size"):
        read_volume(tmp_path)


def test_a_slice_without_a_place_is_refused(tmp_path: Path) -> None:
    path = write_series(tmp_path, STORED[:1], AXIAL.cropped((0, 0, 0), (1, 5, 4)))[0]
    file = pydicom.dcmread(path)
    del file.ImagePositionPatient
    file.save_as(path)
    with pytest.raises(GeometryError, match="does not say where its slice is"):
        read_volume(tmp_path)


def test_a_truncated_slice_is_refused(tmp_path: Path) -> None:
    path = write_series(tmp_path, STORED, AXIAL)[2]
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises((ImageError, GeometryError)):
        read_volume(tmp_path)


def test_two_series_are_listed_and_one_is_chosen_by_number_or_uid(tmp_path: Path) -> None:
    write_series(tmp_path, STORED, AXIAL, number=1)
    write_series(tmp_path, STORED[:4] + 1, AXIAL.cropped((0, 0, 0), (4, 5, 4)), number=2)
    listed = f"1: CT, series 11, 6 files, UID {series_uid(1)}; 2: CT, series 12, 4 files, UID {series_uid(2)}. Choose"
    with pytest.raises(ImageError, match="holds 2 series") as refusal:
        read_volume(tmp_path)
    assert listed in str(refusal.value)
    for choice in ("2", series_uid(2)):
        assert np.array_equal(read_volume(tmp_path, choice).array, STORED[:4] + 1)
    assert np.array_equal(read_volume(tmp_path, "1").array, STORED)


@pytest.mark.parametrize("choice", ["0", "3", "-1", "1.2.3", ""])
def test_a_choice_that_is_not_in_the_list_is_refused(tmp_path: Path, choice: str) -> None:
    write_series(tmp_path, STORED, AXIAL, number=1)
    write_series(tmp_path, STORED, AXIAL, number=2)
    with pytest.raises(ImageError, match=f"holds no series '{choice}'.*2: CT"):
        read_volume(tmp_path, choice)


def test_a_number_chooses_only_where_there_is_a_choice(tmp_path: Path) -> None:
    write_series(tmp_path, STORED, AXIAL)
    assert np.array_equal(read_volume(tmp_path, "2").array, STORED)
    with pytest.raises(ImageError, match="holds no series '1.2.3'"):
        read_volume(tmp_path, "1.2.3")


def test_a_folder_without_a_series_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="holds no DICOM series"):
        read_volume(tmp_path)
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(ImageError, match="holds no DICOM series"):
        read_volume(tmp_path)


@pytest.mark.parametrize(("thickness", "spacing"), [("2.5", 2.5), ("", 1.0)])
def test_a_single_slice_is_as_thick_as_it_says(tmp_path: Path, thickness: str, spacing: float) -> None:
    one = OBLIQUE.cropped((0, 0, 0), (1, 5, 4))
    write_series(tmp_path, STORED[:1], one, tags={"SliceThickness": thickness})
    volume = read_volume(tmp_path)
    assert np.array_equal(volume.array, STORED[:1])
    assert volume.geometry.spacing_xyz_mm == pytest.approx((0.7, 1.3, spacing))
    assert volume.geometry.lps_from_index((0, 4, 3)) == pytest.approx(one.lps_from_index((0, 4, 3)), abs=TOLERANCE_MM)


@pytest.mark.scans
def test_a_real_series_lies_where_its_nodule_was_outlined(scans: Path) -> None:
    case = scans / "lidc" / "LIDC-IDRI-0001"
    volume = read_volume(case / "dicom")
    assert volume.geometry.matches(read_volume(case / "nodule.nii.gz").geometry, TOLERANCE_MM)
    assert -3100 < volume.array.min() < -900  # air, in Hounsfield units


@pytest.mark.scans
def test_a_real_series_without_one_slice_is_refused(scans: Path, tmp_path: Path) -> None:
    paths = sorted((scans / "lidc" / "LIDC-IDRI-0001" / "dicom").glob("*.dcm"))
    for path in paths[:5] + paths[6:]:
        shutil.copy(path, tmp_path)
    with pytest.raises(GeometryError, match=r"lacks 1 slice"):
        read_volume(tmp_path)
