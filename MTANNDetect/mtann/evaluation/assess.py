"""A study's whole evaluation: every level's figures with their intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mtann.evaluation.bootstrap import DRAWS, Measured, Resamples, measure, resamples
from mtann.evaluation.froc import Froc, froc
from mtann.evaluation.levels import (
    Figure,
    VoxelLevel,
    case_figures,
    confusion,
    ill_and_called,
    lesion_figures,
    size_figures,
)
from mtann.evaluation.reliability import Reliability, reliability_of
from mtann.evaluation.rules import HitRule
from mtann.evaluation.study import MatchedCase, StudyCase, is_scored, match_cases
from mtann.evaluation.subgroups import Subgroup, subgroups
from mtann.progress import Run

LEVELS = ("lesion", "case", "voxel")
FEW = 5
"""Cases without lesions, below which a figure that rests on them comes with a warning."""


@dataclass(frozen=True)
class Evaluation:
    """Everything that a study says.

    Attributes:
        rule: When a candidate hits a lesion.
        cases: The cases, matched.
        lesion: Figures at the level of lesions; empty if not asked for.
        sizes: Lesions and share found of each size class.
        case: Figures at the level of cases.
        confusion: Cases: true positives, false positives, false negatives, true negatives.
        voxel: Figures at the level of voxels; empty without label maps.
        voxels: What they come from.
        calibration: Figures of the probabilities; empty without any.
        reliability: What they come from.
        readers: Agreement with a second reader; empty without one.
        groups: Subgroups by column.
        froc: The curve; None without scores or lesions.
        patients: How many patients there are.
        notes: What to know before trusting the figures.
    """

    rule: HitRule
    cases: tuple[MatchedCase, ...]
    lesion: dict[str, Measured]
    sizes: dict[str, tuple[int, Measured]]
    case: dict[str, Measured]
    confusion: tuple[int, int, int, int]
    voxel: dict[str, Measured]
    voxels: VoxelLevel | None
    calibration: dict[str, Measured]
    reliability: Reliability | None
    readers: dict[str, Measured]
    groups: dict[str, tuple[Subgroup, ...]]
    froc: Froc | None
    patients: int
    notes: tuple[str, ...]


def assess(
    cases: Sequence[StudyCase],
    rule: HitRule,
    *,
    levels: Sequence[str] = LEVELS,
    readers: Sequence[Figure] = (),
    draws: int = DRAWS,
    seed: int = 0,
    run: Run | None = None,
) -> Evaluation:
    """Evaluate a study.

    Args:
        cases: The cases, in an order that changes nothing but the rows' order.
        rule: When a candidate hits a lesion.
        levels: Which of :data:`LEVELS` to evaluate.
        readers: Figures of the agreement with a second reader.
        draws: Draws of the bootstrap.
        seed: Seed of the bootstrap.
        run: Progress and cancellation.

    Raises:
        CasesError: The rule needs outlines that are not there, or maps lie on different grids.
    """
    run = run or Run()
    run.report("match", 0.0, "Matching candidates to lesions")
    matched = match_cases(cases, rule)
    ordered = [one.case for one in matched]
    weights = resamples([case.patient for case in ordered], draws, seed)
    run.report("measure", 0.2, "Lesions and cases")
    lesion = lesion_figures(matched) if "lesion" in levels else []
    case = case_figures(matched) if "case" in levels else []
    run.report("measure", 0.4, "Voxels")
    voxels = VoxelLevel(ordered) if "voxel" in levels else None
    voxel = voxels.figures() if voxels is not None and voxels.is_there else []
    reliability = reliability_of(matched)
    run.report("measure", 0.7, "Intervals and subgroups")
    groups, notes = subgroups(ordered, [*_renamed("lesion", lesion), *_renamed("case", case)], weights)
    return Evaluation(
        rule=rule,
        cases=matched,
        lesion=_measured(lesion, weights),
        sizes=_sizes(matched, weights) if lesion else {},
        case=_measured(case, weights),
        confusion=_confusion(matched),
        voxel=_measured(voxel, weights),
        voxels=voxels if voxel else None,
        calibration=_measured(reliability.figures(), weights) if reliability else {},
        reliability=reliability,
        readers=_measured(readers, weights),
        groups=groups,
        froc=_curve(matched),
        patients=weights.patients,
        notes=(*_notes(matched, weights), *_voxel_notes(voxels), *notes),
    )


def _measured(figures: Sequence[Figure], weights: Resamples) -> dict[str, Measured]:
    return {one.name: measure(one.statistic, weights, one.is_share) for one in figures}


def _sizes(cases: Sequence[MatchedCase], weights: Resamples) -> dict[str, tuple[int, Measured]]:
    return {
        name: (count, measure(figure.statistic, weights, figure.is_share))
        for name, (count, figure) in size_figures(cases).items()
    }


def _confusion(cases: Sequence[MatchedCase]) -> tuple[int, int, int, int]:
    tp, fp, fn, tn = (int(each.sum()) for each in confusion(*ill_and_called(cases)))
    return tp, fp, fn, tn


def _curve(cases: Sequence[MatchedCase]) -> Froc | None:
    if not is_scored([one.case for one in cases]) or not any(one.case.lesions for one in cases):
        return None
    return froc([one.match.lesion_scores for one in cases], [one.match.false_alarm_scores for one in cases])


def _renamed(level: str, figures: Sequence[Figure]) -> list[Figure]:
    """Figures with their level before their names, since lesions and cases both have a sensitivity."""
    return [Figure(f"{level}.{one.name}", one.statistic, one.is_share) for one in figures]


def _voxel_notes(voxels: VoxelLevel | None) -> list[str]:
    """Which cases the voxels' means leave out, since a mean over the others may flatter."""
    if voxels is None:
        return []
    if not voxels.is_there:
        return ["Predictions or references are points, so there are no voxels to compare."]
    notes = []
    if missing := sum(one is None for one in voxels.measured):
        notes.append(
            f"In {missing} of {len(voxels.measured)} cases predictions or references are points: these have no voxels "
            "to compare and are left out there."
        )
    one_empty = sum(one is not None and bool(np.isnan(one.whole.hd95_mm)) for one in voxels.measured)
    if one_empty:
        notes.append(
            f"In {one_empty} of {len(voxels.measured)} cases one mask is empty and the other is not: these count as "
            "Dice 0 but have no surface distance, so mean distances flatter. Lesion-wise distances count each miss."
        )
    return notes


def _notes(cases: Sequence[MatchedCase], weights: Resamples) -> list[str]:
    notes = []
    if weights.patients < 2:
        notes.append("There is one patient, so no interval can be given: how patients differ is not known.")
    if not any(one.case.lesions for one in cases):
        notes.append("No case has a lesion: there is no sensitivity, only false alarms and specificity.")
    if all(one.case.lesions for one in cases):
        notes.append("Every case has lesions: there is no specificity, and no ROC curve of cases.")
    healthy = sum(not one.case.lesions for one in cases)
    if any(one.case.lesions for one in cases) and 0 < healthy < FEW:
        notes.append(f"Only {healthy} case(s) have no lesion: specificity and the ROC area rest on these.")
    if not any(one.case.found for one in cases):
        notes.append("Nothing was found in any case.")
    elif not is_scored([one.case for one in cases]):
        notes.append("Candidates have no scores, so there is one threshold and no FROC curve.")
    unknown = sum(not lesion.radius_mm for one in cases for lesion in one.case.lesions)
    if unknown:
        notes.append(f"{unknown} lesions are points of unknown size; they are in no size class.")
    return notes
