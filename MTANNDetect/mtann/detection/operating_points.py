"""Thresholds, with what they are known to do and the data that this is known from."""

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from mtann.settings import Settings


class OperatingPoint(Settings):
    """A threshold on the score and how it did on stated data."""

    name: str = Field(description="high_sensitivity, balanced, high_specificity, or what it was chosen for")
    threshold: float = Field(allow_inf_nan=False, description="score from which candidates are reported")
    sensitivity: float = Field(ge=0, le=1, description="share of lesions found")
    fp_per_case: float = Field(ge=0, description="false alarms a case")
    lesions: int = Field(ge=0, description="lesions that it was chosen on")
    cases: int = Field(ge=0, description="cases that it was chosen on")
    chosen_on: str = Field(description="which data, and whether the model had seen it")
    chosen_by: str = Field("", description="what the threshold was chosen for; empty in models from before it was said")
    interval: tuple[float, float] | None = Field(
        None, description="95 % bootstrap interval of the sensitivity at this threshold, by patient"
    )


def choose_operating_points(
    lesion_scores: Sequence[Sequence[float]], false_alarm_scores: Sequence[Sequence[float]], chosen_on: str
) -> tuple[OperatingPoint, ...]:
    """Choose thresholds from per-case scores of lesions (minus infinity: missed) and of false alarms.

    ``balanced`` maximises the lesion-wise F2 score, 5 TP / (5 TP + FP + 4 FN): a missed lesion weighs four times a
    false alarm. ``high_sensitivity`` is the highest threshold that keeps every lesion which was found at all. Ties go
    to the lower threshold. A threshold lies halfway between the lowest score that it keeps and the next one below, so
    that it does not hang on one candidate's last digit; see :func:`point_at` where nothing scored less.
    """
    lesions = np.concatenate([np.asarray(scores, dtype=np.float64) for scores in lesion_scores])
    alarms = np.concatenate([np.asarray(scores, dtype=np.float64) for scores in false_alarm_scores])
    found = np.sort(lesions[np.isfinite(lesions)])
    if not len(found):
        return ()
    kept = np.array([np.count_nonzero(lesions >= score) for score in found])
    wrong = np.array([np.count_nonzero(alarms >= score) for score in found])
    f2 = 5 * kept / (kept + wrong + 4 * len(lesions))
    chosen = {"balanced": float(found[int(np.argmax(f2))]), "high_sensitivity": float(found[0])}
    reasons = {"balanced": "lesion-wise F2 score", "high_sensitivity": "every lesion that was found at all"}
    return tuple(
        point_at(name, lowest, lesion_scores, false_alarm_scores, chosen_on, reasons[name])
        for name, lowest in chosen.items()
    )


def point_at(
    name: str,
    lowest: float,
    lesion_scores: Sequence[Sequence[float]],
    false_alarm_scores: Sequence[Sequence[float]],
    chosen_on: str,
    chosen_by: str,
) -> OperatingPoint:
    """The operating point that keeps a lesion's score and everything above it.

    Its threshold lies halfway to the next score below or, if there is none, to 0, which normal tissue is to answer; at
    that score itself if it is below 0 and the lowest.
    """
    lesions = np.concatenate([np.asarray(scores, dtype=np.float64) for scores in lesion_scores])
    alarms = np.concatenate([np.asarray(scores, dtype=np.float64) for scores in false_alarm_scores])
    scores = np.concatenate([lesions[np.isfinite(lesions)], alarms])
    below = scores[scores < lowest]
    threshold = (lowest + (float(below.max()) if len(below) else min(0.0, lowest))) / 2
    return point_of_threshold(name, threshold, lesion_scores, false_alarm_scores, chosen_on, chosen_by)


def point_of_threshold(
    name: str,
    threshold: float,
    lesion_scores: Sequence[Sequence[float]],
    false_alarm_scores: Sequence[Sequence[float]],
    chosen_on: str,
    chosen_by: str,
) -> OperatingPoint:
    """The operating point of a threshold, with what it keeps."""
    lesions = np.concatenate([np.asarray(scores, dtype=np.float64) for scores in lesion_scores])
    alarms = np.concatenate([np.asarray(scores, dtype=np.float64) for scores in false_alarm_scores])
    return OperatingPoint(
        name=name,
        threshold=threshold,
        sensitivity=float(np.mean(lesions >= threshold)),
        fp_per_case=float(np.count_nonzero(alarms >= threshold) / len(false_alarm_scores)),
        lesions=len(lesions),
        cases=len(lesion_scores),
        chosen_on=chosen_on,
        chosen_by=chosen_by,
    )
