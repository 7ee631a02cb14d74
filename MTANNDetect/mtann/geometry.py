"""Where the voxels of an image are in the patient.

Vocabulary. An *index* counts voxels in array order (z, y, x), starting at the centre of the first voxel; it may be
fractional. *LPS* is ITK's world: x to the patient's left, y to posterior, z to superior, in millimetres. ``direction``
has the LPS direction of the array's x, y and z axes as its columns, as ITK stores it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from mtann.errors import GeometryError

FloatArray = npt.NDArray[np.float64]
Triple = tuple[float, float, float]
IndexTriple = tuple[int, int, int]

TOLERANCE_MM = 1e-4
"""World coordinates agree when they differ by no more than this (NIfTI stores float32)."""

_ORTHONORMAL_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Geometry:
    """Shape, spacing, origin and direction of a voxel grid.

    Attributes:
        shape_zyx: Number of voxels along each array axis.
        spacing_xyz_mm: Distance between voxel centres along x, y, z.
        origin_lps_mm: Centre of voxel (0, 0, 0).
        direction: Nine cosines, row by row, of the matrix whose columns are the x, y and z axes in LPS.
    """

    shape_zyx: IndexTriple
    spacing_xyz_mm: Triple
    origin_lps_mm: Triple
    direction: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)

    def __post_init__(self) -> None:
        if min(self.shape_zyx) < 1:
            raise GeometryError(
                f"An image needs at least one voxel along each axis; its shape (z, y, x) is {self.shape_zyx}."
            )
        numbers = np.array([*self.spacing_xyz_mm, *self.origin_lps_mm, *self.direction])
        if len(self.direction) != 9 or not np.all(np.isfinite(numbers)) or min(self.spacing_xyz_mm) <= 0:
            raise GeometryError(
                f"An image needs positive spacing, a finite origin and nine direction cosines; found spacing "
                f"{self.spacing_xyz_mm}, origin {self.origin_lps_mm}, direction {self.direction}. "
                "Correct the image header."
            )
        if not np.allclose(self.axes @ self.axes.T, np.eye(3), atol=_ORTHONORMAL_TOLERANCE):
            raise GeometryError(
                "The image axes are not at right angles (shear or gantry tilt), "
                "so distances cannot be measured on its grid. Resample the image onto a rectangular grid first."
            )

    @classmethod
    def from_matrix(cls, shape_zyx: Sequence[int], index_xyz_to_lps: npt.ArrayLike) -> "Geometry":
        """Build a geometry from the 4x4 matrix that takes an index (x, y, z, 1) to LPS millimetres.

        Raises:
            GeometryError: The matrix is singular or its axes are not at right angles.
        """
        matrix = np.asarray(index_xyz_to_lps, dtype=np.float64)
        spacing = np.linalg.norm(matrix[:3, :3], axis=0)
        if not np.all(np.isfinite(matrix)) or np.any(spacing == 0):
            raise GeometryError("The image's index-to-world matrix is singular. Correct the image header.")
        z, y, x = (int(n) for n in shape_zyx)
        return cls(
            (z, y, x), _triple(spacing), _triple(matrix[:3, 3]), tuple(map(float, (matrix[:3, :3] / spacing).ravel()))
        )

    @cached_property
    def axes(self) -> FloatArray:
        """3x3 matrix with the LPS directions of x, y and z as columns."""
        return np.array(self.direction, dtype=np.float64).reshape(3, 3)

    @cached_property
    def matrix(self) -> FloatArray:
        """4x4 matrix from index (x, y, z, 1) to LPS millimetres."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.axes * np.array(self.spacing_xyz_mm)
        matrix[:3, 3] = self.origin_lps_mm
        return matrix

    @property
    def spacing_zyx_mm(self) -> Triple:
        """Spacing in array order."""
        x, y, z = self.spacing_xyz_mm
        return (z, y, x)

    @property
    def size_xyz(self) -> IndexTriple:
        """Number of voxels in SimpleITK's order."""
        z, y, x = self.shape_zyx
        return (x, y, z)

    @property
    def voxel_volume_mm3(self) -> float:
        """Volume of one voxel."""
        return float(np.prod(self.spacing_xyz_mm))

    def lps_from_index(self, index_zyx: npt.ArrayLike) -> FloatArray:
        """Take indices (..., 3) in z, y, x to LPS millimetres (..., 3)."""
        index_xyz = np.asarray(index_zyx, dtype=np.float64)[..., ::-1]
        return index_xyz @ self.matrix[:3, :3].T + self.matrix[:3, 3]

    def index_from_lps(self, points_lps_mm: npt.ArrayLike) -> FloatArray:
        """Take LPS millimetres (..., 3) to fractional indices (..., 3) in z, y, x."""
        offset = np.asarray(points_lps_mm, dtype=np.float64) - self.matrix[:3, 3]
        return (offset @ np.linalg.inv(self.matrix[:3, :3]).T)[..., ::-1]

    def contains_index(self, index_zyx: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Whether fractional indices (..., 3) lie within the volume's outer voxel edges."""
        index = np.asarray(index_zyx, dtype=np.float64)
        inside = (index >= -0.5) & (index <= np.array(self.shape_zyx) - 0.5)
        return np.asarray(inside.all(axis=-1))

    def matches(self, other: "Geometry", tolerance_mm: float = TOLERANCE_MM) -> bool:
        """Whether both grids have the same shape and every voxel centre agrees within the tolerance."""
        if self.shape_zyx != other.shape_zyx:
            return False
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in self.shape_zyx])).reshape(3, -1).T
        distance = np.abs(self.lps_from_index(corners) - other.lps_from_index(corners)).max()
        return bool(distance <= tolerance_mm)

    def respaced(self, spacing_zyx_mm: Sequence[float]) -> "Geometry":
        """The grid with new spacing that covers the same block of tissue, outer edge to outer edge.

        The voxel count is rounded, and the grid stays centred on the block, so neither end is favoured.
        """
        old = np.array(self.spacing_zyx_mm)
        new = np.array(spacing_zyx_mm, dtype=np.float64)
        shape = np.maximum(1, np.round(np.array(self.shape_zyx) * old / new).astype(int))
        centre = self.lps_from_index((np.array(self.shape_zyx) - 1) / 2)
        half_extent_xyz = ((shape - 1) / 2 * new)[::-1]
        origin = centre - self.axes @ half_extent_xyz
        return replace(
            self, shape_zyx=_index_triple(shape), spacing_xyz_mm=_triple(new[::-1]), origin_lps_mm=_triple(origin)
        )

    def cropped(self, start_zyx: Sequence[int], stop_zyx: Sequence[int]) -> "Geometry":
        """The part of the grid from ``start_zyx`` up to, not including, ``stop_zyx``."""
        shape = np.array(stop_zyx) - np.array(start_zyx)
        return replace(self, shape_zyx=_index_triple(shape), origin_lps_mm=_triple(self.lps_from_index(start_zyx)))

    def reordered(self, order_xyz: Sequence[int], flip_xyz: Sequence[bool]) -> "Geometry":
        """The same voxels with axes taken in another order and, where asked, direction.

        Args:
            order_xyz: For each new axis (x, y, z), which old axis (0 for x, 1 for y, 2 for z) it takes.
            flip_xyz: For each new axis, whether it runs the other way.
        """
        order = list(order_xyz)
        flip = np.array(flip_xyz, dtype=bool)
        signs = np.where(flip, -1.0, 1.0)
        size = np.array(self.size_xyz)
        corner = np.zeros(3)
        corner[order] = np.where(flip, size[order] - 1, 0)
        return replace(
            self,
            shape_zyx=_index_triple(size[order][::-1]),
            spacing_xyz_mm=_triple(np.array(self.spacing_xyz_mm)[order]),
            origin_lps_mm=_triple(self.lps_from_index(corner[::-1])),
            direction=tuple(map(float, (self.axes[:, order] * signs).ravel())),
        )


def canonical_order(geometry: Geometry) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
    """Axis order and flips that bring the grid's x, y, z closest to left, posterior, superior.

    Whatever way a scanner or converter stored the voxels, a model then always sees the patient the same way round.
    """
    axes = geometry.axes
    best = max(_PERMUTATIONS, key=lambda order: sum(abs(axes[world, axis]) for world, axis in enumerate(order)))
    flips = tuple(bool(axes[world, axis] < 0) for world, axis in enumerate(best))
    return best, (flips[0], flips[1], flips[2])


_PERMUTATIONS = ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))


def _triple(values: npt.ArrayLike) -> Triple:
    a, b, c = np.asarray(values, dtype=np.float64).tolist()
    return (a, b, c)


def _index_triple(values: npt.ArrayLike) -> IndexTriple:
    a, b, c = np.asarray(values).astype(int).tolist()
    return (a, b, c)
