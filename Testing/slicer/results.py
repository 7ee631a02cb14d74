"""Made-up images and results whose every number is known."""

from collections.abc import Sequence

import numpy as np

from mtann.detection.candidate import Candidate, DetectionResult, InputReference, ModelReference
from mtann.geometry import Geometry
from mtann.settings import DetectionSettings
from mtann.volume import Volume

SCORES = (0.83, 0.61, 0.2)
THRESHOLD = 0.4


def ball(geometry: Geometry, centre_lps_mm: Sequence[float], radius_mm: float) -> np.ndarray:
    """Which voxels of a grid lie within a ball."""
    index = np.moveaxis(np.indices(geometry.shape_zyx), 0, -1)
    return np.linalg.norm(geometry.lps_from_index(index) - np.asarray(centre_lps_mm), axis=-1) <= radius_mm


def make_result(geometry: Geometry, scores: Sequence[float] = SCORES, threshold: float = THRESHOLD) -> DetectionResult:
    """A result with one ball-shaped candidate a score, placed along the grid's diagonal."""
    likelihood = np.zeros(geometry.shape_zyx, dtype=np.float32)
    candidate_map = np.zeros(geometry.shape_zyx, dtype=np.uint16)
    candidates = []
    for number, score in enumerate(scores, start=1):
        centre = geometry.lps_from_index((np.array(geometry.shape_zyx) - 1) * number / (len(scores) + 1))
        inside = ball(geometry, centre, 2.5)
        likelihood[inside] = score
        candidate_map[inside] = number
        candidates.append(make_candidate(number, tuple(centre.tolist()), score, score >= threshold))
    return DetectionResult(
        likelihood=Volume(likelihood, geometry, "likelihood"),
        candidate_map=Volume(candidate_map, geometry, "candidates"),
        candidates=tuple(candidates),
        model=ModelReference("made-up", "1", "0" * 64),
        inputs=(InputReference("flair", "FLAIR", ""),),
        settings=DetectionSettings(),
        threshold=threshold,
        threshold_origin="the test",
        warnings=("The model is made up.",),
    )


def make_candidate(number: int, centre: tuple[float, float, float], score: float, reported: bool) -> Candidate:
    return Candidate(
        id=number,
        centroid_lps_mm=centre,
        peak_lps_mm=(centre[0] + 0.25, centre[1], centre[2] - 0.5),
        score=score,
        probability=None if number == 2 else score / 2,
        class_name="lesion",
        reported=reported,
        volume_mm3=65.4 + number,
        axial_diameter_mm=5.1,
        perpendicular_diameter_mm=4.9,
        max_diameter_mm=5.3,
    )
