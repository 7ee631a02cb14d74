"""What is written is read back voxel by voxel and place by place, and what is not a whole image is refused."""

import gzip
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtann.errors import GeometryError, ImageError, OutputError
from mtann.geometry import TOLERANCE_MM, Geometry
from mtann.volume import Volume
from mtann.volume_io import from_sitk, hash_file, read_volume, to_sitk, write_volume
from unit.grids import geometries, grid, turned

FORMATS = [".nii", ".nii.gz", ".nrrd", ".mha", ".mhd"]
SFORM_CODE, SFORM = 254, 280
"""Where a NIfTI-1 header holds the code and the rows of the sform."""


def noise(geometry: Geometry, dtype: str = "float32") -> Volume:
    values = np.random.default_rng(0).normal(0, 50, geometry.shape_zyx)
    return Volume(values.astype(dtype), geometry)


OBLIQUE = grid((12, 13, 14), (0.5, 0.7, 3.3), turned(25, -10, 40) @ np.diag([-1.0, 1, 1]), (-120.5, 33.3, 410.7))


@pytest.fixture
def nifti(tmp_path: Path) -> Path:
    path = tmp_path / "scan.nii"
    write_volume(noise(grid((5, 6, 7), (1.0, 2.0, 3.0))), path)
    return path


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
@pytest.mark.parametrize("ending", FORMATS)
def test_an_oblique_volume_survives_a_round_trip(tmp_path: Path, ending: str, dtype: str) -> None:
    volume = noise(OBLIQUE, dtype)
    path = tmp_path / f"scan{ending}"
    write_volume(volume, path)
    again = read_volume(path)
    assert again.array.dtype == volume.array.dtype
    assert np.array_equal(again.array, volume.array)
    assert again.geometry.matches(OBLIQUE, TOLERANCE_MM)
    assert (again.name, again.sha256) == (path.name, hash_file(path))


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha"])
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(geometry=geometries())
def test_any_grid_survives_a_round_trip(tmp_path: Path, ending: str, geometry: Geometry) -> None:
    path = tmp_path / f"scan{ending}"
    write_volume(noise(geometry), path)
    again = read_volume(path)
    assert np.array_equal(again.array, noise(geometry).array)
    assert again.geometry.matches(geometry, TOLERANCE_MM)


@given(geometry=geometries())
def test_a_volume_survives_the_way_through_simpleitk(geometry: Geometry) -> None:
    again = from_sitk(to_sitk(noise(geometry)), "again")
    assert np.array_equal(again.array, noise(geometry).array)
    assert again.geometry.matches(geometry, 1e-9)


def test_a_mask_is_written_as_bytes(tmp_path: Path) -> None:
    inside = noise(OBLIQUE).array > 0
    write_volume(Volume(inside, OBLIQUE), tmp_path / "mask.nii.gz")
    again = read_volume(tmp_path / "mask.nii.gz").array
    assert again.dtype == np.uint8
    assert np.array_equal(again, inside)


def test_a_picture_is_one_slice_of_a_millimetre(tmp_path: Path) -> None:
    # PNG keeps the pixel size as whole pixels a metre, which 0.25 and 0.5 mm are.
    volume = noise(Geometry((1, 6, 7), (0.5, 0.25, 1.0), (0.0, 0.0, 0.0)), "uint8")
    write_volume(volume, tmp_path / "picture.png")
    again = read_volume(tmp_path / "picture.png")
    assert np.array_equal(again.array, volume.array)
    assert again.geometry.matches(volume.geometry, TOLERANCE_MM)


def test_a_two_dimensional_image_keeps_its_direction(tmp_path: Path) -> None:
    flat = sitk.GetImageFromArray(np.arange(6, dtype=np.int16).reshape(2, 3))
    flat.SetSpacing((0.5, 2.0))
    flat.SetOrigin((10.0, -5.0))
    flat.SetDirection((0.0, -1.0, 1.0, 0.0))
    sitk.WriteImage(flat, str(tmp_path / "flat.nrrd"))
    again = read_volume(tmp_path / "flat.nrrd")
    assert again.array.tolist() == [[[0, 1, 2], [3, 4, 5]]]
    # Pixel (row 1, column 2): two columns of 0.5 mm along +y, one row of 2 mm along -x.
    assert again.geometry.lps_from_index((0, 1, 2)) == pytest.approx((10 - 2, -5 + 1, 0))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="There is no image at"):
        read_volume(tmp_path / "nothing.nii.gz")


