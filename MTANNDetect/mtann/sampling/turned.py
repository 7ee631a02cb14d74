"""Subvolumes turned by any angle and scaled: more to learn from where lesions are few.

Flips and right-angle turns map the input grid onto itself, so a batch can be turned for nothing; but a handful of
vessels shown so runs in a handful of directions. Here each subvolume's grid is turned at random and takes the nearest
voxels. Nothing is interpolated, so noise stays what it is. A teaching volume as wide as its lesion scales with it: the
value to answer is the same.
"""

import numpy as np
import numpy.typing as npt

from mtann.preprocess.levels import Levels
from mtann.sampling.kernel import subvolume_offsets
from mtann.settings import NetworkSettings

FloatArray = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

LARGEST_SCALE = 1.65
"""What is seen is shrunk or enlarged by up to this factor, all of them equally likely on a logarithmic scale."""
_AT_ONCE = 4096


def gather_turned(
    levels: Levels, where: Indices, network: NetworkSettings, random: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Subvolumes (n, channels, levels, offsets) centred on voxels ``where`` (n, 3), each turned and scaled at random.

    ``levels`` are the volumes of each level and channel; edges are replicated.
    """
    offsets = subvolume_offsets(network)
    turns = random_turns(len(where), network.dimensions, random)
    shape = np.array(levels[0][0].shape)
    strides = np.array([shape[1] * shape[2], shape[2], 1])
    result = np.empty((len(where), len(levels[0]), len(levels), len(offsets)), dtype=np.float32)
    for start in range(0, len(where), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        turned = np.einsum("nij,oj->noi", turns[part], offsets.astype(np.float64))
        for level, dilation in enumerate(network.dilations):
            around = where[part, None, :] + np.rint(turned * dilation).astype(np.int64)
            rows = np.clip(around, 0, shape - 1, out=around) @ strides
            for number, channel in enumerate(levels[level]):
                result[part, number, level] = channel.ravel()[rows]
    return result


def random_turns(count: int, dimensions: int, random: np.random.Generator) -> FloatArray:
    """Matrices (count, 3, 3) in z, y, x: rotations, all equally likely, times a scale; of a slice, within it."""
    scale = LARGEST_SCALE ** random.uniform(-1, 1, count)[:, None, None]
    if dimensions == 2:
        angle = random.uniform(0, 2 * np.pi, count)
        turns = np.zeros((count, 3, 3))
        turns[:, 1, 1] = turns[:, 2, 2] = np.cos(angle)
        turns[:, 2, 1], turns[:, 1, 2] = np.sin(angle), -np.sin(angle)
        turns *= scale
        turns[:, 0, 0] = 1
        return turns
    w, x, y, z = (q := random.standard_normal((count, 4))).T / np.linalg.norm(q, axis=1)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    rotations: FloatArray = np.moveaxis(np.array(rows), -1, 0)
    return rotations * scale
