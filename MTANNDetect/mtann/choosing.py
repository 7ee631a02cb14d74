"""What is chosen on candidates that the networks had not seen: operating points, and probabilities for scores."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from mtann.detection.calibration import Calibration, learn_calibration
from mtann.detection.operating_points import OperatingPoint, choose_operating_points
from mtann.detection.targets import (
    cautious_point,
    choose_or_refuse,
    high_specificity_point,
    point_for_fp_per_case,
    point_for_sensitivity,
    point_for_youden,
)
from mtann.evaluation.bootstrap import measure, resamples, share
from mtann.experts.teach import Experts
from mtann.fitting import TaughtCase
from mtann.out_of_fold import Findings
from mtann.sampling.few import FEW_LESIONS
from mtann.settings import TrainingSettings


@dataclass(frozen=True)
class Choice:
    """Operating points, the ones refused and why, and the calibration if there is enough to learn one from."""

    points: tuple[OperatingPoint, ...]
    refused: tuple[str, ...]
    calibration: Calibration | None


def choose_from(
    findings: Findings, taught: Sequence[TaughtCase], experts: Experts | None, training: TrainingSettings
) -> Choice:
    """Choose on what was found.

    Nothing is calibrated on cases that the model had seen: their scores are too high for others.
    """
    lesions: list[Sequence[float]] = [one.match.lesion_scores for one in findings.cases]
    alarms: list[Sequence[float]] = [one.match.false_alarm_scores for one in findings.cases]
    scores = [np.array([candidate.score for candidate in one.candidates]) for one in findings.cases]
    if experts:
        scores = list(experts.combined)
        pairs = list(zip(experts.cases, scores, strict=True))
        lesions = [case.lesion_scores(own) for case, own in pairs]
        alarms = [case.false_alarm_scores(own) for case, own in pairs]
    usual = choose_operating_points(lesions, alarms, findings.chosen_on)
    more, refused = _on_request(lesions, alarms, findings.chosen_on, training) if usual else ([], [])
    patients = [taught[one.case].case.patient for one in findings.cases]
    points = tuple(_with_interval(point, lesions, patients) for point in (*usual, *more))
    return Choice(points, tuple(refused), _calibrate(findings, scores))


def _on_request(
    lesions: Sequence[Sequence[float]], alarms: Sequence[Sequence[float]], chosen_on: str, training: TrainingSettings
) -> tuple[list[OperatingPoint], list[str]]:
    choices = [partial(high_specificity_point, lesions, alarms, chosen_on)]
    if training.task == "classification" and sum(map(len, lesions)) < FEW_LESIONS:
        choices.insert(0, partial(cautious_point, lesions, alarms, chosen_on))
    choices += [partial(point_for_sensitivity, t, lesions, alarms, chosen_on) for t in training.target_sensitivity]
    choices += [partial(point_for_fp_per_case, t, lesions, alarms, chosen_on) for t in training.target_fp_per_case]
    choices.append(partial(point_for_youden, lesions, alarms, chosen_on))
    return choose_or_refuse(choices)


def _with_interval(
    point: OperatingPoint, lesions: Sequence[Sequence[float]], patients: Sequence[str]
) -> OperatingPoint:
    found = [sum(score >= point.threshold for score in scores) for scores in lesions]
    measured = measure(share(found, [len(scores) for scores in lesions]), resamples(patients), is_share=True)
    if measured.low is None or measured.high is None:
        return point
    return point.model_copy(update={"interval": (measured.low, measured.high)})


def _calibrate(findings: Findings, scores: Sequence[npt.NDArray[np.float64]]) -> Calibration | None:
    if any(one.fold is None for one in findings.cases) or not scores:
        return None
    hits = [hit is not None for one in findings.cases for hit in one.match.hits]
    return learn_calibration(np.concatenate(scores), np.array(hits, dtype=bool), findings.chosen_on)
