"""A learning curve by training again on a part of the lesions, with the same folds."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt

from mtann.errors import CasesError
from mtann.evaluation.learning_curve import LearningCurve, learning_curve, shares_by_lesion
from mtann.fitting import TaughtCase, TrainingPlan, fit_networks, is_telling
from mtann.out_of_fold import Findings, out_of_fold
from mtann.progress import Run
from mtann.sampling.folds import Fold

Unit = TypeVar("Unit", str, tuple[int, int])

SHARES = (0.25, 0.5, 0.75)
FEW_PATIENTS = 8
"""With fewer patients who have lesions, single lesions are left out: a quarter of the patients would be one."""


@dataclass(frozen=True)
class Thinned:
    """A part of the cases, with folds that count them anew.

    Attributes:
        taught: The cases that are left.
        folds: The same folds, by number among these cases.
        lesions: How many lesions are left to learn from.
    """

    taught: tuple[TaughtCase, ...]
    folds: tuple[Fold, ...]
    lesions: int


def learn_curve(
    taught: Sequence[TaughtCase], folds: Sequence[Fold], findings: Findings, plan: TrainingPlan, run: Run
) -> LearningCurve:
    """Train the single MTANN on a quarter, half and three quarters of the lesions, and look at the held-out cases.

    Args:
        taught: All cases.
        folds: Cases that each fold holds out; lesions lie in at least two folds.
        findings: What was found out of fold by training on all lesions.
        plan: How to train.
        run: Progress and cancellation.

    Raises:
        CancelledError: The user asked to stop.
    """
    by = thinned_by(taught, plan)
    found, lesions = [], []
    for number, share in enumerate(SHARES):
        part = run.part(number / len(SHARES), (number + 1) / len(SHARES))
        thin = thinned(taught, folds, share, by, plan.training.seed)
        fitted = fit_networks(thin.taught, thin.folds, plan, part.part(0.0, 0.7))
        found.append(_shares(out_of_fold(fitted, taught, folds, plan, part.part(0.7, 1.0))))
        lesions.append(thin.lesions)
    lesions.append(sum(len(one.case.lesions) for one in taught))
    return learning_curve(by, (*SHARES, 1.0), lesions, [*found, _shares(findings)], plan.training.seed)


def check_can_thin(taught: Sequence[TaughtCase], folds: Sequence[Fold], plan: TrainingPlan) -> None:
    """Make sure that there can be a learning curve.

    Raises:
        CasesError: Networks answer in a row, or too little is held out.
    """
    if plan.network.stages > 1:
        raise CasesError(
            f"A learning curve needs a single network, but setting 'stages' is {plan.network.stages}: the networks "
            "before the last one would have learnt from all lesions. Train with 'stages' 1, or without the curve."
        )
    if not is_telling([taught[case] for fold in folds for case in fold], plan):
        raise CasesError(
            "A learning curve needs held-out cases: lesions in at least two patients (and non-lesions, where "
            f"candidates are classified) and two folds; {len(folds)} folds can be used here. Train without it."
        )


def thinned_by(taught: Sequence[TaughtCase], plan: TrainingPlan) -> Literal["patients", "lesions"]:
    """Whether there are enough patients to leave whole ones out.

    Where candidates are classified, none are: with a patient his non-lesions would go, perhaps all that a fold has.
    """
    patients = {one.case.patient for one in taught if one.case.lesions}
    return "patients" if len(patients) >= FEW_PATIENTS and plan.training.task == "detection" else "lesions"


def thinned(
    taught: Sequence[TaughtCase],
    folds: Sequence[Fold],
    share: float,
    by: Literal["patients", "lesions"],
    seed: int,
) -> Thinned:
    """Keep a share of the patients who have lesions, with all that is theirs, or of the lesions.

    A larger share holds all of a smaller one. What is kept is spread over the folds, and at least two folds keep
    lesions, so that the networks of every fold have some to learn from. Patients without lesions all stay. A lesion
    that is left out is not taught as anything: it is neither lesion nor tissue.
    """
    fold_of = {int(case): number for number, fold in enumerate(folds) for case in fold}
    marked = [(n, k) for n, one in enumerate(taught) for k in range(len(one.case.lesions))]
    if by == "lesions":
        chosen = _kept({lesion: fold_of.get(lesion[0], -1) for lesion in marked}, share, seed)
        cases = tuple(_with_lesions(one, [k for m, k in chosen if m == n]) for n, one in enumerate(taught))
        return Thinned(cases, tuple(folds), len(chosen))
    diseased = {taught[n].case.patient: fold_of.get(n, -1) for n, _ in marked}
    patients = _kept(diseased, share, seed)
    stay = [n for n, one in enumerate(taught) if one.case.patient in patients or one.case.patient not in diseased]
    place = {case: number for number, case in enumerate(stay)}
    left = [np.array([place[int(case)] for case in fold if int(case) in place], dtype=np.int64) for fold in folds]
    return Thinned(tuple(taught[n] for n in stay), tuple(left), sum(n in place for n, _ in marked))


def _kept(units: Mapping[Unit, int], share: float, seed: int) -> set[Unit]:
    """A share of the units, given with their folds: shuffled, and one of each fold taken in turn."""
    names = sorted(units)
    turn: Counter[int] = Counter()
    ranked = []
    for number in np.random.default_rng([seed, 8]).permutation(len(names)):
        fold = units[names[number]]
        ranked.append((turn[fold], fold, names[number]))
        turn[fold] += 1
    return {name for _, _, name in sorted(ranked)[: max(2, round(share * len(names)))]}


def _with_lesions(one: TaughtCase, kept: Sequence[int]) -> TaughtCase:
    """The case with the samples round some of its lesions only."""
    samples = []
    for own in one.samples:
        stays = (own.groups < 0) | np.isin(own.groups, kept)
        samples.append(replace(own, inputs=own.inputs[stays], targets=own.targets[stays], groups=own.groups[stays]))
    return replace(one, samples=tuple(samples))


def _shares(findings: Findings) -> npt.NDArray[np.float64]:
    matches = [one.match for one in findings.cases]
    return shares_by_lesion([one.lesion_scores for one in matches], [one.false_alarm_scores for one in matches])
