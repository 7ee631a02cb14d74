"""How far networks of other seeds and folds, and mirrored images, lead to other answers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mtann.detection.candidate import Candidate
from mtann.volume import Volume

FloatVolume = npt.NDArray[np.float32]
LabelVolume = npt.NDArray[np.generic]

_REACH = 0.75
"""A candidate is measured anew within its outline's box, grown by this share of its size to each side."""
_LEAST_REACH = 2


@dataclass(frozen=True)
class VolumeInterval:
    """What the evaluations make of one candidate's volume: their median, and where 95 % of them lie.

    They show how far the networks disagree, not how far the outline is from the truth.
    """

    id: int
    median_mm3: float
    low_mm3: float
    high_mm3: float


@dataclass(frozen=True)
class Uncertainty:
    """How sure a model is of a result, on its grid.

    Attributes:
        networks: How many networks were asked: repetitions, and those of the cross-validation if the model keeps them.
        mirrorings: In how many mirrored positions each saw the image.
        variance: Variance of the likelihood over all these evaluations.
        entropy: Entropy in bits of their mean, taken as a chance: 1 at a half, 0 at 0 and at 1.
        volumes: One interval a candidate.
    """

    networks: int
    mirrorings: int
    variance: Volume = field(repr=False)
    entropy: Volume = field(repr=False)
    volumes: tuple[VolumeInterval, ...]


def summarise(
    evaluations: Iterable[FloatVolume],
    candidates: Sequence[Candidate],
    candidate_map: Volume,
    outline_fraction: float,
    networks: int,
    mirrorings: int,
) -> Uncertainty:
    """Put evaluations together, one in memory at a time.

    Args:
        evaluations: Likelihood volumes on the result's grid.
        candidates: The result's candidates.
        candidate_map: Value k is candidate k.
        outline_fraction: Of a candidate's peak, where its outline ends.
        networks: How many networks.
        mirrorings: How many mirrorings of each.
    """
    labels = np.asarray(candidate_map.array)
    boxes = ndimage.find_objects(labels, max_label=max((one.id for one in candidates), default=0))
    total = np.zeros(labels.shape, dtype=np.float64)
    squares = np.zeros(labels.shape, dtype=np.float64)
    counts: list[list[int]] = []
    for evaluation in evaluations:
        total += evaluation
        squares += evaluation.astype(np.float64) ** 2
        counts.append([_voxels(evaluation, labels, one.id, boxes[one.id - 1], outline_fraction) for one in candidates])
    mean = total / len(counts)
    variance = np.maximum(squares / len(counts) - mean**2, 0.0).astype(np.float32)
    volumes = np.array(counts, dtype=np.float64) * candidate_map.geometry.voxel_volume_mm3
    lows, medians, highs = np.percentile(volumes, [2.5, 50, 97.5], axis=0)
    name = candidate_map.name.removesuffix(" candidates")
    return Uncertainty(
        networks,
        mirrorings,
        candidate_map.with_array(variance, f"{name} variance"),
        candidate_map.with_array(entropy_of(mean), f"{name} entropy"),
        tuple(
            VolumeInterval(one.id, float(middle), float(low), float(high))
            for one, low, middle, high in zip(candidates, lows, medians, highs, strict=True)
        ),
    )


def entropy_of(mean: npt.NDArray[np.float64]) -> FloatVolume:
    """Entropy in bits of values taken as chances, those outside 0 to 1 as 0 or 1."""
    chance = np.clip(mean, 0.0, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        bits = -(chance * np.log2(chance) + (1 - chance) * np.log2(1 - chance))
    return np.nan_to_num(bits).astype(np.float32)


def _voxels(
    evaluation: FloatVolume, labels: LabelVolume, number: int, box: tuple[slice, ...] | None, fraction: float
) -> int:
    """Voxels of one candidate in one evaluation: connected to where its likelihood is highest within its outline."""
    if box is None:
        return 0
    around = []
    for part, length in zip(box, labels.shape, strict=True):
        reach = max(_LEAST_REACH, round(_REACH * (part.stop - part.start)))
        around.append(slice(max(0, part.start - reach), min(length, part.stop + reach)))
    own = np.asarray(labels[tuple(around)])
    values = np.where((own == 0) | (own == number), evaluation[tuple(around)], -np.inf)
    inside = np.where(own == number, values, -np.inf)
    peak = float(inside.max())
    if peak <= 0:
        return 0
    parts, _ = ndimage.label(values >= fraction * peak, structure=np.ones((3, 3, 3)))
    return int(np.count_nonzero(parts == parts[np.unravel_index(int(inside.argmax()), inside.shape)]))
