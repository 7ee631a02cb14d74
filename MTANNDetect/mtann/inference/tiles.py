"""Where a U-Net's patches lie in a volume, and how much each voxel of a patch counts: as nnU-Net does it.

(Isensee et al., Nat Methods 18:203, 2021.) A volume smaller than the patch is padded with zeros on both sides. A 2-D
patch is one of a single slice.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mtann.errors import SettingsError

FloatArray = npt.NDArray[np.float32]
Triple = tuple[int, int, int]

_SIGMA = 1 / 8
"""Width of the importance map, as a fraction of the patch."""


@dataclass(frozen=True)
class TileGrid:
    """The patches of a volume, in rows of equal start along the first axis.

    Attributes:
        size: The volume's.
        patch: Size of a patch; 1 along the first axis for 2-D.
        padding: Zeros before the volume, an axis.
        starts: Where patches start in the padded volume, an axis.
    """

    size: Triple
    patch: Triple
    padding: Triple
    starts: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]

    @property
    def padded(self) -> Triple:
        """The volume's size with its padding."""
        z, y, x = (max(n, p) for n, p in zip(self.size, self.patch, strict=True))
        return z, y, x

    @property
    def tiles(self) -> list[Triple]:
        """Starts of all patches, in the order in which they are run."""
        return list(itertools.product(*self.starts))

    def touching(self, boxes: Sequence[tuple[slice, slice, slice]]) -> list[Triple]:
        """The patches that share a voxel with any box, given in the volume's own voxels."""
        return [start for start in self.tiles if any(self._touches(start, box) for box in boxes)]

    def weights(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The sum of all patches' importance at each voxel, an axis; at a voxel it is the product of the three."""
        z, y, x = (self._axis_weights(axis) for axis in range(3))
        return z, y, x

    def _axis_weights(self, axis: int) -> FloatArray:
        own = axis_importance(self.patch[axis])
        total = np.zeros(self.padded[axis], dtype=np.float64)
        for start in self.starts[axis]:
            total[start : start + self.patch[axis]] += own
        return total.astype(np.float32)

    def _touches(self, start: Triple, box: tuple[slice, slice, slice]) -> bool:
        return all(
            first < part.stop + before and part.start + before < first + patch
            for first, patch, before, part in zip(start, self.patch, self.padding, box, strict=True)
        )


def make_tiles(size: Triple, patch: Sequence[int], overlap: float = 0.5) -> TileGrid:
    """The patches of a volume, evenly spread, each overlapping its neighbours by at least a fraction of it.

    Raises:
        SettingsError: The overlap is not within [0, 1).
    """
    if not 0 <= overlap < 1:
        raise SettingsError(f"The overlap of patches is a fraction from 0 to below 1; found {overlap}.")
    z, y, x = (1, *patch)[-3:]
    whole = (z, y, x)
    padding, starts = [], []
    for n, p in zip(size, whole, strict=True):
        padding.append(max(0, p - n) // 2)
        span = max(n, p) - p
        count = math.ceil(span / max(p * (1 - overlap), 1)) + 1
        starts.append(tuple(round(span / (count - 1) * number) for number in range(count)) if count > 1 else (0,))
    return TileGrid(size, whole, (padding[0], padding[1], padding[2]), (starts[0], starts[1], starts[2]))


def axis_importance(length: int) -> npt.NDArray[np.float64]:
    """How much the voxels of a patch count, along one axis: a Gaussian about the middle, 1 there."""
    pulse = np.zeros(length)
    pulse[length // 2] = 1
    gaussian: npt.NDArray[np.float64] = ndimage.gaussian_filter1d(pulse, length * _SIGMA, mode="constant")
    gaussian /= gaussian.max()
    return gaussian


def importance_map(patch: Triple) -> FloatArray:
    """How much the voxels of a patch count."""
    z, y, x = (axis_importance(length) for length in patch)
    return np.asarray(z[:, None, None] * y[:, None] * x, dtype=np.float32)
