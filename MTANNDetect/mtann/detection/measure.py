"""Sizes of an outline, as a radiologist would take them, with the outline at the voxels' edges."""

from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist, squareform

from mtann.geometry import FloatArray, Geometry

_MANY = 400
"""Of so many points, finding the convex hull first is faster than measuring all distances."""
_CORNERS = np.array(list(product((-0.5, 0.5), repeat=3)))
_EDGES = [(a, b) for a in range(8) for b in range(a + 1, 8) if np.count_nonzero(_CORNERS[a] != _CORNERS[b]) == 1]


@dataclass(frozen=True)
class Size:
    """Volume in mm3 and diameters in mm of one outline."""

    volume_mm3: float
    axial_diameter_mm: float
    perpendicular_diameter_mm: float
    max_diameter_mm: float


def measure(voxels_zyx: npt.NDArray[np.int64], geometry: Geometry) -> Size:
    """Measure the voxels (n, 3) of one outline.

    The axial diameters are taken in the plane of constant S (LPS) through the largest section, whatever the grid's
    orientation: the longest diameter, and the longest chord at right angles to it, of the section's convex hull.
    """
    low, inside = _dense(voxels_zyx)
    corners = geometry.lps_from_index(_surface(inside)[:, None, :] + low + _CORNERS)
    longest, perpendicular = _axial_diameters(voxels_zyx, corners, geometry)
    return Size(
        volume_mm3=len(voxels_zyx) * geometry.voxel_volume_mm3,
        axial_diameter_mm=longest,
        perpendicular_diameter_mm=perpendicular,
        max_diameter_mm=_farthest(geometry.lps_from_index(_extreme_corners(inside) + low))[0],
    )


def extreme_corners(voxels_zyx: npt.NDArray[np.int64], geometry: Geometry) -> FloatArray:
    """Corners (n, 3) of voxels, in LPS mm: all of their convex hull's, and few others."""
    low, inside = _dense(voxels_zyx)
    return geometry.lps_from_index(_extreme_corners(inside) + low)


def _dense(voxels: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Voxels as a block with nothing in its outermost ones, and the block's first index."""
    low = voxels.min(axis=0) - 1
    inside = np.zeros(voxels.max(axis=0) - low + 2, dtype=bool)
    inside[tuple((voxels - low).T)] = True
    return low, inside


def _surface(inside: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """The voxels with a missing face neighbour: the others add nothing to a section's border."""
    core = inside.copy()
    for axis in range(3):
        core &= np.roll(inside, 1, axis) & np.roll(inside, -1, axis)
    return np.argwhere(inside & ~core)


def _extreme_corners(inside: npt.NDArray[np.bool_]) -> FloatArray:
    """Corners of voxels, as indices (n, 3), that are first or last on their lines along all axes.

    All corners of the convex hull are among them, and few others. The outermost voxels must be empty.
    """
    corners = np.zeros(np.array(inside.shape) - 1, dtype=bool)
    for cut in product((slice(None, -1), slice(1, None)), repeat=3):
        corners |= inside[cut]
    kept = corners.copy()
    for axis, length in enumerate(corners.shape):
        ends = np.zeros_like(corners)
        first = corners.argmax(axis=axis, keepdims=True)
        last = length - 1 - np.flip(corners, axis).argmax(axis=axis, keepdims=True)
        np.put_along_axis(ends, first, True, axis)
        np.put_along_axis(ends, last, True, axis)
        kept &= ends
    return np.argwhere(kept).astype(np.float64) + 0.5


def _axial_diameters(voxels: npt.NDArray[np.int64], corners: FloatArray, geometry: Geometry) -> tuple[float, float]:
    height = _largest_section(geometry.lps_from_index(voxels)[:, 2], geometry)
    starts = corners[:, [a for a, _ in _EDGES]].reshape(-1, 3)
    stops = corners[:, [b for _, b in _EDGES]].reshape(-1, 3)
    rise = stops[:, 2] - starts[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (height - starts[:, 2]) / rise
    cut = (rise != 0) & (share >= 0) & (share <= 1)
    points = starts[cut, :2] + share[cut, None] * (stops[cut, :2] - starts[cut, :2])
    hull = points[ConvexHull(points).vertices]
    longest, first, second = _farthest(hull)
    along = (hull[second] - hull[first]) / longest
    across = np.array([-along[1], along[0]])
    return longest, min(longest, _longest_chord(hull @ along, hull @ across))


def _largest_section(heights: FloatArray, geometry: Geometry) -> float:
    """The height (S, mm) of the plane that cuts most voxels; of several, the middle one."""
    thickness = float(np.max(np.abs(geometry.axes[2]) * np.array(geometry.spacing_xyz_mm)))
    ordered = np.sort(heights)
    tolerance = thickness * 1e-6
    levels = ordered[np.concatenate([[True], np.diff(ordered) > tolerance])]
    above = np.searchsorted(ordered, levels + thickness / 2 - tolerance)
    below = np.searchsorted(ordered, levels - thickness / 2 + tolerance)
    counts = above - below
    best = np.flatnonzero(counts == counts.max())
    return float(levels[best[len(best) // 2]])


def _farthest(points: FloatArray) -> tuple[float, int, int]:
    """The largest distance between two of the points, and which they are."""
    some = ConvexHull(points).vertices if len(points) > _MANY else np.arange(len(points))
    distances = squareform(pdist(points[some]))
    first, second = np.unravel_index(int(np.argmax(distances)), distances.shape)
    return float(distances[first, second]), int(some[first]), int(some[second])


def _longest_chord(along: FloatArray, across: FloatArray) -> float:
    """Longest chord of a convex polygon in the direction ``across``: it starts at one of the corners."""
    next_along, next_across = np.roll(along, -1), np.roll(across, -1)
    rise = next_along - along
    share = (along[:, None] - along) / np.where(rise == 0, 1.0, rise)
    # Every corner's line against every edge; an edge along the line is crossed at its start, and its end is the next's.
    crossed = (share >= 0) & (share <= 1) & ((rise != 0) | (along[:, None] == along))
    places = across + share * (next_across - across)
    highest = np.where(crossed, places, -np.inf).max(axis=1)
    lowest = np.where(crossed, places, np.inf).min(axis=1)
    return float((highest - lowest).max())
