"""The evaluation report as one self-contained HTML page: ``report.html``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mtann.errors import MTANNError
from mtann.evaluation.assess import LEVELS, Evaluation
from mtann.evaluation.bootstrap import Measured
from mtann.evaluation.study import StudyCase
from mtann.report.documents import RESEARCH_USE_NOTICE
from mtann.report.evaluation_plots import evaluation_froc_png, reliability_png, sizes_png, volumes_png
from mtann.report.html import software_versions, template
from mtann.report.snapshot import snapshot_jpeg
from mtann.report.words import count_words, position_words
from mtann.sampling.lesions import Lesion

_MOST_BYTES = 6_000_000
"""Of pictures in a page; in base64 they take a third more."""

WORDS = {
    "sensitivity": "Sensitivity",
    "fp_per_case": "False alarms a case",
    "precision": "Precision: lesions found, of these and false alarms",
    "f1": "F1 score",
    "mean_sensitivity": "Mean sensitivity at 1/8 to 8 false alarms a case",
    "average_precision": "Average precision",
    "specificity": "Specificity",
    "ppv": "Positive predictive value",
    "npv": "Negative predictive value",
    "auroc": "Area under the ROC curve",
    "dice": "Dice coefficient",
    "iou": "Intersection over union",
    "surface_dice_1mm": "Surface Dice at 1 mm",
    "surface_dice_2mm": "Surface Dice at 2 mm",
    "hd95_mm": "95 % Hausdorff distance (mm)",
    "assd_mm": "Average symmetric surface distance (mm)",
    "lesion_wise_dice": "Lesion-wise Dice (BraTS-METS)",
    "lesion_wise_hd95_mm": "Lesion-wise 95 % Hausdorff distance (mm; BraTS-METS, 374 for a miss)",
    "volume_bias_mm3": "Volume, found less true: mean (mm³)",
    "volume_limit_low_mm3": "Volume: lower limit of agreement (mm³)",
    "volume_limit_high_mm3": "Volume: upper limit of agreement (mm³)",
    "expected_calibration_error": "Expected calibration error",
    "brier_score": "Brier score",
    "kappa_cases": "Kappa, lesions in a case or none",
    "kappa_voxels": "Kappa, voxels",
    "agreement_lesions": "Share of lesions marked by both",
    "figure_of_merit": "JAFROC figure of merit, over cases without lesions",
    "figure_of_merit_all": "AFROC1 figure of merit, over all cases",
}


def words_of(name: str) -> str:
    """A figure's name in words."""
    level, _, rest = name.partition(".")
    if level in LEVELS:
        return f"{words_of(rest)} ({level}s)"
    if name.startswith("sensitivity_at_"):
        return f"Sensitivity at {name.removeprefix('sensitivity_at_').removesuffix('_fp')} false alarms a case"
    return WORDS.get(name, name)


def figure_words(measured: Measured) -> str:
    """A figure, such as ``"0.812"``; a dash where it cannot be said."""
    if measured.value is None:
        return "–"
    return _number(measured.value)


def interval_words(measured: Measured) -> str:
    """Its interval, such as ``"0.734 to 0.881"``."""
    if measured.low is None or measured.high is None:
        return "–"
    return f"{_number(measured.low)} to {_number(measured.high)}"


def _number(value: float) -> str:
    text = f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
    # What rounds to nothing has no sign.
    return text.lstrip("-") if not float(text) else text.replace("-", "−")


@dataclass(frozen=True)
class Shot:
    """A picture of the gallery, perhaps missing, and what is said below it."""

    picture: bytes | None
    caption: str


@dataclass(frozen=True)
class _Wrong:
    """Something to show: a lesion that was missed, or a false alarm."""

    case: int
    place: Lesion
    is_lesion: bool
    rank: float
    caption: str


def evaluation_page(evaluation: Evaluation, title: str = "Evaluation") -> str:
    """The content of ``report.html``: no link, no script, nothing to load from elsewhere."""
    wrong = [*_missed(evaluation), *_alarms(evaluation)]
    shots, unreadable = _pictures(wrong, [one.case for one in evaluation.cases])
    missed = [shot for one, shot in zip(wrong, shots, strict=True) if one.is_lesion]
    alarms = [shot for one, shot in zip(wrong, shots, strict=True) if not one.is_lesion]
    sized = any(found.value is not None for _, found in evaluation.sizes.values())
    return template("evaluation.html").render(
        title=title,
        evaluation=evaluation,
        lesions=sum(len(one.case.lesions) for one in evaluation.cases),
        froc=evaluation_froc_png(evaluation) if evaluation.lesion else b"",
        sizes=sizes_png(evaluation) if sized else b"",
        reliability=reliability_png(evaluation) if evaluation.reliability else b"",
        volumes=volumes_png(evaluation.voxels, evaluation) if evaluation.voxels else b"",
        missed=missed,
        alarms=alarms,
        pictured=sum(shot.picture is not None for shot in shots),
        shots=len(shots),
        unreadable=unreadable,
        notice=RESEARCH_USE_NOTICE,
        software=software_versions(),
        words=words_of,
        value=figure_words,
        interval=interval_words,
        count=count_words,
        shown=_shown,
    )


