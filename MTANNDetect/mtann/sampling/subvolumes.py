"""Training samples: subvolumes with the value to answer for their centre voxel."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtann.preprocess.levels import level_volume
from mtann.preprocess.prepare import PreparedCase
from mtann.sampling.kernel import kernel_radius_zyx, subvolume_offsets
from mtann.sampling.lesions import Lesion
from mtann.sampling.teaching import teach, teaching_volume
from mtann.settings import NetworkSettings, TrainingSettings

FloatVolume = npt.NDArray[np.float32]
BoolVolume = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.int64]

NEGATIVE = -1
"""Group number of samples away from lesions; lesions count from 0."""

_MOST_VOXELS_PER_LESION = 4096
"""Regions up to 16^3 are sampled completely; of larger ones, this many voxels at random."""
_BRIGHT_SHARE = 0.1
_MINED_PER_CASE = 2000


@dataclass(frozen=True)
class Samples:
    """Subvolumes of one case.

    Attributes:
        inputs: float32 (n, levels, channels, offsets).
        targets: float32 (n,), the teaching values.
        groups: Which lesion's region each comes from; :data:`NEGATIVE` for none.
    """

    inputs: npt.NDArray[np.float32]
    targets: npt.NDArray[np.float32]
    groups: Indices


def draw_samples(
    prepared: PreparedCase,
    lesions: Sequence[Lesion],
    network: NetworkSettings,
    settings: TrainingSettings,
    random: np.random.Generator,
) -> Samples:
    """Every voxel of the lesions' training regions, and negatives from the rest of the tissue.

    Half of the negatives are drawn at random, half among the tenth of tissue that differs most from the median in any
    channel: vessels, cortex and whatever else a small network must learn to leave alone.
    """
    taught = [teach(lesion, prepared.grid, settings) for lesion in lesions]
    teacher = teaching_volume(taught, prepared.grid.shape_zyx)
    free = prepared.mask.copy()
    places, groups = [], []
    for number, one in enumerate(taught):
        free[one.guard] = False
        voxels = _voxels(one.box)
        if len(voxels) > _MOST_VOXELS_PER_LESION:
            voxels = voxels[random.choice(len(voxels), _MOST_VOXELS_PER_LESION, replace=False)]
        places.append(voxels)
        groups.append(np.full(len(voxels), number))
    negatives = _negatives(prepared, free, settings.negatives_per_case, random)
    places.append(negatives)
    groups.append(np.full(len(negatives), NEGATIVE))
    where = np.concatenate(places)
    return Samples(
        gather(prepared.channels, where, network), teacher[tuple(where.T)], np.concatenate(groups).astype(np.int64)
    )


def mine_negatives(
    likelihood: FloatVolume,
    prepared: PreparedCase,
    lesions: Sequence[Lesion],
    network: NetworkSettings,
    settings: TrainingSettings,
) -> Samples:
    """The voxels away from lesions where a trained network answers most wrongly, as negatives."""
    taught = [teach(lesion, prepared.grid, settings) for lesion in lesions]
    wrong = np.where(prepared.mask, likelihood, -np.inf)
    for one in taught:
        wrong[one.guard] = -np.inf
    flat = wrong.ravel()
    count = min(_MINED_PER_CASE, int(np.count_nonzero(np.isfinite(flat))))
    strongest = np.argpartition(flat, -count)[-count:] if count else np.empty(0, dtype=np.int64)
    # Sorted, so that equal input gives equal order whatever the partition did.
    where = np.stack(np.unravel_index(np.sort(strongest), wrong.shape), axis=1).astype(np.int64)
    return Samples(
        gather(prepared.channels, where, network), np.zeros(count, np.float32), np.full(count, NEGATIVE, dtype=np.int64)
    )


def gather(channels: Sequence[FloatVolume], where: Indices, network: NetworkSettings) -> npt.NDArray[np.float32]:
    """Subvolumes (n, levels, channels, offsets) centred on voxels ``where`` (n, 3) in z, y, x; edges are replicated."""
    offsets = subvolume_offsets(network.dimensions)
    result = np.empty((len(where), len(network.dilations), len(channels), len(offsets)), dtype=np.float32)
    for level, dilation in enumerate(network.dilations):
        radius = np.array(kernel_radius_zyx(network.dimensions)) * dilation
        for number, channel in enumerate(channels):
            padded = np.pad(level_volume(channel, dilation, network.dimensions), [(r, r) for r in radius], mode="edge")
            strides = np.array([padded.shape[1] * padded.shape[2], padded.shape[2], 1])
            base = (where + radius) @ strides
            result[:, level, number] = padded.ravel()[base[:, None] + (offsets * dilation) @ strides]
    return result


def _voxels(box: tuple[slice, slice, slice]) -> Indices:
    return np.stack(np.meshgrid(*[np.arange(part.start, part.stop) for part in box], indexing="ij"), axis=-1).reshape(
        -1, 3
    )


def _negatives(prepared: PreparedCase, free: BoolVolume, count: int, random: np.random.Generator) -> Indices:
    tissue = np.flatnonzero(free)
    if not len(tissue) or not count:
        return np.empty((0, 3), dtype=np.int64)
    unusual = np.zeros(len(tissue), dtype=np.float32)
    for channel in prepared.channels:
        values = channel.ravel()[tissue]
        np.maximum(unusual, np.abs(values - np.median(values)), out=unusual)
    bright = tissue[unusual >= np.quantile(unusual, 1 - _BRIGHT_SHARE)]
    chosen = np.concatenate(
        [
            random.choice(pool, min(len(pool), number), replace=False)
            for pool, number in ((tissue, count - count // 2), (bright, count // 2))
        ]
    )
    return np.stack(np.unravel_index(chosen, free.shape), axis=1).astype(np.int64)
