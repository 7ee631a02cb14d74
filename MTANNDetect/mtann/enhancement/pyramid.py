"""Taking an image apart into bands of rising coarseness, and putting it together again.

Suzuki et al., IEEE Trans Med Imaging 25:406 (2006): each 2 x 2 pixels are averaged into one of the next level, and what
that loses is the finer level's band. Coarse levels are enlarged by linear interpolation here, as in the pyramid of Burt
and Adelson (IEEE Trans Communications 31:532, 1983), where the paper repeats pixels: an error that a network makes at a
coarse level then leaves no blocks. Whatever enlarges, the bands add up to the image.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

FloatVolume = npt.NDArray[np.floating[Any]]


def halve(image: FloatVolume, dimensions: int) -> FloatVolume:
    """The mean of each block of 2 x 2 (x 2) voxels of an image (z, y, x).

    Args:
        image: At an odd edge its last voxels are repeated.
        dimensions: 2 to leave the slices alone, 3 to average across them, too.
    """
    for axis in range(3 - dimensions, 3):
        if image.shape[axis] % 2:
            image = np.concatenate([image, np.take(image, [-1], axis)], axis)
        pairs = np.stack([_every_second(image, axis, 0), _every_second(image, axis, 1)])
        image = pairs.mean(axis=0, dtype=image.dtype)
    return image


def enlarge(image: FloatVolume, shape_zyx: Sequence[int], dimensions: int) -> FloatVolume:
    """Linear interpolation of a halved image at the centres of the voxels that it was made of; edges are repeated.

    Args:
        image: The halved image (z, y, x).
        shape_zyx: Shape of the image that was halved.
        dimensions: As it was halved.
    """
    for axis in range(3 - dimensions, 3):
        last = image.shape[axis] - 1
        before = np.concatenate([np.take(image, [0], axis), np.take(image, range(last), axis)], axis)
        after = np.concatenate([np.take(image, range(1, last + 1), axis), np.take(image, [last], axis)], axis)
        # The two voxels of a block lie a quarter of the coarse spacing to either side of its centre.
        pairs = np.stack([0.75 * image + 0.25 * before, 0.75 * image + 0.25 * after], axis=axis + 1)
        doubled = pairs.reshape(*image.shape[:axis], -1, *image.shape[axis + 1 :])
        image = np.take(doubled, range(shape_zyx[axis]), axis)
    return image


def decompose(image: FloatVolume, levels: int, dimensions: int) -> list[FloatVolume]:
    """The bands of an image (z, y, x), finest first; the last is what is left of the image at the coarsest level."""
    coarser = [image]
    for _ in range(levels - 1):
        coarser.append(halve(coarser[-1], dimensions))
    bands = [fine - enlarge(coarse, fine.shape, dimensions) for fine, coarse in pairwise(coarser)]
    return [*bands, coarser[-1]]


def compose(bands: Sequence[FloatVolume], dimensions: int) -> FloatVolume:
    """The image of some bands; undoes :func:`decompose` for any shape, up to the rounding of the bands' type."""
    image = bands[-1]
    for band in reversed(bands[:-1]):
        image = enlarge(image, band.shape, dimensions) + band
    return image


def _every_second(image: FloatVolume, axis: int, start: int) -> FloatVolume:
    chosen = [slice(None)] * 3
    chosen[axis] = slice(start, None, 2)
    return image[tuple(chosen)]
