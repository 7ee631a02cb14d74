"""What one DICOM file says about the slice in it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from mtann.errors import GeometryError, ImageError
from mtann.geometry import FloatArray

_POSITION, _ORIENTATION = "0020|0032", "0020|0037"
MODALITY, SERIES_NUMBER = "0008|0060", "0020|0011"
_SLICE_THICKNESS = "0018|0050"
_PIXEL_SPACING, _IMAGER_PIXEL_SPACING = "0028|0030", "0018|1164"
_RADIOGRAPHS = ("CR", "DX", "MG")
"""Modalities whose images have no place in the patient."""


@dataclass(frozen=True)
class Slice:
    """A slice's place and extent.

    Attributes:
        path: Its file.
        position_lps_mm: Centre of its first pixel.
        orientation: Directions of its rows and columns (6,).
        size: Pixels along x and y.
        spacing: Millimetres along x and y.
        stated_thickness: Its thickness as it stands in the file; it matters only where there is no other slice.
    """

    path: str
    position_lps_mm: FloatArray
    orientation: FloatArray
    size: tuple[int, ...]
    spacing: tuple[float, float]
    stated_thickness: str

    @property
    def thickness_mm(self) -> float:
        """The stated thickness; 1 mm where none is stated.

        Raises:
            GeometryError: It is not a positive number.
        """
        values = _numbers(self.stated_thickness or "1")
        if values.shape != (1,) or values[0] <= 0:
            raise GeometryError(
                f"The DICOM file '{Path(self.path).name}' states the slice thickness '{self.stated_thickness}'; a "
                "positive number is needed. Export it again, or save the image as NRRD with its true thickness."
            )
        return float(values[0])


def open_header(path: str) -> Any:
    """What stands before the pixels of a DICOM file.

    Raises:
        ImageError: It cannot be read.
    """
    reader = sitk.ImageFileReader()
    reader.SetFileName(path)
    reader.SetImageIO("GDCMImageIO")
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise ImageError(
            f"The DICOM file '{Path(path).name}' is damaged or holds no image. Export the series again."
        ) from error
    return reader


def tag(image: Any, key: str) -> str:
    """A tag's text; empty where it is missing."""
    return str(image.GetMetaData(key)).strip() if image.HasMetaDataKey(key) else ""


def read_slice(path: str) -> Slice:
    """Read where a slice is. A radiograph that does not say so lies at the origin.

    Raises:
        ImageError: The file cannot be read, or holds several frames or colours.
        GeometryError: It does not state its pixel spacing or, other than a radiograph, its place.
    """
    image = open_header(path)
    size = tuple(image.GetSize())
    name = Path(path).name
    if len(size) > 2 and size[2] > 1:
        raise ImageError(
            f"The DICOM file '{name}' holds {size[2]} frames; one slice a file is needed. Convert it to NIfTI first."
        )
    if image.GetNumberOfComponents() != 1:
        raise ImageError(f"The DICOM file '{name}' is a colour image; a grey one is needed. Choose another series.")
    place = tag(image, _POSITION), tag(image, _ORIENTATION)
    if tag(image, MODALITY) in _RADIOGRAPHS and not any(place):
        place = "0\\0\\0", "1\\0\\0\\0\\1\\0"
    position, orientation = map(_numbers, place)
    if position.shape != (3,) or orientation.shape != (6,):
        raise GeometryError(
            f"The DICOM file '{name}' does not say where its slice is (Image Position and Orientation). "
            "Choose another image, or save it as NRRD with its true place."
        )
    return Slice(path, position, orientation, size[:2], _pixel_spacing(image, name), tag(image, _SLICE_THICKNESS))


def _numbers(text: str) -> FloatArray:
    """The finite numbers that a tag lists; none if one of its values is not."""
    try:
        values = np.array([float(value) for value in text.split("\\")])
    except ValueError:
        return np.empty(0)
    return values if np.isfinite(values).all() else np.empty(0)


def _pixel_spacing(image: Any, name: str) -> tuple[float, float]:
    """Spacing along x and y, which DICOM states in the other order. ITK would take 1 mm where there is none."""
    spacing = _numbers(tag(image, _PIXEL_SPACING) or tag(image, _IMAGER_PIXEL_SPACING))
    if spacing.shape != (2,) or not (spacing > 0).all():
        raise GeometryError(
            f"The DICOM file '{name}' does not state its pixel spacing (Pixel Spacing or Imager Pixel Spacing). "
            "Choose another image, or save it as NRRD with its true spacing."
        )
    return float(spacing[1]), float(spacing[0])
