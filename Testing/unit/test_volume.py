"""A volume cannot be changed, and one that cannot be scanned is refused with the reason."""

import numpy as np
import pytest

from mtann.errors import GeometryError, ImageError
from mtann.geometry import Geometry
from mtann.volume import Volume, check_intensities

GEOMETRY = Geometry((2, 3, 4), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))


def volume(array: np.ndarray) -> Volume:
    return Volume(array, GEOMETRY, "scan.nii.gz", "ab" * 32)


def counting(dtype: str = "float32") -> np.ndarray:
    return np.arange(24).reshape(2, 3, 4).astype(dtype)


def test_voxels_cannot_be_written_to() -> None:
    held = volume(counting())
    with pytest.raises(ValueError, match="read-only"):
        held.array[0, 0, 0] = 5


def test_the_callers_own_array_stays_writable() -> None:
    array = counting()
    volume(array)
    array[0, 0, 0] = 5
    assert array[0, 0, 0] == 5


def test_an_array_of_another_shape_is_refused() -> None:
    with pytest.raises(GeometryError, match=r"shape \(4, 3, 2\) but a geometry of \(2, 3, 4\)"):
        volume(counting().T)


def test_new_voxels_are_no_longer_those_of_the_file() -> None:
    new = volume(counting()).with_array(counting() + 1)
    assert (new.name, new.sha256) == ("scan.nii.gz", "")
    assert new.geometry is GEOMETRY
    assert np.array_equal(new.array, counting() + 1)
    assert new.with_array(counting(), "other").name == "other"


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", "uint8"])
def test_a_plain_image_is_given_back_itself(dtype: str) -> None:
    held = volume(counting(dtype))
    assert check_intensities(held) is held


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_voxels_that_are_no_numbers_are_counted_and_refused(value: float) -> None:
    array = counting()
    array[0, 0, :2] = value
    with pytest.raises(ImageError, match="'scan.nii.gz' has 2 voxels that are not finite"):
        check_intensities(volume(array))


@pytest.mark.parametrize(("value", "said"), [(0, "value 0"), (-7, "value -7")])
def test_an_image_of_one_value_is_refused(value: int, said: str) -> None:
    with pytest.raises(ImageError, match=f"{said} in every voxel"):
        check_intensities(volume(np.full((2, 3, 4), value, dtype=np.int16)))


def test_complex_voxels_are_refused() -> None:
    with pytest.raises(ImageError, match="complex"):
        check_intensities(volume(counting("complex64")))
