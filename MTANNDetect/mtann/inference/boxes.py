"""Boxes and tiles of a volume, and what lies round them."""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

FloatVolume = npt.NDArray[np.float32]
BoolVolume = npt.NDArray[np.bool_]
Box = tuple[slice, ...]


def bounding_box(mask: BoolVolume, multiples: Sequence[int] = (1, 1, 1)) -> Box | None:
    """The smallest box that holds a mask and starts at multiples of these numbers; None for an empty mask."""
    box = []
    for axis, step in enumerate(multiples):
        others = tuple(other for other in range(mask.ndim) if other != axis)
        places = np.flatnonzero(mask.any(axis=others))
        if not len(places):
            return None
        box.append(slice(int(places[0]) // step * step, int(places[-1]) + 1))
    return tuple(box)


def grown(box: Box, reach: Sequence[int], shape: Sequence[int]) -> tuple[Box, Box]:
    """A box with what lies up to so many voxels round it in the volume, and the box as a part of that."""
    around = tuple(
        slice(max(0, part.start - far), min(n, part.stop + far)) for part, far, n in zip(box, reach, shape, strict=True)
    )
    within = tuple(
        slice(part.start - outer.start, part.stop - outer.start) for part, outer in zip(box, around, strict=True)
    )
    return around, within


def tiles_of(box: Box, tile_zyx: Sequence[int], mask: BoolVolume | None) -> Iterator[Box]:
    """The tiles of a box, without those that hold nothing of the mask."""
    starts = (range(part.start, part.stop, edge) for part, edge in zip(box, tile_zyx, strict=True))
    for start in itertools.product(*starts):
        z, y, x = (slice(a, min(a + edge, part.stop)) for a, edge, part in zip(start, tile_zyx, box, strict=True))
        if mask is None or mask[z, y, x].any():
            yield z, y, x


def evenly(length: int, most: int) -> int:
    """The length of parts of about equal size, none above a limit."""
    return -(-length // -(-length // most))


def with_halo(volume: FloatVolume, tile: Box, radius_zyx: Sequence[int]) -> FloatVolume:
    """The part of a volume under a tile and its halo; outside the volume its edge is replicated."""
    parts, padding = [], []
    for part, radius, length in zip(tile, radius_zyx, volume.shape, strict=True):
        start, stop = part.start - radius, part.stop + radius
        parts.append(slice(max(0, start), min(length, stop)))
        padding.append((max(0, -start), max(0, stop - length)))
    block = volume[tuple(parts)]
    return np.pad(block, padding, mode="edge") if any(map(any, padding)) else np.ascontiguousarray(block)
