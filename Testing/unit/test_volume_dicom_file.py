"""A single DICOM file passes the same checks as a series, and its name goes nowhere."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset

from mtann.errors import GeometryError, ImageError
from mtann.geometry import TOLERANCE_MM
from mtann.volume_io import hash_file, read_volume
from unit.dicom_series import write_series
from unit.grids import grid, turned

OBLIQUE = grid((1, 5, 4), (0.7, 1.3, 2.5), turned(25, -10, 40), (-120.0, 33.0, 410.0))
STORED = np.random.default_rng(0).integers(-1000, 1000, (1, 5, 4)).astype(np.int16)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (path,) = write_series(tmp_path, STORED, OBLIQUE)
    return path.rename(tmp_path / "Doe_Jane.dcm")


def changed(path: Path, removed: tuple[str, ...] = (), **tags: object) -> Path:
    dataset: FileDataset = pydicom.dcmread(path)
    for keyword in removed:
        delattr(dataset, keyword)
    for keyword, value in tags.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path)
    return path


@pytest.mark.parametrize("name", ["Doe_Jane.dcm", "Doe_Jane", "Doe_Jane.png", "IM000001"])
def test_one_file_is_one_slice_in_its_place_without_its_name(file: Path, name: str) -> None:
    path = file.rename(file.with_name(name))
    volume = read_volume(path)
    assert np.array_equal(volume.array, STORED)
    assert volume.geometry.matches(OBLIQUE, TOLERANCE_MM)
    assert (volume.name, volume.sha256) == ("DICOM series", hash_file(path))


def test_a_file_that_does_not_call_itself_dicom_is_known_by_its_content(file: Path) -> None:
    path = file.with_name("Doe_Jane")
    pydicom.Dataset(pydicom.dcmread(file)).save_as(path, implicit_vr=True, little_endian=True)
    assert read_volume(path).name == "DICOM series"


def test_several_frames_are_refused(file: Path) -> None:
    changed(file, NumberOfFrames=3, PixelData=STORED.tobytes() * 3)
    with pytest.raises(ImageError, match="holds 3 frames"):
        read_volume(file)


def test_text_with_the_ending_of_dicom_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.dcm").write_text("no image")
    with pytest.raises(ImageError, match=r"'notes.dcm' is damaged or holds no image"):
        read_volume(tmp_path / "notes.dcm")


@pytest.mark.parametrize("spacing", [None, "0.7", "0\\0.7", "-1\\-1"])
def test_without_pixel_spacing_nothing_is_guessed(file: Path, spacing: str | None) -> None:
    changed(file, removed=("PixelSpacing",))
    if spacing:
        changed(file, PixelSpacing=spacing.split("\\"))
    with pytest.raises(GeometryError, match="does not state its pixel spacing"):
        read_volume(file)
    with pytest.raises(GeometryError, match="does not state its pixel spacing"):
        read_volume(file.parent)


@pytest.mark.parametrize("modality", ["CR", "DX", "MG"])
def test_a_radiograph_lies_at_the_origin_with_the_spacing_of_its_detector(file: Path, modality: str) -> None:
    removed = ("PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient", "SliceThickness")
    changed(file, removed, Modality=modality, ImagerPixelSpacing=[0.2, 0.1])
    volume = read_volume(file)
    assert np.array_equal(volume.array, STORED)
    assert volume.geometry.spacing_xyz_mm == (0.1, 0.2, 1.0)
    assert volume.geometry.origin_lps_mm == (0.0, 0.0, 0.0)
    assert np.array_equal(volume.geometry.axes, np.eye(3))


def test_only_a_radiograph_may_keep_silent_about_its_place(file: Path) -> None:
    changed(file, ("ImagePositionPatient", "ImageOrientationPatient"))
    with pytest.raises(GeometryError, match="does not say where its slice is"):
        read_volume(file)
    changed(file, Modality="DX", ImagePositionPatient=[1, 2, 3])
    with pytest.raises(GeometryError, match="does not say where its slice is"):
        read_volume(file)


@pytest.mark.parametrize("thickness", [b"junk      ", b"-2.5      ", b"0         ", b"nan       "])
def test_a_thickness_that_is_none_is_refused(file: Path, thickness: bytes) -> None:
    changed(file, SliceThickness="9.87654321")
    file.write_bytes(file.read_bytes().replace(b"9.87654321", thickness))
    with pytest.raises(GeometryError, match=f"states the slice thickness '{thickness.decode().strip()}'"):
        read_volume(file)
