"""Smooth random functions of world space, and soft set operations on signed depths.

Everything random about a phantom's anatomy is a function of the position in millimetres, never of the voxel grid: the
same seed then gives the same head at any spacing. A *depth* is a signed distance in mm, positive inside.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Float32 = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]

_UNIT_SCALE = 0.479**-1.5
"""Brings a cubic B-spline sum of unit white noise to unit standard deviation in three dimensions."""


@dataclass(frozen=True)
class SmoothField:
    """Cubic B-spline through a lattice of random coefficients that is fixed in world space.

    Attributes:
        coefficients: Lattice values, axes z, y, x.
        step_mm: Distance between lattice points; the field varies over about twice this.
        start_mm: World coordinate of the first lattice point, the same along each axis.
    """

    coefficients: FloatArray
    step_mm: float
    start_mm: float

    def on_grid(self, z_mm: FloatArray, y_mm: FloatArray, x_mm: FloatArray) -> Float32:
        """Values at all combinations of the coordinates, axes z, y, x."""
        weights = [
            self._weights(axis_mm, n) for axis_mm, n in zip((z_mm, y_mm, x_mm), self.coefficients.shape, strict=True)
        ]
        values = np.tensordot(weights[2], self.coefficients.astype(np.float32), axes=(1, 2))
        values = np.tensordot(weights[1], values, axes=(1, 2))
        values = np.tensordot(weights[0], values, axes=(1, 2))
        return np.ascontiguousarray(values, dtype=np.float32)

    def at(self, points_xyz_mm: npt.ArrayLike) -> FloatArray:
        """Values at points (..., 3) given as x, y, z."""
        index_zyx = (np.asarray(points_xyz_mm, dtype=np.float64)[..., ::-1] - self.start_mm) / self.step_mm
        values = ndimage.map_coordinates(
            self.coefficients, np.moveaxis(index_zyx, -1, 0), order=3, mode="nearest", prefilter=False
        )
        return np.asarray(values, dtype=np.float64)

    def _weights(self, coordinates_mm: FloatArray, count: int) -> Float32:
        position = (coordinates_mm[:, None] - self.start_mm) / self.step_mm - np.arange(count)
        distance = np.abs(position)
        near = 2 / 3 - distance**2 + distance**3 / 2
        far = np.clip(2 - distance, 0, None) ** 3 / 6
        return np.where(distance < 1, near, far).astype(np.float32)


def random_field(rng: np.random.Generator, step_mm: float, reach_mm: float = 100.0) -> SmoothField:
    """A field of mean 0 and standard deviation 1 on the cube of half-width ``reach_mm`` about the origin."""
    count = int(np.ceil(2 * reach_mm / step_mm)) + 5
    coefficients = rng.standard_normal((count, count, count)) * _UNIT_SCALE
    return SmoothField(coefficients, step_mm, -(count - 1) / 2 * step_mm)


def ellipsoid_depth(
    x: npt.ArrayLike, y: npt.ArrayLike, z: npt.ArrayLike, radii_mm: tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike]
) -> tuple[Float32, Float32]:
    """Depth below an ellipsoid's surface (first-order distance) and relative radius (1 on the surface)."""
    parts = [
        np.asarray(c, dtype=np.float32) / np.asarray(r, dtype=np.float32)
        for c, r in zip((x, y, z), radii_mm, strict=True)
    ]
    relative = np.sqrt(sum(p * p for p in parts)) + np.float32(1e-4)
    slope = np.sqrt(
        sum((p / np.asarray(r, dtype=np.float32)) ** 2 for p, r in zip(parts, radii_mm, strict=True))
    ) + np.float32(1e-6)
    return (relative * (1 - relative) / slope).astype(np.float32), relative.astype(np.float32)


def chain_depth(points_xyz: tuple[Float32, Float32, Float32], nodes: npt.ArrayLike) -> Float32:
    """Depth inside a chain of tapered capsules; ``nodes`` holds x, y, z, radius a row, in mm."""
    chain = np.asarray(nodes, dtype=np.float32)
    depth = np.full(np.broadcast_shapes(*(c.shape for c in points_xyz)), -np.inf, dtype=np.float32)
    for start, stop in pairwise(chain):
        axis = stop[:3] - start[:3]
        offsets = [c - s for c, s in zip(points_xyz, start[:3], strict=True)]
        along = np.clip(sum(o * a for o, a in zip(offsets, axis, strict=True)) / (axis @ axis), 0, 1)
        distance = np.sqrt(sum((o - along * a) ** 2 for o, a in zip(offsets, axis, strict=True)))
        np.maximum(depth, start[3] + along * (stop[3] - start[3]) - distance, out=depth)
    return depth


def coverage(depth_mm: Float32, edge_mm: float = 1.0) -> Float32:
    """Share of a voxel that lies inside, for a flat border ``edge_mm`` wide."""
    return np.asarray(np.clip(depth_mm / np.float32(edge_mm) + np.float32(0.5), 0, 1), dtype=np.float32)


def smooth_step(values: npt.ArrayLike, low: float, high: float) -> Float32:
    """0 below ``low``, 1 above ``high``, with a smooth ramp between."""
    t = np.clip((np.asarray(values, dtype=np.float32) - np.float32(low)) / np.float32(high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), dtype=np.float32)
