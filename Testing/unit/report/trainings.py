"""A made-up training to report on, with numbers known by construction."""

from dataclasses import replace

import numpy as np

from mtann.detection.operating_points import OperatingPoint
from mtann.evaluation.froc import froc
from mtann.evaluation.learning_curve import learning_curve
from mtann.models.card import ModelCard
from mtann.preprocess.prepare import Channel, InputSpecification
from mtann.report.training import AlarmOutcome, ExpertOutcome, LesionOutcome, TrainingReport
from mtann.sampling.lesions import Lesion
from mtann.settings import DetectionSettings, NetworkSettings, TrainingSettings
from unit.report.results import SPHERES, candidate, centred, make_result

IMAGE, _ = make_result(centred((40, 50, 46), (3.0, 3.0, 3.0)), SPHERES)


def point(name: str, threshold: float, sensitivity: float, fp_per_case: float) -> OperatingPoint:
    return OperatingPoint(
        name=name,
        threshold=threshold,
        sensitivity=sensitivity,
        fp_per_case=fp_per_case,
        lesions=4,
        cases=2,
        chosen_on="out-of-fold candidates",
    )


CARD = ModelCard(
    name="balls",
    inputs=InputSpecification(channels=(Channel(name="t1c"),), spacing_mm=1.0),
    network=NetworkSettings(),
    training=TrainingSettings(),
    detection=DetectionSettings(),
    operating_points=(point("balanced", 0.5, 0.5, 1.0), point("high_sensitivity", 0.25, 0.75, 12.0)),
    training_cases=2,
    training_patients=2,
    training_lesions=4,
    training_data=(),
    notes=("One lesion lies outside.",),
    seed=0,
    software={},
)
LESION_SCORES, ALARM_SCORES = ((0.9, 0.3), (0.6, -np.inf)), ((0.7, 0.2), (0.65, 0.1, 0.05))


def make_training(with_experts: bool = False, with_curve: bool = False, seen: bool = False) -> TrainingReport:
    """Four lesions in two cases: two found at both thresholds, one only at the lower, one without a candidate."""
    lesions = tuple(
        LesionOutcome(f"case {case}", number, Lesion(SPHERES[2 * case + number - 3][0], radius), score, IMAGE)
        for (case, number, radius), score in zip(
            ((1, 1, 7.0), (1, 2, 4.0), (2, 1, 3.0), (2, 2, 6.5)), np.ravel(LESION_SCORES).tolist(), strict=True
        )
    )
    alarms = tuple(
        AlarmOutcome(f"case {case}", candidate(1, SPHERES[4], 0.5), score, IMAGE)
        for score, case in ((0.7, 1), (0.65, 2), (0.2, 1))
    )
    single = froc(LESION_SCORES, ALARM_SCORES)
    together = froc(LESION_SCORES, ((0.2,), (0.1,)))
    values = [np.full(4, share) for share in (0.1, 0.2, 0.3, 0.4)]
    return TrainingReport(
        card=CARD,
        sha256="ef" * 32,
        seen=seen,
        single=single,
        together=together if with_experts else None,
        operating_points=CARD.operating_points,
        lesions=lesions,
        false_alarms=tuple(score for scores in ALARM_SCORES for score in scores),
        strongest=alarms,
        experts=(ExpertOutcome(81, 0.058, replace(alarms[0], case="case 2")),) if with_experts else (),
        curve=learning_curve("patients", (0.25, 0.5, 0.75, 1.0), (1, 2, 3, 4), values, 0) if with_curve else None,
    )
