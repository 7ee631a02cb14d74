"""What networks find on cases that they have not seen, and on which data that was."""

from collections.abc import Sequence
from dataclasses import dataclass

from mtann.detection.candidate import Candidate
from mtann.detection.find import find_candidates
from mtann.evaluation.matching import Match, match
from mtann.fitting import Fitted, TaughtCase, TrainingPlan
from mtann.progress import Run
from mtann.sampling.folds import Fold


@dataclass(frozen=True)
class Finding:
    """What was found on one case.

    Attributes:
        case: Its number among the training cases.
        fold: The fold whose networks looked; None for those that learnt from all cases.
        candidates: By descending score.
        match: Which of them lie on lesions.
    """

    case: int
    fold: int | None
    candidates: tuple[Candidate, ...]
    match: Match


@dataclass(frozen=True)
class Findings:
    """What was found on all cases, and in words which data that was."""

    cases: tuple[Finding, ...]
    chosen_on: str


def out_of_fold(
    fitted: Fitted, taught: Sequence[TaughtCase], folds: Sequence[Fold], plan: TrainingPlan, run: Run
) -> Findings:
    """Look at every held-out case with its fold's networks; without lesions among those, at the training cases.

    In the second case nothing can be said out of fold, and the words say that the figures flatter.
    """
    held_out = [(int(case), fold) for fold, cases in enumerate(folds) for case in cases]
    chosen_on = f"out-of-fold candidates of the training data ({len(folds)} folds by patient)"
    if not any(taught[case].case.lesions for case, _ in held_out):
        looked: list[tuple[int, int | None]] = [(case, None) for case in range(len(taught))]
        chosen_on = "the training cases themselves, which the model had seen, so the figures flatter it"
    else:
        looked = sorted(held_out)
    findings = []
    for number, (case, fold) in enumerate(looked):
        part = run.part(number / len(looked), (number + 1) / len(looked))
        findings.append(_look(fitted, case, fold, taught[case], plan, part))
    return Findings(tuple(findings), chosen_on)


def _look(fitted: Fitted, number: int, fold: int | None, one: TaughtCase, plan: TrainingPlan, run: Run) -> Finding:
    from mtann.inference.scan import scan

    likelihood = scan(
        fitted.of_fold(fold),
        one.prepared.channels,
        one.prepared.mask,
        tile_voxels=plan.detection.tile_voxels,
        device=plan.device,
        run=run.part(0.0, 0.7),
    ).mean(axis=0)
    target = one.case.channels[0].geometry
    _, _, candidates = find_candidates(
        likelihood, one.prepared.grid, one.prepared.mask, target, plan.detection, "lesion", run.part(0.7, 1.0)
    )
    return Finding(number, fold, candidates, match(candidates, one.case.lesions))
