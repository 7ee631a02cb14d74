"""Putting a training's report together from what was found on the cases."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mtann.evaluation.froc import froc
from mtann.evaluation.learning_curve import LearningCurve
from mtann.evaluation.matching import Match
from mtann.experts.combine import ScoredCase
from mtann.experts.teach import Experts
from mtann.fitting import TaughtCase
from mtann.models.bundle import ModelBundle
from mtann.out_of_fold import Findings
from mtann.report.training import AlarmOutcome, ExpertOutcome, LesionOutcome, TrainingReport

_STRONGEST = 20


def make_report(
    bundle: ModelBundle,
    taught: Sequence[TaughtCase],
    findings: Findings,
    experts: Experts | None,
    curve: LearningCurve | None,
) -> TrainingReport:
    """Say how a training went.

    Args:
        bundle: The model that came of it.
        taught: The training cases.
        findings: What the single MTANN found on them, out of fold if possible.
        experts: What false-positive discovery came to, if there was any.
        curve: Whether more lesions would help, if that was asked for.
    """
    lesions: list[LesionOutcome] = []
    alarms: list[AlarmOutcome] = []
    for number, finding in enumerate(findings.cases):
        case = taught[finding.case].case
        own = np.array([candidate.score for candidate in finding.candidates])
        scores = experts.combined[number] if experts else own
        best = _best(finding.match, scores)
        for position, (lesion, score) in enumerate(zip(case.lesions, best, strict=True), start=1):
            lesions.append(LesionOutcome(_name(finding.case), position, lesion, score, case.channels[0]))
        for candidate, score, hit in zip(finding.candidates, scores, finding.match.hits, strict=True):
            if hit is None:
                alarms.append(AlarmOutcome(_name(finding.case), candidate, float(score), case.channels[0]))
    alarms.sort(key=lambda one: -one.score)
    matches = [finding.match for finding in findings.cases]
    kept = bool(experts and experts.networks)
    return TrainingReport(
        card=bundle.card,
        sha256=bundle.sha256,
        seen=any(finding.fold is None for finding in findings.cases),
        single=froc([one.lesion_scores for one in matches], [one.false_alarm_scores for one in matches]),
        together=experts.together if experts and kept else None,
        operating_points=bundle.card.operating_points,
        lesions=tuple(lesions),
        false_alarms=tuple(one.score for one in alarms),
        strongest=tuple(alarms[:_STRONGEST]),
        experts=_experts(experts, taught) if experts and kept else (),
        curve=curve,
    )


def _name(case: int) -> str:
    """A case as the report calls it: by its number in the list, since its name may be a patient's."""
    return f"case {case + 1}"


def _best(match: Match, scores: npt.NDArray[np.float64]) -> list[float]:
    return ScoredCase(None, scores[None], match).lesion_scores(scores)


def _experts(experts: Experts, taught: Sequence[TaughtCase]) -> tuple[ExpertOutcome, ...]:
    outcomes = []
    for one in experts.types:
        case, candidate = taught[one.example.case].case, one.example.candidate
        example = AlarmOutcome(_name(one.example.case), candidate, candidate.score, case.channels[0])
        outcomes.append(ExpertOutcome(one.alarms, one.gain, example))
    return tuple(outcomes)
