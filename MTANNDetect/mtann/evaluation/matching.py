"""Which candidates hit which reference lesions. The rule is always explicit."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mtann.detection.candidate import Candidate
from mtann.geometry import Triple
from mtann.sampling.lesions import DEFAULT_RADIUS_MM, Lesion

HIT_TOLERANCE_MM = 1.0
HIT_CRITERION = (
    f"a candidate's centroid within the lesion's outline or at most {HIT_TOLERANCE_MM:g} mm from it "
    "(for point annotations: from the sphere of the lesion's radius); "
    "further candidates on a lesion already hit do not count"
)


@dataclass(frozen=True)
class Match:
    """Outcome of one case.

    Attributes:
        lesion_scores: Highest score of a candidate on each lesion; minus infinity where it was missed altogether.
        false_alarm_scores: Scores of candidates on no lesion.
        hits: For each candidate, the lesion that it lies on, or None.
    """

    lesion_scores: tuple[float, ...]
    false_alarm_scores: tuple[float, ...]
    hits: tuple[int | None, ...]


def match(candidates: Sequence[Candidate], lesions: Sequence[Lesion]) -> Match:
    """Match candidates to lesions by :data:`HIT_CRITERION`; where several lesions qualify, the nearest is hit."""
    places = [candidate.centroid_lps_mm for candidate in candidates]
    return match_places(places, [candidate.score for candidate in candidates], lesions)


def match_places(
    places_lps_mm: Sequence[Triple],
    scores: Sequence[float],
    lesions: Sequence[Lesion],
    point_radius_mm: float = DEFAULT_RADIUS_MM,
) -> Match:
    """Match scored places of any detector, as :func:`match` does."""
    best = [-np.inf] * len(lesions)
    hits: list[int | None] = []
    for place, score in zip(places_lps_mm, scores, strict=True):
        distances = [_distance_mm(place, lesion) for lesion in lesions]
        nearest = int(np.argmin(distances)) if distances else 0
        if not distances or distances[nearest] > HIT_TOLERANCE_MM:
            hits.append(None)
            continue
        hits.append(nearest)
        best[nearest] = max(best[nearest], score)
    alarms = tuple(float(score) for score, hit in zip(scores, hits, strict=True) if hit is None)
    return Match(tuple(float(score) for score in best), alarms, tuple(hits))


def _distance_mm(place_lps_mm: Triple, lesion: Lesion) -> float:
    """Distance from a place to the lesion; 0 within it."""
    if lesion.outline is None:
        radius = lesion.radius_mm or DEFAULT_RADIUS_MM
        return max(0.0, float(np.linalg.norm(np.subtract(place_lps_mm, lesion.centre_lps_mm))) - radius)
    geometry = lesion.outline.geometry
    index = geometry.index_from_lps(place_lps_mm)
    # Distance to the nearest voxel's block, not to its centre, so that thick slices count as what they show.
    voxels = np.argwhere(lesion.outline.array)
    gap = np.maximum(np.abs(voxels - index) - 0.5, 0.0) * np.array(geometry.spacing_zyx_mm)
    return float(np.linalg.norm(gap, axis=1).min())
