"""Planes through a patient, and what an image shows in them.

A plane has a direction to the right and one downwards, both in LPS. A point of the plane is told by ``u`` to the right
and ``v`` downwards, in millimetres from the scanner's zero. Radiological convention: the patient's right is on the
picture's left.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mtann.geometry import FloatArray, Geometry, Triple, canonical_order
from mtann.volume import Volume

_LETTERS = (("L", "R"), ("P", "A"), ("S", "I"))


@dataclass(frozen=True)
class Plane:
    """The orientation of a picture.

    Attributes:
        name: What a reader calls it.
        right_lps: Unit vector to the picture's right.
        down_lps: Unit vector to the picture's bottom.
        axis: LPS axis (0 to 2) that the plane is nearest at right angles to.
    """

    name: str
    right_lps: Triple
    down_lps: Triple
    axis: int

    @property
    def matrix(self) -> FloatArray:
        """3x3 matrix with the directions right, down and into the picture as columns."""
        return np.column_stack([self.right_lps, self.down_lps, np.cross(self.right_lps, self.down_lps)])

    @property
    def letters(self) -> tuple[str, str, str, str]:
        """Orientation letters of the left, right, top and bottom edge."""
        right, down = np.array(self.right_lps), np.array(self.down_lps)
        return _letter(-right), _letter(right), _letter(-down), _letter(down)

    def uv(self, points_lps_mm: npt.ArrayLike) -> FloatArray:
        """Take LPS points (..., 3) to picture coordinates u, v (..., 2) in mm."""
        return np.asarray(points_lps_mm, dtype=np.float64) @ self.matrix[:, :2]


AXIAL = Plane("Axial", (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), axis=2)
CORONAL = Plane("Coronal", (1.0, 0.0, 0.0), (0.0, 0.0, -1.0), axis=1)
SAGITTAL = Plane("Sagittal", (0.0, 1.0, 0.0), (0.0, 0.0, -1.0), axis=0)


def planes_of(geometry: Geometry) -> tuple[Plane, ...]:
    """Axial, coronal and sagittal; for an image of one slice, the one plane that it lies in, as it lies."""
    if min(geometry.shape_zyx) > 1:
        return (AXIAL, CORONAL, SAGITTAL)
    order, flips = canonical_order(geometry)
    # Columns: the image's own axes that come closest to left, posterior and superior.
    near = geometry.axes[:, list(order)] * np.where(flips, -1.0, 1.0)
    size = np.array(geometry.size_xyz)[list(order)]
    normal = max(range(3), key=lambda axis: (size[axis] == 1, axis))
    plane = {2: AXIAL, 1: CORONAL, 0: SAGITTAL}[normal]
    right, down = near @ np.array(plane.right_lps), near @ np.array(plane.down_lps)
    return (Plane(plane.name, _triple(right), _triple(down), plane.axis),)


@dataclass(frozen=True)
class View:
    """A rectangle of a plane: its centre in LPS, its width (u) and height (v), and the edge of its pixels, in mm."""

    plane: Plane
    centre_lps_mm: Triple
    width_mm: float
    height_mm: float
    pixel_mm: float

    @property
    def size_uv(self) -> tuple[int, int]:
        """Number of pixels to the right and downwards."""
        return max(1, round(self.width_mm / self.pixel_mm)), max(1, round(self.height_mm / self.pixel_mm))

    @property
    def extent_uv_mm(self) -> tuple[float, float, float, float]:
        """Outer edges of the pixels: left, right, bottom, top, as matplotlib wants them (v grows downwards)."""
        u, v = self.plane.uv(self.centre_lps_mm)
        half_u, half_v = (count * self.pixel_mm / 2 for count in self.size_uv)
        return float(u - half_u), float(u + half_u), float(v + half_v), float(v - half_v)

    @property
    def points_lps_mm(self) -> FloatArray:
        """The pixels' centres (v, u, 3)."""
        columns, rows = self.size_uv
        u = (np.arange(columns) - (columns - 1) / 2) * self.pixel_mm
        v = (np.arange(rows) - (rows - 1) / 2) * self.pixel_mm
        right, down = np.array(self.plane.right_lps), np.array(self.plane.down_lps)
        points: FloatArray = np.array(self.centre_lps_mm) + u[None, :, None] * right + v[:, None, None] * down
        return points

    def part(self, low_uv_mm: npt.ArrayLike, high_uv_mm: npt.ArrayLike) -> "View | None":
        """The part of the view whose pixels' centres lie in a rectangle; None if there is none."""
        first = np.array([self.extent_uv_mm[0], self.extent_uv_mm[3]]) + self.pixel_mm / 2
        start = np.maximum(np.ceil((np.asarray(low_uv_mm) - first) / self.pixel_mm - 1e-6), 0)
        stop = np.floor((np.asarray(high_uv_mm) - first) / self.pixel_mm + 1e-6) + 1
        count = np.minimum(stop, self.size_uv) - start
        if not (count > 0).all():
            return None
        middle = first + (start + (count - 1) / 2) * self.pixel_mm - self.plane.uv(self.centre_lps_mm)
        moved = np.array(self.centre_lps_mm) + self.plane.matrix[:, :2] @ middle
        width, height = (count * self.pixel_mm).tolist()
        return View(self.plane, _triple(moved), width, height, self.pixel_mm)

    def resample(self, volume: Volume, outside: float, order: int = 1) -> FloatArray:
        """What a volume shows here.

        Args:
            volume: Any geometry; beyond the centres of its outermost voxels, up to their edges, the edge value goes on.
            outside: Value where the volume does not reach.
            order: 1 for linear interpolation, 0 for the nearest voxel.

        Returns:
            Array (v, u): rows downwards, columns to the right.
        """
        index = volume.geometry.index_from_lps(self.points_lps_mm)
        inside = volume.geometry.contains_index(index)
        values = ndimage.map_coordinates(
            volume.array, np.moveaxis(index, -1, 0), output=np.float64, order=order, mode="nearest", prefilter=False
        )
        return np.where(inside, values, outside)


def _letter(direction_lps: FloatArray) -> str:
    axis = int(np.argmax(np.abs(direction_lps)))
    return _LETTERS[axis][int(direction_lps[axis] < 0)]


def _triple(vector: FloatArray) -> Triple:
    x, y, z = vector.tolist()
    return (x, y, z)
