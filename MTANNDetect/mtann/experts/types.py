"""Sorting false alarms into types, by what the network makes of them and by what they look like."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
from scipy.cluster.vq import kmeans2
from scipy.spatial.distance import cdist

from mtann.detection.candidate import Candidate

FloatArray = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

_COMPONENTS = 5
"""Principal components of the hidden activity that are kept."""
_STARTS = 10
_LEAST_OF_A_TYPE = 4
"""Fewer false alarms than these teach an expert nothing but themselves."""


@dataclass(frozen=True)
class FalseAlarm:
    """A false alarm on a training case.

    Attributes:
        case: Number of the case.
        candidate: What was found there.
        activity: Hidden units' activity about its peak.
        intensities: Normalised intensity about its peak, one a channel.
    """

    case: int
    candidate: Candidate
    activity: FloatArray
    intensities: FloatArray


def sort_into_types(alarms: Sequence[FalseAlarm], most: int, seed: int) -> list[list[FalseAlarm]]:
    """Types of false alarms, the most frequent first; none where there are too few to speak of types.

    k-means on standardised features, with the number of clusters (2 to ``most``) of the best mean silhouette
    (Rousseeuw, J Comput Appl Math 20:53, 1987). Clusters with hardly a member are left out.
    """
    most = min(most, len(alarms) // _LEAST_OF_A_TYPE)
    if most < 1:
        return []
    features = _features(alarms)
    labels = np.zeros(len(alarms), dtype=np.int64)
    best = 0.0
    # k-means ends in a local optimum that depends on where it starts.
    for count, start in product(range(2, most + 1), range(_STARTS)):
        found = kmeans2(features, count, minit="++", seed=seed + start)[1].astype(np.int64)
        if (quality := silhouette(features, found)) > best:
            best, labels = quality, found
    groups = [[alarm for alarm, own in zip(alarms, labels, strict=True) if own == label] for label in np.unique(labels)]
    return sorted((group for group in groups if len(group) >= _LEAST_OF_A_TYPE), key=len, reverse=True)


def silhouette(features: FloatArray, labels: Labels) -> float:
    """Mean silhouette (-1 to 1) of a clustering; 0 for a sample alone in its cluster, and where all are in one."""
    kinds = np.unique(labels)
    if len(kinds) < 2:
        return 0.0
    distances = cdist(features, features)
    mean = np.stack([distances[:, labels == kind].mean(axis=1) for kind in kinds], axis=1)
    position = np.searchsorted(kinds, labels)
    sizes = np.bincount(position)[position]
    rows = np.arange(len(labels))
    # A sample's distance to itself is no distance to another member.
    own = mean[rows, position] * sizes / np.maximum(sizes - 1, 1)
    mean[rows, position] = np.inf
    other = mean.min(axis=1)
    score = np.where(sizes > 1, (other - own) / np.maximum(np.maximum(own, other), 1e-12), 0.0)
    return float(score.mean())


def _features(alarms: Sequence[FalseAlarm]) -> FloatArray:
    activity = _standardised(np.stack([alarm.activity for alarm in alarms]))
    _, _, axes = np.linalg.svd(activity, full_matrices=False)
    components = activity @ axes[:_COMPONENTS].T
    shapes = [
        [
            np.log(max(alarm.candidate.volume_mm3, 1e-3)),
            alarm.candidate.perpendicular_diameter_mm / max(alarm.candidate.axial_diameter_mm, 1e-3),
            3 * np.log(max(alarm.candidate.max_diameter_mm, 1e-3)) - np.log(max(alarm.candidate.volume_mm3, 1e-3)),
            *alarm.intensities,
        ]
        for alarm in alarms
    ]
    # Activity and looks weigh about the same, however many numbers describe each.
    looks = _standardised(np.array(shapes, dtype=np.float64))
    total = np.maximum(np.sqrt(components.var(axis=0).sum()), 1e-9)
    return np.concatenate([components / total, looks / looks.shape[1] ** 0.5], axis=1)


def _standardised(values: FloatArray) -> FloatArray:
    result: FloatArray = (values - values.mean(axis=0)) / np.maximum(values.std(axis=0), 1e-9)
    return result
