"""The training report as one self-contained HTML page: ``training_report.html``."""

from collections.abc import Sequence
from dataclasses import dataclass

from mtann.evaluation.matching import HIT_CRITERION
from mtann.report.documents import RESEARCH_USE_NOTICE
from mtann.report.html import software_versions, template
from mtann.report.snapshot import lesion_png, place_png
from mtann.report.training import AlarmOutcome, LesionOutcome, TrainingReport
from mtann.report.training_plots import curve_png, froc_png, scores_png
from mtann.report.words import count_words, position_words, signed_words

_MOST_MISSED, _MOST_ALARMS = 12, 6
MAIN_POINT = "balanced"


@dataclass(frozen=True)
class _Snapshot:
    """A picture of the page and what is said below it."""

    picture: bytes
    caption: str


def training_page(report: TrainingReport) -> str:
    """The content of ``training_report.html``: no link, no script, nothing to load from elsewhere."""
    missed = _missed(report)
    return template("training.html").render(
        report=report,
        card=report.card,
        froc=froc_png(report),
        scores=scores_png(report),
        curve=curve_png(report.curve) if report.curve else b"",
        missed=[_Snapshot(lesion_png(one.image, one.lesion), _lesion_words(one)) for one in missed[:_MOST_MISSED]],
        all_missed=len(missed),
        alarms=[_alarm_snapshot(one) for one in report.strongest[:_MOST_ALARMS]],
        experts=[(one, _alarm_snapshot(one.example)) for one in report.experts],
        main_point=MAIN_POINT,
        hit_criterion=HIT_CRITERION,
        notice=RESEARCH_USE_NOTICE,
        software=software_versions(),
        count=count_words,
        position=position_words,
        signed=signed_words,
    )


def _missed(report: TrainingReport) -> Sequence[LesionOutcome]:
    """The lesions that the balanced threshold misses, the largest first: those should not have been."""
    thresholds = [point.threshold for point in report.operating_points if point.name == MAIN_POINT]
    least = thresholds[0] if thresholds else float("inf")
    missed = [one for one in report.lesions if one.score < least]
    return sorted(missed, key=lambda one: -(one.lesion.radius_mm or 0.0))


def _lesion_words(one: LesionOutcome) -> str:
    size = f", {2 * one.lesion.radius_mm:.1f} mm" if one.lesion.radius_mm else ""
    score = f"score {one.score:.3f}" if one.has_candidate else "no candidate"
    return f"{one.case}, lesion {one.number}{size}: {score}, at {position_words(one.lesion.centre_lps_mm)}"


def _alarm_snapshot(one: AlarmOutcome) -> _Snapshot:
    candidate = one.candidate
    picture = place_png(one.image, candidate.centroid_lps_mm, candidate.max_diameter_mm / 2)
    place = position_words(candidate.centroid_lps_mm)
    return _Snapshot(picture, f"{one.case}: score {one.score:.3f}, {candidate.max_diameter_mm:.1f} mm, at {place}")
