"""Candidates that another detector, or a reader, gives to be scored.

So an MTANN reduces the false positives of any detector (Suzuki et al., Med Phys 30:1602, 2003): it says of each given
place how lesion-like it is, and finds none of its own.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from mtann.detection.candidate import Candidate
from mtann.detection.measure import Size, measure
from mtann.detection.outline import LabelVolume
from mtann.detection.region import Surroundings
from mtann.geometry import Geometry
from mtann.preprocess.grid import resample_mask
from mtann.sampling.lesions import DEFAULT_RADIUS_MM, Lesion
from mtann.sampling.teaching import box_between, outline_extent, teaching_sigma_mm
from mtann.settings import TrainingSettings

Voxels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class GivenCandidate(Lesion):
    """A place that was taken for a lesion.

    Attributes:
        score: The other detector's own score, or None.
        id: Its id, label or row (from 1) where it was read from; 0 for none.
    """

    score: float | None = None
    id: int = 0


def given_from(
    lesions: Sequence[Lesion], ids: Sequence[int] = (), scores: Sequence[float | None] = ()
) -> tuple[GivenCandidate, ...]:
    """Marked places as candidates, with ids (counted from 1 if empty) and scores (None if empty)."""
    return tuple(
        GivenCandidate(place.centre_lps_mm, place.radius_mm, place.outline, score, number)
        for place, number, score in zip(
            lesions, ids or range(1, len(lesions) + 1), scores or [None] * len(lesions), strict=True
        )
    )


def as_candidates(
    given: Sequence[GivenCandidate], grid: Geometry, training: TrainingSettings, class_name: str
) -> tuple[Candidate, ...]:
    """Given places as candidates, numbered in their order and not scored yet.

    Each is to be scored at its centre with the width that a lesion of its size is taught with, and has the size of its
    outline or, without one, of a sphere.

    Args:
        given: The places.
        grid: The model's grid.
        training: How the model was taught.
        class_name: What the model was taught to find.
    """
    candidates = []
    for number, one in enumerate(given, start=1):
        radius_mm = one.radius_mm or DEFAULT_RADIUS_MM
        size = _size(one, radius_mm)
        candidates.append(
            Candidate(
                id=number,
                centroid_lps_mm=one.centre_lps_mm,
                peak_lps_mm=one.centre_lps_mm,
                score=0.0,
                probability=None,
                class_name=class_name,
                reported=False,
                **asdict(size),
                scoring_sigma_mm=teaching_sigma_mm(radius_mm, grid, training),
                given_id=one.id,
                given_score=one.score,
            )
        )
    return tuple(candidates)


def _size(place: Lesion, radius_mm: float) -> Size:
    if place.outline is None:
        return Size(4 / 3 * np.pi * radius_mm**3, 2 * radius_mm, 2 * radius_mm, 2 * radius_mm)
    return measure(np.argwhere(place.outline.array), place.outline.geometry)


def covered_voxels(place: Lesion, grid: Geometry) -> Voxels:
    """The voxels (n, 3) of a grid that a place's outline or sphere covers; at least the one nearest to its centre."""
    if place.outline is None:
        radius_mm = place.radius_mm or DEFAULT_RADIUS_MM
        around = Surroundings(grid, np.array(place.centre_lps_mm), radius_mm)
        box, inside = around.box, around.distance_mm <= radius_mm
    else:
        box = box_between(*outline_extent(place.outline, grid), grid)
        inside = resample_mask(place.outline, grid.cropped([part.start for part in box], [part.stop for part in box]))
    voxels: Voxels = np.argwhere(inside) + np.array([part.start for part in box])
    if len(voxels):
        return voxels
    centre = np.round(grid.index_from_lps(place.centre_lps_mm)).astype(np.int64)
    return np.clip(centre, 0, np.array(grid.shape_zyx) - 1)[None]


def paint(voxels: Sequence[Voxels], order: Sequence[int] | Voxels, shape_zyx: tuple[int, int, int]) -> LabelVolume:
    """A label map with value k for the k-th list of voxels; where several meet, the last in the order lies on top."""
    labels: LabelVolume = np.zeros(shape_zyx, dtype=np.uint16)
    for number in order:
        labels[tuple(voxels[number].T)] = number + 1
    return labels