def _shown(figures: Mapping[str, Measured]) -> list[str]:
    """The figures of a subgroup that can be said; those at single rates stand in ``evaluation.json`` alone."""
    return [name for name, one in figures.items() if one.value is not None and "sensitivity_at_" not in name]


def _missed(evaluation: Evaluation) -> list[_Wrong]:
    """Lesions without a reported candidate, the largest first."""
    found = []
    for number, one in enumerate(evaluation.cases):
        best = zip(one.case.lesions, one.match.lesion_scores, one.reported.lesion_scores, strict=True)
        for position, (lesion, score, reported) in enumerate(best, start=1):
            if not np.isfinite(reported):
                size = f", {2 * lesion.radius_mm:.1f} mm" if lesion.radius_mm else ""
                below = f"best candidate scores {score:.3f}" if np.isfinite(score) else "no candidate"
                place = position_words(lesion.centre_lps_mm)
                caption = f"case {number + 1}, lesion {position}{size}: {below}, at {place}"
                found.append(_Wrong(number, lesion, True, lesion.radius_mm or 0.0, caption))
    return sorted(found, key=lambda one: -one.rank)


def _alarms(evaluation: Evaluation) -> list[_Wrong]:
    """Reported candidates on no lesion, the strongest first."""
    found = []
    for number, one in enumerate(evaluation.cases):
        for candidate, hit in zip(one.case.found, one.match.hits, strict=True):
            if hit is None and candidate.reported:
                caption = (
                    f"case {number + 1}: score {candidate.score:.3f}, at {position_words(candidate.centre_lps_mm)}"
                )
                found.append(_Wrong(number, candidate, False, candidate.score, caption))
    return sorted(found, key=lambda one: -one.rank)


def _pictures(wrong: Sequence[_Wrong], cases: Sequence[StudyCase]) -> tuple[list[Shot], int]:
    """A picture of each, misses and false alarms by turns, until the page is large enough; one image in memory.

    Returns:
        The pictures, and of how many cases the image could not be read.
    """
    turns = sorted(range(len(wrong)), key=lambda number: (_turn(wrong, number), number))
    pictures: dict[int, bytes] = {}
    unreadable = set[int]()
    total, average = 0, 0.0
    chosen: list[int] = []
    for number in turns:
        # An estimate by the first pictures tells how many will fit; each image is then read once.
        if average and (len(chosen) + 1) * average > _MOST_BYTES:
            break
        chosen.append(number)
        if len(chosen) <= 3:
            picture = _picture(wrong[number], cases[wrong[number].case], unreadable)
            if picture is not None:
                pictures[number] = picture
                total += len(picture)
                average = 1.15 * total / len(pictures)
    for case in sorted({wrong[number].case for number in chosen}):
        own = [number for number in chosen if wrong[number].case == case and number not in pictures]
        lazy = cases[case].image
        if not own or lazy is None:
            continue
        try:
            image = lazy()
        except MTANNError:
            unreadable.add(case)
            continue
        for number in own:
            if total < _MOST_BYTES:
                pictures[number] = snapshot_jpeg(image, wrong[number].place, is_lesion=wrong[number].is_lesion)
                total += len(pictures[number])
    return [Shot(pictures.get(number), one.caption) for number, one in enumerate(wrong)], len(unreadable)


def _turn(wrong: Sequence[_Wrong], number: int) -> int:
    """How many of its own kind stand before one."""
    return sum(one.is_lesion == wrong[number].is_lesion for one in wrong[:number])


def _picture(one: _Wrong, case: StudyCase, unreadable: set[int]) -> bytes | None:
    if case.image is None:
        return None
    try:
        return snapshot_jpeg(case.image(), one.place, is_lesion=one.is_lesion)
    except MTANNError:
        unreadable.add(one.case)
        return None