@pytest.mark.parametrize("ending", [".nii.gz", ".nii", ".nrrd", ".mha", ".png", ".txt"])
@pytest.mark.parametrize("text", ["", "no image", "no image, but longer than a header\n" * 40], ids=["0", "8", "1400"])
def test_a_text_file_is_refused_whatever_its_name(tmp_path: Path, ending: str, text: str) -> None:
    path = tmp_path / f"notes{ending}"
    path.write_text(text)
    with pytest.raises(ImageError, match=f"'notes{ending}' (cannot be read|is not)"):
        read_volume(path)


def test_a_compressed_text_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.nii.gz"
    path.write_bytes(gzip.compress(b"no image, but longer than a header\n" * 40))
    with pytest.raises(ImageError, match="is not a NIfTI file although its name says so"):
        read_volume(path)


@pytest.mark.parametrize("kept", [0.3, 0.9, 0.99])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_a_truncated_file_is_refused(tmp_path: Path, ending: str, kept: float) -> None:
    path = tmp_path / f"scan{ending}"
    write_volume(noise(OBLIQUE), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(ImageError, match=f"'scan{ending}' (is truncated|is not a complete|cannot be read)"):
        read_volume(path)


def test_a_nifti_file_that_lacks_one_byte_says_so(nifti: Path) -> None:
    content = nifti.read_bytes()
    nifti.write_bytes(content[:-1])
    with pytest.raises(ImageError, match=f"truncated: {len(content) - 1} bytes of {len(content)}"):
        read_volume(nifti)


def test_several_time_points_are_refused(tmp_path: Path) -> None:
    frames = sitk.JoinSeries([to_sitk(noise(OBLIQUE))] * 3)
    for name in ("four.nii.gz", "four.nrrd"):
        sitk.WriteImage(frames, str(tmp_path / name))
        with pytest.raises(ImageError, match=r"has 4 dimensions \(14, 13, 12, 3\)"):
            read_volume(tmp_path / name)


@pytest.mark.parametrize("name", ["colour.png", "colour.nii.gz", "colour.nrrd", "colour.mha"])
def test_colour_is_refused(tmp_path: Path, name: str) -> None:
    shape = (6, 7, 3) if name.endswith("png") else (5, 6, 7, 3)
    colours = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    sitk.WriteImage(sitk.GetImageFromArray(colours, isVector=True), str(tmp_path / name))
    with pytest.raises(ImageError, match=f"'{name}' has 3 values a voxel"):
        read_volume(tmp_path / name)


def with_sform(path: Path, qform_code: int, sform_code: int, rows: list[float]) -> None:
    header = bytearray(path.read_bytes())
    struct.pack_into("<2h", header, SFORM_CODE - 2, qform_code, sform_code)
    struct.pack_into("<12f", header, SFORM, *rows)
    path.write_bytes(header)


SHEARED = [1, 0.3, 0, 0, 0, 2, 0, 0, 0, 0, 3, 0]


def test_a_sheared_sform_is_refused(nifti: Path) -> None:
    with_sform(nifti, 0, 1, SHEARED)
    with pytest.raises(GeometryError, match=r"'scan.nii' has image axes that are not at right angles"):
        read_volume(nifti)


@pytest.mark.parametrize(("sform_code", "rows"), [(0, [0.0] * 12), (4, SHEARED)], ids=["unused", "sheared"])
def test_beside_a_qform_an_unusable_sform_is_passed_over(nifti: Path, sform_code: int, rows: list[float]) -> None:
    # As ITK and Slicer do: the scanner's own place is kept where the second place, often an atlas's, is no rigid one.
    before = read_volume(nifti).geometry
    with_sform(nifti, 1, sform_code, rows)
    assert read_volume(nifti).geometry.matches(before)


def test_nifti_2_is_refused_by_name(tmp_path: Path) -> None:
    header = bytearray(544)
    struct.pack_into("<i8s", header, 0, 540, b"n+2\0\r\n\x1a\n")
    struct.pack_into("<2h8q", header, 12, 16, 32, 3, 7, 6, 5, 1, 1, 1, 1)
    struct.pack_into("<q", header, 168, 544)
    (tmp_path / "two.nii").write_bytes(bytes(header) + bytes(7 * 6 * 5 * 4))
    with pytest.raises(ImageError, match="'two.nii' is a NIfTI-2 file.*NIfTI-1"):
        read_volume(tmp_path / "two.nii")


def test_a_header_that_puts_the_voxels_nowhere_is_refused(nifti: Path) -> None:
    header = bytearray(nifti.read_bytes())
    struct.pack_into("<f", header, 108, float("nan"))
    nifti.write_bytes(header)
    with pytest.raises(ImageError, match="'scan.nii' is not a NIfTI file"):
        read_volume(nifti)


@pytest.mark.parametrize("offset", [1e4, 1e12, 1.6e19])
def test_a_header_that_puts_the_voxels_behind_the_end_is_refused(nifti: Path, offset: float) -> None:
    header = bytearray(nifti.read_bytes())
    struct.pack_into("<f", header, 108, offset)
    nifti.write_bytes(header)
    with pytest.raises(ImageError, match=r"'scan.nii' is truncated"):
        read_volume(nifti)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 351), byte=st.integers(0, 255))
