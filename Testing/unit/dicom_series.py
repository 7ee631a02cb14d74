"""Small made-up DICOM series, whole or damaged in one chosen way."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from mtann.geometry import FloatArray, Geometry

_ROOT = "1.2.826.0.1.3680043.8.498."


def write_series(
    folder: Path,
    stored: npt.NDArray[np.int16],
    geometry: Geometry,
    *,
    number: int = 1,
    rescale: list[tuple[float, float]] | None = None,
    digits: int = 10,
    tags: dict[str, object] | None = None,
) -> list[Path]:
    """Write one file a slice (z, y, x), named in an order that has nothing to do with their places.

    Args:
        folder: Is made if it is missing.
        stored: Pixel values as they stand in the files.
        geometry: Where the slices are; its third axis must be the first two's normal.
        number: Makes series and file names differ between series.
        rescale: Slope and intercept of each slice.
        digits: Decimals that the direction cosines are rounded to.
        tags: More tags of every slice, by keyword.

    Returns:
        The files in the order of the slices.
    """
    folder.mkdir(exist_ok=True)
    shuffled = np.random.default_rng(number).permutation(len(stored))
    paths = []
    for z, pixels in enumerate(stored):
        path = folder / f"{number}-{shuffled[z]:03}.dcm"
        file = _slice(pixels, geometry, geometry.lps_from_index((z, 0, 0)), number, int(shuffled[z]) + 1, digits)
        if rescale:
            file.RescaleSlope, file.RescaleIntercept = rescale[z]
        for keyword, value in (tags or {}).items():
            setattr(file, keyword, value)
        file.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def series_uid(number: int) -> str:
    return f"{_ROOT}{number}"


def _slice(
    pixels: npt.NDArray[np.int16], geometry: Geometry, position: FloatArray, number: int, instance: int, digits: int
) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = f"{series_uid(number)}.{instance}"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    file.SOPClassUID, file.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    file.StudyInstanceUID, file.SeriesInstanceUID = f"{_ROOT}900", series_uid(number)
    file.FrameOfReferenceUID = f"{_ROOT}901"
    file.PatientName, file.PatientID, file.StudyDate = "Doe^Jane", "jane-1", "20200102"
    file.Modality, file.SeriesNumber, file.InstanceNumber = "CT", 10 + number, instance
    file.Rows, file.Columns = pixels.shape
    file.SamplesPerPixel, file.PhotometricInterpretation = 1, "MONOCHROME2"
    file.BitsAllocated, file.BitsStored, file.HighBit, file.PixelRepresentation = 16, 16, 15, 1
    file.PixelData = np.ascontiguousarray(pixels).tobytes()
    x, y, z = geometry.spacing_xyz_mm
    # DICOM states the distance of rows first, which is along y.
    file.PixelSpacing, file.SliceThickness = [_short(y), _short(x)], _short(z)
    place(file, position, np.round(geometry.axes, digits))
    return file


def place(file: FileDataset, position: npt.ArrayLike, axes: FloatArray) -> None:
    """State where a slice is."""
    file.ImagePositionPatient = [_short(value) for value in np.asarray(position)]
    file.ImageOrientationPatient = [_short(value) for value in axes[:, :2].T.ravel()]


def _short(value: float) -> str:
    """A number in the 16 characters that DICOM leaves for it."""
    return f"{value:.10f}"[:16]
