"""From a likelihood volume to scored, outlined, measured candidates."""

from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mtann.detection.calibration import Calibration
from mtann.detection.candidate import Candidate
from mtann.detection.combination import Combination
from mtann.detection.measure import measure
from mtann.detection.outline import LabelVolume, grow_outlines
from mtann.detection.peaks import Peak, find_peaks
from mtann.geometry import Geometry, Triple
from mtann.preprocess.grid import restore
from mtann.progress import Run
from mtann.settings import DetectionSettings

FloatVolume = npt.NDArray[np.float32]
BoolVolume = npt.NDArray[np.bool_]
FloatScores = npt.NDArray[np.float64]


def find_candidates(
    likelihood: FloatVolume,
    grid: Geometry,
    mask: BoolVolume,
    target: Geometry,
    settings: DetectionSettings,
    class_name: str,
    run: Run | None = None,
) -> tuple[FloatVolume, LabelVolume, tuple[Candidate, ...]]:
    """Find candidates on the model's grid, and outline and measure them on the image's.

    Args:
        likelihood: Likelihood volume (z, y, x) on the model's grid.
        grid: The model's grid.
        mask: Where tissue is, on the model's grid.
        target: The image's grid.
        settings: Scales, outline fraction, floor, and how many are kept.
        class_name: What the model was taught to find.
        run: Progress and cancellation.

    Returns:
        The likelihood volume and the label map (value k is candidate k) on the image's grid, and the candidates by
        descending score, none of them marked as reported yet.

    Raises:
        CancelledError: The user asked to stop.
    """
    run = run or Run()
    peaks = find_peaks(likelihood, grid, mask, settings, run.part(0.0, 0.7))
    run.report("candidates", 0.7, "Bringing the likelihood back to the image's grid")
    restored = restore(likelihood, grid, target)
    places = grid.lps_from_index(np.array([peak.index_zyx for peak in peaks], dtype=np.float64).reshape(-1, 3))
    run.report("candidates", 0.85, f"Outlining candidates from {len(peaks)} peaks")
    labels, kept = grow_outlines(restored, target, peaks, places, settings, run)
    by_score = sorted(range(len(kept)), key=lambda number: (-kept[number].score, number))
    boxes = ndimage.find_objects(labels, max_label=len(kept))
    ranked = renumbered(labels, [number + 1 for number in by_score], boxes)
    candidates = []
    for rank, number in enumerate(by_score, start=1):
        run.check()
        candidates.append(_describe(rank, kept[number], grid, ranked, restored, boxes[number], target, class_name))
    return restored, ranked, tuple(candidates)


def renumbered(
    labels: LabelVolume, former: Sequence[int], boxes: Sequence[tuple[slice, ...] | None] | None = None
) -> LabelVolume:
    """A label map in which k stands where the k-th of some former values did, and 0 elsewhere.

    Args:
        labels: The map.
        former: The values.
        boxes: For value k at place k - 1 the box that holds it; looked for if None. Only the boxes are gone through.
    """
    boxes = boxes if boxes is not None else ndimage.find_objects(labels)
    result = np.zeros_like(labels)
    for rank, value in enumerate(former, start=1):
        box = boxes[value - 1] if value <= len(boxes) else None
        if box is not None:
            result[box][labels[box] == value] = rank
    return result


def rescore(
    labels: LabelVolume, candidates: Sequence[Candidate], network_scores: FloatScores, combination: Combination
) -> tuple[LabelVolume, tuple[Candidate, ...]]:
    """Score candidates by one or several networks, and number them and the label map anew.

    Args:
        labels: Label map, value k for candidate k.
        candidates: The candidates as they were numbered so far.
        network_scores: (networks, candidates), the single MTANN's first.
        combination: How they become one score.
    """
    combined = combination.apply(network_scores)
    by_score = sorted(range(len(candidates)), key=lambda number: (-combined[number], number))
    rescored = [
        replace(
            candidates[number],
            id=rank,
            score=float(combined[number]),
            expert_scores=tuple(map(float, network_scores[:, number])) if len(network_scores) > 1 else (),
        )
        for rank, number in enumerate(by_score, start=1)
    ]
    return renumbered(labels, [candidates[number].id for number in by_score]), tuple(rescored)


def report_from(candidates: Sequence[Candidate], threshold: float) -> tuple[Candidate, ...]:
    """The candidates with those marked as reported whose score reaches the threshold."""
    return tuple(replace(candidate, reported=candidate.score >= threshold) for candidate in candidates)


def with_probabilities(candidates: Sequence[Candidate], calibration: Calibration | None) -> tuple[Candidate, ...]:
    """The candidates with their calibrated probabilities; without a calibration they have none."""
    if calibration is None or not candidates:
        return tuple(candidates)
    chances = calibration.apply([candidate.score for candidate in candidates]).tolist()
    return tuple(replace(one, probability=chance) for one, chance in zip(candidates, chances, strict=True))


def _describe(
    rank: int,
    peak: Peak,
    grid: Geometry,
    labels: LabelVolume,
    likelihood: FloatVolume,
    box: tuple[slice, ...],
    target: Geometry,
    class_name: str,
) -> Candidate:
    voxels = np.argwhere(labels[box] == rank) + np.array([part.start for part in box])
    weights = np.maximum(likelihood[tuple(voxels.T)].astype(np.float64), 1e-6)
    centre = np.average(voxels, axis=0, weights=weights)
    size = measure(voxels, target)
    return Candidate(
        id=rank,
        centroid_lps_mm=_triple(target.lps_from_index(centre)),
        peak_lps_mm=_triple(grid.lps_from_index(peak.index_zyx)),
        score=peak.score,
        probability=None,
        class_name=class_name,
        reported=False,
        **asdict(size),
        scoring_sigma_mm=peak.scale_mm,
    )


def _triple(point: npt.NDArray[np.float64]) -> Triple:
    return (float(point[0]), float(point[1]), float(point[2]))
