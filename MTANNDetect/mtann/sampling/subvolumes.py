"""Training samples: subvolumes with the value to answer for their centre voxel."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtann.preprocess.levels import Levels, level_volumes
from mtann.preprocess.prepare import PreparedCase
from mtann.sampling.kernel import subvolume_offsets
from mtann.sampling.lesions import Lesion
from mtann.sampling.teaching import Box, Taught, teach, teaching_volume
from mtann.sampling.turned import gather_turned
from mtann.settings import NetworkSettings, TrainingSettings

FloatVolume = npt.NDArray[np.float32]
BoolVolume = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.int64]

NEGATIVE = -1
"""Group number of samples away from lesions; lesions count up from 0, regions round known non-lesions down from -2."""
IMAGE = int(np.iinfo(np.int64).min)
"""Group number of samples with an image as teacher, where there are neither lesions nor non-lesions."""

IN_LESION = 0.5
"""A voxel lies in a lesion where it is to be answered with this or more."""
_BRIGHT_SHARE = 0.1
_MINED_PER_CASE = 2000
"""Fewer where only each so manieth voxel was searched, or they would reach down to what is answered well."""


@dataclass(frozen=True)
class Samples:
    """Subvolumes of one case.

    Attributes:
        inputs: float16 (n, channels, levels, offsets): half the memory of what training takes the most of, and exact
            to a two thousandth, less than any scanner's noise.
        targets: float32 (n,), the teaching values.
        groups: Which lesion's or non-lesion's region each comes from; else :data:`NEGATIVE`, and
            :data:`IMAGE` where there is no such thing.
    """

    inputs: npt.NDArray[np.float16]
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
    image: vessels, cortex and whatever else a small network must learn to leave alone.
    """
    taught = [teach(lesion, prepared.grid, settings) for lesion in lesions]
    teacher = teaching_volume(taught, prepared.grid.shape_zyx)
    places, groups = _regions([one.box for one in taught], settings, random, teacher >= IN_LESION)
    negatives = _negatives(prepared, _away_from(taught, prepared.mask), settings.negatives_drawn, random)
    where = np.concatenate([places, negatives])
    groups = np.concatenate([groups, np.full(len(negatives), NEGATIVE)])
    return _samples(prepared, where, teacher[tuple(where.T)], groups, network, settings, random)


def region_negatives(
    prepared: PreparedCase,
    non_lesions: Sequence[Lesion],
    lesions: Sequence[Lesion],
    network: NetworkSettings,
    settings: TrainingSettings,
    random: np.random.Generator,
) -> Samples:
    """Every voxel of the training regions round known non-lesions, to be answered with 0.

    So Suzuki teaches each expert its type of non-nodule (Med Phys 30:1602, 2003). Voxels near a lesion are left out.
    """
    free = _away_from([teach(lesion, prepared.grid, settings) for lesion in lesions], np.ones_like(prepared.mask))
    boxes = [teach(one, prepared.grid, settings).box for one in non_lesions]
    places, numbers = _regions(boxes, settings, random)
    kept = free[tuple(places.T)]
    places, numbers = places[kept], numbers[kept]
    zeros = np.zeros(len(places), np.float32)
    return _samples(prepared, places, zeros, NEGATIVE - 1 - numbers, network, settings, random)


