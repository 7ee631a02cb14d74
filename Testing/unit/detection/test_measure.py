import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from mtann.detection.measure import measure
from mtann.geometry import Geometry

UNIT = Geometry((50, 50, 50), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))


def box(depth, height, width):
    return np.argwhere(np.ones((depth, height, width), dtype=bool)) + 5


def test_one_voxel_reaches_from_corner_to_corner():
    size = measure(np.array([[3, 4, 5]]), UNIT)
    assert size.volume_mm3 == 1
    assert size.axial_diameter_mm == pytest.approx(np.sqrt(2))
    assert size.perpendicular_diameter_mm == pytest.approx(np.sqrt(2))
    assert size.max_diameter_mm == pytest.approx(np.sqrt(3))


def test_a_row_of_voxels_by_hand():
    # Five voxels in a row along x: the diagonal of a 5 x 1 rectangle, and across it the chord at right angles: for the
    # direction (5, 1) / sqrt(26) the chord through a corner runs until the opposite long side, sqrt(26) / 5.
    size = measure(box(1, 1, 5), UNIT)
    assert size.axial_diameter_mm == pytest.approx(np.sqrt(26))
    assert size.perpendicular_diameter_mm == pytest.approx(np.sqrt(26) / 5)
    assert size.max_diameter_mm == pytest.approx(np.sqrt(27))


def test_spacing_counts():
    geometry = Geometry((9, 9, 9), (0.5, 2.0, 5.0), (0.0, 0.0, 0.0))
    size = measure(np.array([[1, 1, 1], [2, 1, 1]]), geometry)
    assert size.volume_mm3 == 10
    assert size.axial_diameter_mm == pytest.approx(np.hypot(0.5, 2.0))
    assert size.max_diameter_mm == pytest.approx(np.sqrt(0.5**2 + 2.0**2 + 10.0**2))


def test_the_axial_plane_is_the_patients_not_the_arrays():
    # A rod of seven voxels along the array's x axis, which here points to superior: axially it is one voxel.
    axes = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]], dtype=float)
    geometry = Geometry((20, 20, 20), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), tuple(axes.ravel()))
    size = measure(box(1, 1, 7), geometry)
    assert size.axial_diameter_mm == pytest.approx(np.sqrt(2))
    assert size.max_diameter_mm == pytest.approx(np.sqrt(51))


def test_the_largest_section_is_taken():
    voxels = np.concatenate([box(1, 2, 2), box(1, 9, 9) + np.array([3, 0, 0]), box(1, 3, 3) + np.array([6, 0, 0])])
    assert measure(voxels, UNIT).axial_diameter_mm == pytest.approx(9 * np.sqrt(2))


@given(angles=st.tuples(*[st.floats(-180, 180)] * 3), radius=st.floats(4, 9))
def test_a_balls_diameters_hardly_depend_on_the_grids_orientation(angles, radius):
    axes = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    geometry = Geometry((40, 40, 40), (0.7, 0.7, 0.7), (1.0, 2.0, 3.0), tuple(axes.ravel()))
    index = np.argwhere(np.ones((40, 40, 40), dtype=bool))
    voxels = index[np.linalg.norm((index - 19.5) * 0.7, axis=1) <= radius]
    size = measure(voxels, geometry)
    for diameter in (size.axial_diameter_mm, size.perpendicular_diameter_mm, size.max_diameter_mm):
        assert 2 * radius - 0.7 <= diameter <= 2 * radius + 1.5
    assert size.volume_mm3 == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.1)
