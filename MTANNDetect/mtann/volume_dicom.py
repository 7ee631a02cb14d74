"""Reading a DICOM series, with proof that it is one whole, evenly spaced, untilted block.

Positions come from Image Position (Patient) alone; the slice order of the files and the slice thickness do not matter.
A missing slice leaves a gap and is refused. A missing first or last slice leaves none and cannot be detected for
certain: instance numbers need neither start at 1 nor follow each other.
Nothing that identifies a patient (names, ids, dates, folder names) is kept.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from mtann.errors import GeometryError, ImageError
from mtann.geometry import FloatArray, Geometry
from mtann.volume import Volume
from mtann.volume_dicom_slice import MODALITY, SERIES_NUMBER, Slice, open_header, read_slice, tag

_SPACING_TOLERANCE = 0.05
"""A gap between slices may differ from the median gap by this fraction of it (scanners round positions)."""
_COSINE_TOLERANCE = 1e-3
_ROUNDED_COSINES = 5e-3
"""Rows and columns may miss a right angle, and unit length, by this: cosines are at times stored to three decimals."""
_SIDEWAYS_TOLERANCE_MM = 0.1
"""How far a slice may lie beside the line through the first one, or, for long stacks, 0.1 % of their length."""


def read_dicom_series(folder: Path, series: str | None = None) -> Volume:
    """Read the series in a folder.

    Args:
        folder: Holds the files of at least one DICOM series.
        series: Series instance UID, or number (1, 2, ...) in the list of the error message, where the folder holds
            several.

    Returns:
        The image as float32 (rescale slope and intercept applied), named "DICOM series" and not by its folder, which
        may bear a patient's name. Its geometry is computed from the slice positions.

    Raises:
        ImageError: There is no series, several without a choice, or one that is not a stack of plain slices.
        GeometryError: Slices are missing, doubled, unevenly spaced or tilted.
    """
    reader = sitk.ImageSeriesReader()
    uids = list(reader.GetGDCMSeriesIDs(str(folder)))
    if not uids:
        raise ImageError(
            f"The folder '{folder}' holds no DICOM series. Give a folder that holds the files of one series, "
            "or an image file."
        )
    return _read_files(reader.GetGDCMSeriesFileNames(str(folder), _choose(reader, folder, uids, series)))


def read_dicom_file(path: Path) -> Volume:
    """Read a DICOM file that holds one slice or one radiograph, with the same checks as a series.

    Returns:
        One slice, named "DICOM series" and not by its file, which may bear a patient's name.

    Raises:
        ImageError: The file cannot be read, or holds several frames or colours.
        GeometryError: It does not state its pixel spacing or, other than a radiograph, its place.
    """
    return _read_files([str(path)])


def _read_files(files: Sequence[str]) -> Volume:
    geometry, ordered = _stack([read_slice(path) for path in files])
    reader = sitk.ImageSeriesReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileNames(ordered)
    reader.SetOutputPixelType(sitk.sitkFloat32)
    try:
        array = sitk.GetArrayFromImage(reader.Execute())
    except RuntimeError as error:
        raise ImageError(
            "The DICOM image cannot be decoded: a file is damaged or compressed in an unknown way. Export it again."
        ) from error
    digest = hashlib.sha256()
    for path in ordered:
        digest.update(Path(path).read_bytes())
    return Volume(array.reshape(geometry.shape_zyx), geometry, "DICOM series", digest.hexdigest())


def _choose(reader: Any, folder: Path, uids: list[str], series: str | None) -> str:
    # A number chooses where there is a choice; a mask's folder often holds one series beside an image's several.
    if len(uids) == 1 and (series is None or series.isdecimal()):
        return uids[0]
    if series is not None and series in uids:
        return series
    if series is not None and series.isdecimal() and 1 <= int(series) <= len(uids):
        return uids[int(series) - 1]
    rows = []
    for number, uid in enumerate(uids, start=1):
        names = reader.GetGDCMSeriesFileNames(str(folder), uid)
        image = open_header(names[0])
        rows.append(
            f"{number}: {tag(image, MODALITY) or 'unknown modality'}, series {tag(image, SERIES_NUMBER) or '?'}, "
            f"{len(names)} files, UID {uid}"
        )
    problem = (
        f"The DICOM folder holds {len(uids)} series"
        if series is None
        else f"The DICOM folder holds no series '{series}'"
    )
    raise ImageError(f"{problem}: {'; '.join(rows)}. Choose one with --series and its number or UID.")


def _stack(slices: list[Slice]) -> tuple[Geometry, list[str]]:
    """Order slices along their normal and compute the grid that they form."""
    first = slices[0]
    for other in slices:
        turned = np.abs(other.orientation - first.orientation).max() > _COSINE_TOLERANCE
        if turned or other.size != first.size or not np.allclose(other.spacing, first.spacing, rtol=1e-3):
            raise GeometryError(
                "The DICOM series mixes slices of different orientation, size or pixel spacing. "
                "Export one stack of slices alone."
            )
    axes = _axes(first.orientation)
    normal = axes[:, 2]
    ordered = sorted(slices, key=lambda item: float(item.position_lps_mm @ normal))
    positions = np.array([item.position_lps_mm for item in ordered])
    spacing_z = _slice_spacing(ordered, positions @ normal)
    _check_straight(positions - positions[0], normal)
    spacing_x, spacing_y = first.spacing
    x, y = first.size
    origin = positions[0]
    geometry = Geometry(
        (len(ordered), y, x),
        (float(spacing_x), float(spacing_y), spacing_z),
        (float(origin[0]), float(origin[1]), float(origin[2])),
        tuple(float(v) for v in axes.ravel()),
    )
    return geometry, [item.path for item in ordered]


def _axes(orientation: FloatArray) -> FloatArray:
    """Directions of rows, columns and slices as the columns of a matrix, at right angles."""
    row, column = orientation[:3], orientation[3:]
    axes: FloatArray = np.stack([row, column, np.cross(row, column)], axis=1)
    deviation = np.abs(axes.T @ axes - np.eye(3)).max()
    if deviation > _ROUNDED_COSINES:
        raise GeometryError(
            "The DICOM series states rows and columns that are not at right angles. "
            "Export it again, or choose another series."
        )
    if deviation <= _COSINE_TOLERANCE / 10:
        return axes
    # The nearest rotation; Gram-Schmidt and QR would favour the rows, and QR may turn axes round.
    left, _, right = np.linalg.svd(axes)
    return np.asarray(left @ right)


def _check_straight(offsets: FloatArray, normal: FloatArray) -> None:
    """Refuse slices that are not straight above the first one."""
    along = offsets @ normal
    sideways = np.linalg.norm(offsets - np.outer(along, normal), axis=1)
    at = int(sideways.argmax())
    if sideways[at] > max(_SIDEWAYS_TOLERANCE_MM, _COSINE_TOLERANCE * along[-1]):
        angle = np.degrees(np.arctan2(sideways[at], along[at]))
        raise GeometryError(
            f"The DICOM series was taken with a tilted gantry, or has slices out of line: they shift sideways by up to "
            f"{sideways[at]:.1f} mm ({angle:.1f} degrees). Correct the tilt first, for example by loading it in Slicer "
            "with tilt regularisation and saving it as NRRD after resampling."
        )


def _slice_spacing(ordered: list[Slice], along: FloatArray) -> float:
    """The common distance of the slices in millimetres."""
    if len(ordered) == 1:
        return ordered[0].thickness_mm
    gaps = np.diff(along)
    median = float(np.median(gaps))
    if gaps.min() < 0.01:
        raise GeometryError(
            "The DICOM series has two slices at the same position (several time points, echoes or phases?). "
            "Export one of them alone."
        )
    off = np.abs(gaps - median) > _SPACING_TOLERANCE * median
    if not off.any():
        _check_even(along)
        return float((along[-1] - along[0]) / (len(ordered) - 1))
    at = int(np.argmax(off))
    steps = gaps / median
    if (
        np.all(np.abs(steps - np.round(steps)) <= _SPACING_TOLERANCE * np.maximum(1, np.round(steps)))
        and steps.min() > 0.5
    ):
        missing = int(np.sum(np.round(steps) - 1))
        raise GeometryError(
            f"The DICOM series lacks {missing} slice(s): the gap after slice {at + 1} of {len(ordered)} is "
            f"{gaps[at]:.2f} mm where {median:.2f} mm is usual. "
            "Export the series again completely; a lesion could lie in the gap."
        )
    raise GeometryError(
        f"The DICOM series is unevenly spaced: gaps run from {gaps.min():.2f} to {gaps.max():.2f} mm. "
        "Resample it onto an even grid first, or choose another series."
    )


def _check_even(along: FloatArray) -> None:
    """Refuse small differences of the gaps that add up, so that slices leave their places on the even grid."""
    even = np.linspace(along[0], along[-1], len(along))
    furthest = float(np.abs(along - even).max())
    if furthest > 2 * _SPACING_TOLERANCE * (even[1] - even[0]):
        raise GeometryError(
            f"The DICOM series is unevenly spaced: slices lie up to {furthest:.2f} mm "
            "from their places in an even stack. Resample it onto an even grid first, or choose another series."
        )
