"""Cutting a patch out of a case, turned and scaled as drawn, in one interpolation."""

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from mtann.training.unet.augment import Turn


def cut(array: npt.NDArray[np.generic], centre: npt.NDArray[np.float64], turn: Turn, *, smooth: bool) -> torch.Tensor:
    """A patch (channels, three axes) about a place; zero outside of the case.

    Only the box that the patch needs is read.

    Args:
        array: Channels, then three axes.
        centre: Index of the patch's middle.
        turn: Its size, and how it lies in the case.
        smooth: Whether to interpolate; else the nearest voxel is taken.
    """
    size = np.array(turn.size)
    if turn.is_plain:
        start = np.round(centre - (size - 1) / 2).astype(int)
        return torch.flip(_box(array, start, start + size), [axis + 1 for axis in turn.mirrored])
    reach = np.abs(turn.matrix) @ ((size - 1) / 2)
    start, stop = np.floor(centre - reach).astype(int), np.ceil(centre + reach).astype(int) + 1
    source = _box(array, start, stop)
    places = torch.from_numpy(_normalised(turn, centre - start, stop - start)).float()
    patch = functional.grid_sample(
        source[None], places[None], mode="bilinear" if smooth else "nearest", padding_mode="zeros", align_corners=True
    )[0]
    return torch.flip(patch, [axis + 1 for axis in turn.mirrored])


def _box(array: npt.NDArray[np.generic], start: npt.NDArray[np.int_], stop: npt.NDArray[np.int_]) -> torch.Tensor:
    """A box of the case as 32-bit numbers, zero where it lies outside."""
    shape = np.array(array.shape[1:])
    box = np.zeros((array.shape[0], *(stop - start)), dtype=np.float32)
    low, high = np.clip(start, 0, shape), np.clip(stop, 0, shape)
    if np.all(high > low):
        inside = tuple(slice(a, b) for a, b in zip(low - start, high - start, strict=True))
        taken = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        box[(slice(None), *inside)] = array[(slice(None), *taken)]
    return torch.from_numpy(box)


def _normalised(turn: Turn, middle: npt.NDArray[np.float64], extent: npt.NDArray[np.int_]) -> npt.NDArray[np.float64]:
    """Where each voxel of the patch lies in the box, as torch counts: x, y, z from -1 to 1."""
    axes = [np.arange(n) - (n - 1) / 2 for n in turn.size]
    offsets = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    index = offsets @ turn.matrix.T + middle
    normalised: npt.NDArray[np.float64] = (2 * index / np.maximum(extent - 1, 1) - (extent > 1))[..., ::-1]
    return np.ascontiguousarray(normalised)