def mine_negatives(
    likelihood: FloatVolume,
    prepared: PreparedCase,
    lesions: Sequence[Lesion],
    network: NetworkSettings,
    settings: TrainingSettings,
    stride: int = 1,
) -> Samples:
    """The voxels away from lesions where a trained network answers most wrongly, as negatives.

    ``likelihood`` holds each so manieth voxel (``stride``) along every axis that the subvolume spans.
    """
    taught = [teach(lesion, prepared.grid, settings) for lesion in lesions]
    steps = np.array([1 if network.dimensions == 2 else stride, stride, stride])
    free = _away_from(taught, prepared.mask)[tuple(slice(None, None, step) for step in steps)]
    flat = np.where(free, likelihood, -np.inf).ravel()
    count = min(_MINED_PER_CASE // stride, int(np.count_nonzero(free)))
    strongest = np.argpartition(flat, -count)[-count:] if count else np.empty(0, dtype=np.int64)
    # Sorted, so that equal input gives equal order whatever the partition did.
    where = np.stack(np.unravel_index(np.sort(strongest), free.shape), axis=1) * steps
    inputs = to_keep(gather(prepared.channels, where, network))
    return Samples(inputs, np.zeros(count, np.float32), np.full(count, NEGATIVE, dtype=np.int64))


def to_keep(inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float16]:
    """Subvolumes as samples keep them; what a half cannot hold becomes the largest that it can."""
    most = float(np.finfo(np.float16).max)
    return np.clip(inputs, -most, most).astype(np.float16)


def gather(channels: Sequence[FloatVolume], where: Indices, network: NetworkSettings) -> npt.NDArray[np.float32]:
    """Subvolumes (n, channels, levels, offsets) centred on voxels ``where`` (n, 3) in z, y, x; edges are replicated."""
    return gather_from(level_volumes(channels, network), where, network)


def gather_from(levels: Levels, where: Indices, network: NetworkSettings) -> npt.NDArray[np.float32]:
    """Subvolumes as :func:`gather` gives them, from the volumes of each level and channel."""
    offsets = subvolume_offsets(network)
    result = np.empty((len(where), len(levels[0]), len(levels), len(offsets)), dtype=np.float32)
    shape = np.array(levels[0][0].shape)
    strides = np.array([shape[1] * shape[2], shape[2], 1])
    for level, dilation in enumerate(network.dilations):
        around = where[:, None, :] + offsets * dilation
        rows = np.clip(around, 0, shape - 1, out=around) @ strides
        for number, channel in enumerate(levels[level]):
            result[:, number, level] = channel.ravel()[rows]
    return result


def _samples(
    prepared: PreparedCase,
    where: Indices,
    targets: npt.NDArray[np.float32],
    groups: Indices,
    network: NetworkSettings,
    settings: TrainingSettings,
    random: np.random.Generator,
) -> Samples:
    """The subvolumes at some voxels and, of each region, as many turned ones as the settings say."""
    levels = level_volumes(prepared.channels, network)
    inputs = to_keep(gather_from(levels, where, network))
    count = (settings.turned_per_region or 0) if settings.augment else 0
    regions = [np.flatnonzero(groups == group) for group in np.unique(groups) if group != NEGATIVE]
    if not (count and regions):
        return Samples(inputs, targets, groups)
    again = np.concatenate([random.choice(region, count) for region in regions])
    turned = to_keep(gather_turned(levels, where[again], network, random))
    return Samples(
        np.concatenate([inputs, turned]),
        np.concatenate([targets, targets[again]]),
        np.concatenate([groups, groups[again]]),
    )


def _regions(
    boxes: Sequence[Box], settings: TrainingSettings, random: np.random.Generator, inside: BoolVolume | None = None
) -> tuple[Indices, Indices]:
    """The voxels (n, 3) of training regions, so many of each at most, and which region (n,) each is of.

    Where there are more, the settings' ``lesion_share``, if there is one, is drawn from ``inside`` as far as that goes.
    """
    most = settings.voxels_per_lesion
    places, numbers = [np.empty((0, 3), dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    for number, box in enumerate(boxes):
        grid = np.meshgrid(*[np.arange(part.start, part.stop) for part in box], indexing="ij")
        voxels = np.stack(grid, axis=-1).reshape(-1, 3)
        if len(voxels) > most:
            if inside is None or settings.lesion_share is None:
                voxels = voxels[random.choice(len(voxels), most, replace=False)]
            else:
                voxels = voxels[_of_both(inside[tuple(voxels.T)], most, settings.lesion_share, random)]
        places.append(voxels)
        numbers.append(np.full(len(voxels), number))
    return np.concatenate(places), np.concatenate(numbers)


def _of_both(within: BoolVolume, most: int, share: float, random: np.random.Generator) -> Indices:
    """So many of a region's voxels: a share of them from within the lesion, if it has as many, the rest round it."""
    inner, outer = np.flatnonzero(within), np.flatnonzero(~within)
    count = min(len(inner), max(math.ceil(most * share), most - len(outer)))
    chosen = [random.choice(inner, count, replace=False), random.choice(outer, most - count, replace=False)]
    return np.concatenate(chosen)


def _away_from(taught: Sequence[Taught], mask: BoolVolume) -> BoolVolume:
    """The part of a mask where no lesion's response may be felt."""
    free = mask.copy()
    for one in taught:
        free[one.guard] = False
    return free


def _negatives(prepared: PreparedCase, free: BoolVolume, count: int, random: np.random.Generator) -> Indices:
    tissue = np.flatnonzero(free)
    if not len(tissue) or not count:
        return np.empty((0, 3), dtype=np.int64)
    unusual = np.zeros(len(tissue), dtype=np.float32)
    for channel in prepared.images:
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
