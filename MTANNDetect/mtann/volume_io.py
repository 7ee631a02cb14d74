"""Reading and writing images, through SimpleITK.

What cannot be read completely and placed in space with certainty is refused: a truncated file, several frames or colour
channels, a DICOM folder with a gap. Nothing here guesses.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from mtann.errors import GeometryError, ImageError, OutputError
from mtann.geometry import Geometry
from mtann.volume import Array, Volume
from mtann.volume_dicom import read_dicom_file, read_dicom_series
from mtann.volume_nifti import check_nifti

sitk.ProcessObject.SetGlobalWarningDisplay(False)

_CHUNK = 1 << 20
_READABLE = (
    "NIfTI (.nii, .nii.gz), NRRD (.nrrd), MetaImage (.mha, .mhd), a two-dimensional picture, "
    "a DICOM slice, or a folder with one DICOM series"
)
_ANALYZE = (".hdr", ".hdr.gz", ".img", ".img.gz", ".nia", ".nia.gz")


def read_volume(path: Path | str, series: str | None = None) -> Volume:
    """Read an image file, or a folder that holds a DICOM series.

    Args:
        path: NIfTI, NRRD, MetaImage or another file that ITK reads; a two-dimensional image becomes one slice of 1 mm,
            a DICOM file one slice as thick as it says.
        series: Series instance UID, or the number of the series as the error message lists it, where a folder holds
            several.

    Returns:
        The image with its stored voxel type, named by file name only, and not even so if it is DICOM.

    Raises:
        ImageError: The file is missing, damaged, or not a three-dimensional scalar image.
        GeometryError: Its grid cannot be represented: sheared axes, gantry tilt, missing or unevenly spaced slices.
    """
    path = Path(path)
    if path.is_dir():
        return read_dicom_series(path, series)
    if not path.exists():
        raise ImageError(f"There is no image at '{path}'. Check the path.")
    if path.name.lower().endswith((".nii", ".nii.gz")):
        check_nifti(path)
    elif path.name.lower().endswith(_ANALYZE):
        raise ImageError(
            f"'{path.name}' is of the Analyze or two-file NIfTI format, which cannot be checked for completeness. "
            "Save the image as .nii.gz."
        )
    elif _is_dicom(path):
        return read_dicom_file(path)
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        if "orthonormal" in str(error):
            raise GeometryError(
                f"'{path.name}' has image axes that are not at right angles. Resample it onto a rectangular grid first."
            ) from error
        raise ImageError(
            f"'{path.name}' cannot be read as an image: it is damaged or of an unknown type. Give {_READABLE}."
        ) from error
    _check_scalar(image, path)
    return _to_volume(image, path.name, hash_file(path))


def write_volume(volume: Volume, path: Path | str) -> None:
    """Write a volume and make sure that every voxel arrived.

    Raises:
        OutputError: The file could not be written completely, for example because the disk is full.
    """
    path = Path(path)
    image = to_sitk(volume)
    try:
        sitk.WriteImage(image, str(path), useCompression=True)
        written = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise OutputError(
            f"'{path.name}' could not be written to '{path.parent}'. Check free disk space and permissions."
        ) from error
    # Compressed NIfTI is written without a check for a full disk, so only reading it back tells. A picture comes back
    # without its slice axis.
    arrived, sent = sitk.GetArrayViewFromImage(written), sitk.GetArrayViewFromImage(image)
    if arrived.size != sent.size or not np.array_equal(arrived.reshape(sent.shape), sent):
        raise OutputError(
            f"'{path.name}' was written to '{path.parent}' incompletely: the disk may be full. "
            "Free space and run again."
        )


def to_sitk(volume: Volume) -> Any:
    """The volume as a SimpleITK image (a copy)."""
    array = volume.array
    if array.dtype == np.bool_:
        array = array.astype(np.uint8)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(volume.geometry.spacing_xyz_mm)
    image.SetOrigin(volume.geometry.origin_lps_mm)
    image.SetDirection(volume.geometry.direction)
    return image


def from_sitk(image: Any, name: str) -> Volume:
    """A three-dimensional scalar SimpleITK image as a volume (a copy)."""
    return _to_volume(image, name, "")


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_CHUNK):
            digest.update(block)
    return digest.hexdigest()


def _is_dicom(path: Path) -> bool:
    """Whether a file calls itself DICOM or, from before there was a way to do so, is one."""
    if path.name.lower().endswith((".dcm", ".dicom")):
        return True
    try:
        with path.open("rb") as file:
            if file.read(132)[128:] == b"DICM":
                return True
        return str(sitk.ImageFileReader.GetImageIOFromFileName(str(path))) == "GDCMImageIO"
    except (OSError, RuntimeError):
        return False


def _to_volume(image: Any, name: str, sha256: str) -> Volume:
    if image.GetDimension() == 2:
        image = sitk.JoinSeries(image)
    array: Array = sitk.GetArrayFromImage(image)
    z, y, x = array.shape
    spacing = tuple(map(float, image.GetSpacing()))
    origin = tuple(map(float, image.GetOrigin()))
    try:
        geometry = Geometry((z, y, x), spacing, origin, tuple(map(float, image.GetDirection())))  # type: ignore[arg-type]
    except GeometryError as error:
        raise GeometryError(f"'{name}': {error}") from error
    return Volume(array, geometry, name, sha256)


def _check_scalar(image: Any, path: Path) -> None:
    components = image.GetNumberOfComponentsPerPixel()
    if components != 1:
        raise ImageError(
            f"'{path.name}' has {components} values a voxel (colour or vector image); one is needed. "
            "Save one component, or convert the colour image to grey, and use that."
        )
    if image.GetDimension() not in (2, 3):
        raise ImageError(
            f"'{path.name}' has {image.GetDimension()} dimensions {image.GetSize()}; two or three are needed. "
            "Save the time point or frame that you mean as an image of its own."
        )
