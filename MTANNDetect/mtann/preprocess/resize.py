"""Interpolation from one size to another, axis by axis, as nnU-Net does it, but in blocks and by matrix products.

nnU-Net (Isensee et al., Nat Methods 18:203, 2021) interpolates with splines over pixel areas and repeats the edge;
where slices are thick, each slice by itself, and takes the nearest slice. Splines are separable, so a matrix an axis
says it all; the matrices are SciPy's own answers to unit pulses. A spline's infinite answer is cut where it falls
below 1e-9.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mtann.progress import Run

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.integer]

ANISOTROPY = 3.0
"""Slices are interpolated one by one where the coarsest spacing exceeds the finest by more than this."""

_NEGLIGIBLE = 1e-9
_ROWS = 64
"""Output positions a matrix product: few enough that the matrix's zeros are left out."""


@dataclass(frozen=True)
class Axis:
    """The way from a number of positions along an axis to another.

    Attributes:
        size: Positions before.
        new_size: Positions after.
        order: Of the spline; 0 takes the nearest.
        matrix: Weights (new_size, size); None where nothing changes.
    """

    size: int
    new_size: int
    order: int
    matrix: FloatArray | None = field(repr=False)

    def support(self, start: int, stop: int) -> tuple[int, int]:
        """Which positions before are needed for new positions from ``start`` up to ``stop``."""
        if self.matrix is None:
            return start, stop
        used = np.flatnonzero(np.any(self.matrix[start:stop] != 0, axis=0))
        return int(used[0]), int(used[-1]) + 1

    def apply(
        self, array: FloatArray, axis: int, start: int = 0, stop: int | None = None, offset: int = 0
    ) -> FloatArray:
        """New positions from ``start`` up to ``stop`` along one axis of an array whose first position is ``offset``."""
        stop = self.new_size if stop is None else stop
        if self.matrix is None:
            part = [slice(None)] * array.ndim
            part[axis] = slice(start - offset, stop - offset)
            return array[tuple(part)]
        shape = list(array.shape)
        shape[axis] = stop - start
        result = np.empty(shape, dtype=np.float32)
        # Before, along and behind the axis: matrix products want two dimensions.
        before, behind = int(np.prod(shape[:axis])), int(np.prod(shape[axis + 1 :]))
        source = np.ascontiguousarray(array).reshape(before, array.shape[axis], behind)
        target = result.reshape(before, stop - start, behind)
        for first in range(start, stop, _ROWS):
            last = min(first + _ROWS, stop)
            low, high = self.support(first, last)
            weights = self.matrix[first:last, low:high]
            taken = source[:, low - offset : high - offset]
            if behind == 1:
                target[:, first - start : last - start, 0] = taken[:, :, 0] @ weights.T
            else:
                np.matmul(weights, taken, out=target[:, first - start : last - start])
        return result


@lru_cache(maxsize=64)
def make_axis(size: int, new_size: int, order: int) -> Axis:
    """The way along one axis."""
    if size == new_size:
        return Axis(size, new_size, order, None)
    if order == 0:
        # The nearest position, with SciPy's own rounding of halves.
        where = size / new_size * (np.arange(new_size) + 0.5) - 0.5
        nearest = ndimage.map_coordinates(np.arange(size), [where], order=0, mode="nearest")
        matrix = (nearest[:, None] == np.arange(size)).astype(np.float32)
    else:
        pulses = np.eye(size)
        exact = ndimage.zoom(pulses, (new_size / size, 1.0), order=order, mode="nearest", grid_mode=True)
        matrix = np.where(np.abs(exact) < _NEGLIGIBLE, 0.0, exact).astype(np.float32)
    matrix.flags.writeable = False
    return Axis(size, new_size, order, matrix)


@dataclass(frozen=True)
class Resize:
    """The way from one grid to another.

    Attributes:
        axes: Along z, y and x.
        slices: The axis along which slices are interpolated one by one; None where all axes are alike.
    """

    axes: tuple[Axis, Axis, Axis]
    slices: int | None

    @property
    def shape(self) -> tuple[int, int, int]:
        """The size after it."""
        z, y, x = self.axes
        return z.new_size, y.new_size, x.new_size

    @property
    def changes(self) -> bool:
        """Whether it does anything."""
        return any(axis.matrix is not None for axis in self.axes)


def new_shape(shape: Sequence[int], spacing: Sequence[float], new_spacing: Sequence[float]) -> tuple[int, ...]:
    """The size of a grid of another spacing over the same extent; at least one voxel, also of a thinner image."""
    return tuple(max(1, round(old / new * n)) for old, new, n in zip(spacing, new_spacing, shape, strict=True))


def make_resize(
    shape: Sequence[int],
    shape_after: Sequence[int],
    spacing: Sequence[float],
    spacing_after: Sequence[float],
    order: int,
) -> Resize:
    """The way from a grid to another with splines of an order; slices one by one, nearest, where these are thick."""
    thick = thick_axis(spacing, spacing_after)
    axes = [
        make_axis(int(before), int(after), 0 if axis == thick else order)
        for axis, (before, after) in enumerate(zip(shape, shape_after, strict=True))
    ]
    return Resize((axes[0], axes[1], axes[2]), thick)


def thick_axis(spacing: Sequence[float], spacing_after: Sequence[float]) -> int | None:
    """The one axis of slices so thick that they are interpolated by themselves; by the old spacing, else by the new."""
    for lengths in (spacing, spacing_after):
        if max(lengths) / min(lengths) > ANISOTROPY:
            coarsest = [axis for axis, length in enumerate(lengths) if length == max(lengths)]
            return coarsest[0] if len(coarsest) == 1 else None
    return None


def resize_image(image: FloatArray, way: Resize, run: Run | None = None) -> FloatArray:
    """An image on the other grid, kept within the range of its own values (of each slice's, where slices are apart)."""
    run = run or Run()
    if not way.changes:
        return image
    thick = way.slices
    axes = [axis for axis in (2, 1, 0) if axis != thick]
    over = None if thick is None else tuple(axes)
    low, high = image.min(axis=over, keepdims=True), image.max(axis=over, keepdims=True)
    result = image
    for axis in axes:
        run.check()
        result = way.axes[axis].apply(result, axis)
    if result is not image and max(way.axes[axis].order for axis in axes) > 1:
        result = np.clip(result, low, high)
    return result if thick is None else way.axes[thick].apply(result, thick)


def resize_labels(labels: IntArray, way: Resize, run: Run | None = None) -> IntArray:
    """A label map on the other grid: each label where its interpolated share reaches one half, higher values last."""
    run = run or Run()
    if not way.changes:
        return labels
    result = np.zeros(way.shape, dtype=labels.dtype)
    for value in np.unique(labels):
        run.check()
        share = (labels == value).astype(np.float32)
        for axis in (2, 1, 0):
            share = way.axes[axis].apply(share, axis)
        result[share >= _HALF] = value
    return result


_HALF = np.float32(0.5 - 1e-6)
"""One half, less what 32-bit numbers may lack."""
