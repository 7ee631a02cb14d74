"""How well a thresholded likelihood covers outlined lesions, and at which threshold best."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import Field

from mtann.geometry import Geometry
from mtann.preprocess.grid import resample_mask
from mtann.sampling.lesions import Lesion
from mtann.settings import Settings

FloatVolume = npt.NDArray[np.float32]
Counts = npt.NDArray[np.int64]

THRESHOLDS = np.arange(2, 100, 2) / 100
"""Likelihoods that a segmentation may begin at; a soft mask, as it is taught, lies between 0 and 1."""


class SegmentationThreshold(Settings):
    """The likelihood from which a voxel is taken as lesion, and how well that outlines lesions."""

    threshold: float = Field(gt=0, allow_inf_nan=False, description="least likelihood of a lesion's voxels")
    dice: float = Field(ge=0, le=1, description="mean Dice coefficient of the cases' lesions, taken together")
    cases: int = Field(ge=1, description="cases with outlined lesions that it was chosen on")
    chosen_on: str = Field(description="which data that was")


@dataclass(frozen=True)
class Overlap:
    """Voxels of one case on the model's grid, at every one of :data:`THRESHOLDS`.

    Attributes:
        found: Voxels that reach the threshold.
        hit: Those of them within lesions.
        true: Voxels within lesions.
    """

    found: Counts
    hit: Counts
    true: int

    @property
    def dice(self) -> npt.NDArray[np.float64]:
        """Dice coefficients: twice what both share, over the sum of both."""
        return np.asarray(2 * self.hit / (self.found + self.true))


def measure_overlap(likelihood: FloatVolume, lesions: Sequence[Lesion], grid: Geometry) -> Overlap | None:
    """Count voxels of a likelihood volume (z, y, x) within and without lesions; None unless all are outlined."""
    if not lesions or any(lesion.outline is None for lesion in lesions):
        return None
    inside = _inside(lesions, grid)
    if not inside.any():
        return None
    return Overlap(_reaching(likelihood), _reaching(likelihood[inside]), int(np.count_nonzero(inside)))


def choose_segmentation_threshold(overlaps: Sequence[Overlap | None], chosen_on: str) -> SegmentationThreshold | None:
    """The threshold of the greatest mean Dice coefficient; None where no lesion is outlined, or none is found."""
    measured = [overlap.dice for overlap in overlaps if overlap is not None]
    if not measured or not np.any(measured):
        return None
    mean = np.mean(measured, axis=0)
    best = int(np.argmax(mean))
    return SegmentationThreshold(
        threshold=float(THRESHOLDS[best]), dice=float(mean[best]), cases=len(measured), chosen_on=chosen_on
    )


def _reaching(values: FloatVolume) -> Counts:
    """How many values reach each threshold."""
    reached = np.searchsorted(THRESHOLDS, values.ravel(), side="right")
    at_least: Counts = np.bincount(reached, minlength=len(THRESHOLDS) + 1)[::-1].cumsum()[::-1]
    return at_least[1:]


def _inside(lesions: Sequence[Lesion], grid: Geometry) -> npt.NDArray[np.bool_]:
    """Where on a grid the lesions are."""
    inside = np.zeros(grid.shape_zyx, dtype=bool)
    for lesion in lesions:
        if lesion.outline is not None:
            outline = lesion.outline.geometry
            corners = np.array(np.meshgrid(*[(-0.5, n - 0.5) for n in outline.shape_zyx])).reshape(3, -1).T
            index = grid.index_from_lps(outline.lps_from_index(corners))
            start = np.clip(np.floor(index.min(axis=0)), 0, np.array(grid.shape_zyx) - 1).astype(int)
            stop = np.clip(np.ceil(index.max(axis=0)) + 1, start + 1, grid.shape_zyx).astype(int)
            z, y, x = (slice(a, b) for a, b in zip(start, stop, strict=True))
            inside[z, y, x] |= resample_mask(lesion.outline, grid.cropped(start, stop))
    return inside