def test_a_damaged_header_byte_never_reaches_the_user_as_a_crash(nifti: Path, place: int, byte: int) -> None:
    header = bytearray(nifti.read_bytes())
    header[place] = byte
    damaged = nifti.with_name("damaged.nii")
    damaged.write_bytes(header)
    try:
        assert read_volume(damaged).array.ndim == 3
    except (ImageError, GeometryError) as error:
        assert "damaged.nii" in str(error)


@pytest.mark.parametrize("name", ["missing_folder/scan.nii.gz", "scan.unknown"])
def test_a_place_that_cannot_be_written_to_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match="could not be written"):
        write_volume(noise(OBLIQUE), tmp_path / name)


def test_voxels_lost_in_writing_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A writer that reports success but wrote zeros at the end, as a full disk leaves behind.
    def write_all_but_the_end(image: sitk.Image, path: str, **_: object) -> None:
        array = sitk.GetArrayFromImage(image)
        array[-1] = 0
        partial = sitk.GetImageFromArray(array)
        partial.CopyInformation(image)
        sitk.ImageFileWriter().Execute(partial, path, True, -1)

    monkeypatch.setattr(sitk, "WriteImage", write_all_but_the_end)
    with pytest.raises(OutputError, match="incompletely: the disk may be full"):
        write_volume(noise(OBLIQUE), tmp_path / "scan.nii.gz")


WRITE_WITH_LITTLE_ROOM = """
import resource, sys
import numpy as np
from mtann.errors import OutputError
from mtann.geometry import Geometry
from mtann.volume import Volume
from mtann.volume_io import write_volume
array = np.random.default_rng(0).normal(size=(40, 40, 40)).astype(np.float32)
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
for path in sys.argv[1:]:
    try:
        write_volume(Volume(array, Geometry(array.shape, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))), path)
        print("written")
    except OutputError:
        print("refused")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are a POSIX facility")
def test_a_file_that_finds_no_room_is_refused(tmp_path: Path) -> None:
    paths = [str(tmp_path / f"scan{ending}") for ending in FORMATS]
    # A process of its own: the limit cannot be lifted again.
    done = subprocess.run(
        [sys.executable, "-c", WRITE_WITH_LITTLE_ROOM, *paths],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(Path(__file__).resolve().parents[2] / "MTANNDetect")},
    )
    assert done.stdout.split() == ["refused"] * len(FORMATS), done.stderr
