"""The Laplacian-of-Gaussian detector on candidate phantoms, as strong as hindsight makes it.

Scales, their normalisation and where the response is taken are chosen on the very candidates that it is scored on: what
it reaches is an upper bound.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
from candidate_phantoms import EDGE_VOXELS, CandidatePhantom, auc
from scipy import ndimage

SIGMAS_MM = (1.0, 1.4, 2.0, 2.5, 3.0, 3.5, 4.2)
POWERS = (1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0)
_NEIGHBOURHOOD = 2
"""Voxels to each side in which a peak is sought, where the response is not taken at the middle itself."""
_HALF_CROP = 14


@dataclass(frozen=True)
class LogChoice:
    """Smallest and largest scale, exponent of sigma in the normalisation, and whether the peak nearby is taken."""

    first: int
    last: int
    power: float
    peak: bool


CHOICES = [
    LogChoice(first, last, power, peak)
    for first, last, power, peak in product(range(len(SIGMAS_MM)), range(len(SIGMAS_MM)), POWERS, (False, True))
    if first <= last
]


def responses(sample: Sequence[CandidatePhantom]) -> npt.NDArray[np.float64]:
    """Negative Laplacian of Gaussian (n, scales, 2): at the middle voxel, and the greatest within two voxels."""
    middle, half, near = EDGE_VOXELS // 2, _HALF_CROP, _NEIGHBOURHOOD
    crop = slice(middle - half, middle + half + 1)
    around = slice(half - near, half + near + 1)
    table = np.empty((len(sample), len(SIGMAS_MM), 2))
    for row, one in zip(table, sample, strict=True):
        image = one.volume.array[crop, crop, crop].astype(np.float64)
        for cell, sigma in zip(row, SIGMAS_MM, strict=True):
            response = -ndimage.gaussian_laplace(image, sigma, mode="nearest", truncate=3)
            cell[:] = response[half, half, half], response[around, around, around].max()
    return table


def log_scores(table: npt.NDArray[np.float64], choice: LogChoice) -> npt.NDArray[np.float64]:
    """The detector's score (n,) of each candidate: the strongest normalised response over the scales."""
    normalised = table[:, :, int(choice.peak)] * np.array(SIGMAS_MM) ** choice.power
    return np.asarray(normalised[:, choice.first : choice.last + 1].max(axis=1))


def best_choice(sample: Sequence[CandidatePhantom]) -> tuple[LogChoice, float]:
    """The settings with the greatest AUC on these candidates, and that AUC."""
    table, lesion = responses(sample), np.array([one.is_lesion for one in sample])
    areas = [auc(scores[lesion], scores[~lesion]) for scores in (log_scores(table, choice) for choice in CHOICES)]
    best = int(np.argmax(areas))
    return CHOICES[best], areas[best]
