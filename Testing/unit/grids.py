"""Voxel grids to test with, of any orientation and voxel shape, and images whose values are known in world space."""

from itertools import permutations, product

import numpy as np
from hypothesis import strategies as st

from mtann.geometry import FloatArray, Geometry, Triple
from mtann.volume import Volume

IDENTITY = tuple(np.eye(3).ravel().tolist())

ORIENTATIONS = [
    np.diag(signs)[:, list(order)].astype(float)
    for order in permutations(range(3))
    for signs in product((1, -1), repeat=3)
]
"""All 48 ways to store a volume along the patient's axes; columns are the x, y and z axes in LPS."""


def turned(x: float, y: float, z: float) -> FloatArray:
    """The rotation matrix of three angles in degrees, about LPS x, then y, then z."""
    matrix = np.eye(3)
    for axis, degrees in enumerate((x, y, z)):
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        i, j = [(1, 2), (2, 0), (0, 1)][axis]
        step = np.eye(3)
        step[i, i] = step[j, j] = c
        step[i, j], step[j, i] = -s, s
        matrix = step @ matrix
    return matrix


def grid(
    shape_zyx: tuple[int, int, int],
    spacing_xyz_mm: Triple = (1.0, 1.0, 1.0),
    axes: FloatArray | None = None,
    centre_lps_mm: Triple = (0.0, 0.0, 0.0),
) -> Geometry:
    """A grid whose middle lies at a point."""
    axes = np.eye(3) if axes is None else axes
    half = (np.array(shape_zyx[::-1]) - 1) / 2 * np.array(spacing_xyz_mm)
    x, y, z = (np.array(centre_lps_mm) - axes @ half).tolist()
    return Geometry(shape_zyx, spacing_xyz_mm, (x, y, z), tuple(axes.ravel().tolist()))


def world_points(geometry: Geometry) -> FloatArray:
    """LPS millimetres of every voxel centre, (z, y, x, 3)."""
    return geometry.lps_from_index(np.moveaxis(np.indices(geometry.shape_zyx), 0, -1))


def ramp(geometry: Geometry, slope: Triple = (2.0, -3.0, 0.5), at_zero: float = 7.0) -> Volume:
    """An image that is linear in world space, which linear interpolation reproduces exactly."""
    return Volume((world_points(geometry) @ np.array(slope) + at_zero).astype(np.float32), geometry, "ramp")


def blob(geometry: Geometry, centre_lps_mm: Triple, sigma_mm: float) -> Volume:
    """A Gaussian blob of height 1."""
    squared = ((world_points(geometry) - centre_lps_mm) ** 2).sum(axis=-1)
    return Volume(np.exp(-squared / (2 * sigma_mm**2)).astype(np.float32), geometry, "blob")


def centroid_lps_mm(volume: Volume) -> FloatArray:
    """Centre of mass of an image."""
    weight = volume.array.astype(np.float64)
    return np.einsum("zyx,zyxi->i", weight, world_points(volume.geometry)) / weight.sum()


def millimetres(least: float, greatest: float) -> st.SearchStrategy[float]:
    return st.floats(least, greatest, allow_nan=False)


@st.composite
def geometries(draw: st.DrawFn, least: int = 1, greatest: int = 6) -> Geometry:
    """Oblique, flipped and anisotropic grids of a few voxels."""
    shape = draw(st.tuples(*[st.integers(least, greatest)] * 3))
    spacing = draw(st.tuples(*[millimetres(0.25, 6.0)] * 3))
    origin = draw(st.tuples(*[millimetres(-300.0, 300.0)] * 3))
    axes = turned(*draw(st.tuples(*[millimetres(-180.0, 180.0)] * 3))) @ draw(st.sampled_from(ORIENTATIONS))
    return Geometry(shape, spacing, origin, tuple(axes.ravel().tolist()))
