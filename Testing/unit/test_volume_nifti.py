"""A NIfTI file is taken only if each voxel that it promises is there and is a number."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from mtann.errors import ImageError
from mtann.volume_io import read_volume
from mtann.volume_nifti import check_nifti

HEADER = 352
CODES = {"u1": 2, "i2": 4, "f4": 16, "f8": 64}


def nifti(array: np.ndarray, order: str = "<", extension: bytes = b"") -> bytes:
    """The bytes of a NIfTI-1 file; an extension is what may stand between the header and the voxels."""
    kind = array.dtype.str[1:]
    header = bytearray(HEADER)
    struct.pack_into(order + "i", header, 0, 348)
    struct.pack_into(order + "8h", header, 40, 3, *array.shape[::-1], 1, 1, 1, 1)
    struct.pack_into(order + "2h", header, 70, CODES[kind], 8 * array.dtype.itemsize)
    struct.pack_into(order + "8f", header, 76, *[1.0] * 8)
    struct.pack_into(order + "f", header, 108, HEADER + len(extension))
    struct.pack_into(order + "f", header, 112, 1.0)
    header[344:348] = b"n+1\0"
    header[348] = bool(extension)
    return bytes(header) + extension + array.astype(array.dtype.newbyteorder(order)).tobytes()


def saved(folder: Path, content: bytes, name: str = "scan.nii") -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(content, 1) if name.endswith(".gz") else content)
    return path


@pytest.mark.parametrize("kind", CODES)
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz"])
def test_a_whole_file_of_either_byte_order_is_taken(tmp_path: Path, kind: str, order: str, name: str) -> None:
    array = np.arange(60).reshape(3, 4, 5).astype(kind)
    path = saved(tmp_path, nifti(array, order), name)
    check_nifti(path)
    assert np.array_equal(read_volume(path).array, array)


@pytest.mark.parametrize("kind", ["f4", "f8"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz"])
def test_voxels_that_are_no_numbers_are_counted_and_refused(tmp_path: Path, kind: str, order: str, name: str) -> None:
    # Long enough for several pieces of a mebibyte, with broken voxels in the first, the last and where two meet.
    array = np.zeros((9, 256, 256), kind)
    array.ravel()[[0, (1 << 20) // array.itemsize - 1, (1 << 20) // array.itemsize, -1]] = [
        np.nan,
        np.inf,
        -np.inf,
        np.nan,
    ]
    with pytest.raises(ImageError, match=f"'{name}' has 4 voxels that are not finite numbers"):
        check_nifti(saved(tmp_path, nifti(array, order), name))


def test_integers_with_the_bits_of_nan_are_numbers(tmp_path: Path) -> None:
    bits = np.frombuffer(np.full(30, np.nan, "<f4").tobytes(), "<i2").reshape(3, 4, 5)
    check_nifti(saved(tmp_path, nifti(bits)))


def test_what_stands_before_and_after_the_voxels_is_not_looked_at(tmp_path: Path) -> None:
    # An extension and padding that would be NaN if read as voxels.
    broken = np.full(8, np.nan, "<f4").tobytes()
    array = np.arange(60, dtype="f4").reshape(3, 4, 5)
    check_nifti(saved(tmp_path, nifti(array, extension=struct.pack("<2i", 40, 4) + broken) + broken))


@pytest.mark.parametrize("missing", [1, 4, 100, 240])
@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz"])
def test_missing_bytes_are_counted(tmp_path: Path, missing: int, name: str) -> None:
    whole = nifti(np.arange(60, dtype="f4").reshape(3, 4, 5))
    with pytest.raises(ImageError, match=f"truncated: {len(whole) - missing} bytes of {len(whole)}"):
        check_nifti(saved(tmp_path, whole[:-missing], name))


def test_bytes_missing_after_an_extension_are_counted(tmp_path: Path) -> None:
    whole = nifti(np.arange(60, dtype="f4").reshape(3, 4, 5), extension=bytes(64))
    with pytest.raises(ImageError, match=f"truncated: {len(whole) - 1} bytes of {len(whole)}"):
        check_nifti(saved(tmp_path, whole[:-1]))


@pytest.mark.parametrize("name", ["scan.hdr", "scan.img", "scan.img.gz", "scan.IMG", "scan.nia"])
def test_formats_that_escape_these_checks_are_refused(tmp_path: Path, name: str) -> None:
    array = np.ones((3, 4, 5), np.float32)
    array[1, 2, 3] = np.nan
    sitk.WriteImage(sitk.GetImageFromArray(array), str(tmp_path / name.lower()))
    (tmp_path / name.lower()).rename(tmp_path / name)
    with pytest.raises(ImageError, match=rf"'{name}' is of the Analyze .* Save the image as \.nii\.gz"):
        read_volume(tmp_path / name)


def test_nan_from_another_writer_is_refused_on_reading(tmp_path: Path) -> None:
    array = np.ones((3, 4, 5), np.float32)
    array[1, 2, 3] = np.nan
    sitk.WriteImage(sitk.GetImageFromArray(array), str(tmp_path / "scan.nii.gz"))
    with pytest.raises(ImageError, match="has 1 voxels that are not finite"):
        read_volume(tmp_path / "scan.nii.gz")
