"""What networks find on cases that they have not seen, and on which data that was."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mtann.detection.candidate import Candidate
from mtann.detection.find import find_candidates
from mtann.detection.given import as_candidates, given_from
from mtann.evaluation.matching import Match, match
from mtann.evaluation.overlap import Overlap, measure_overlap
from mtann.fitting import Fitted, TaughtCase, TrainingPlan, is_telling
from mtann.progress import Run
from mtann.sampling.folds import Fold
from mtann.scanning import scan_case

_MOST_SCANNED = 12
"""So many training cases at most are scanned where none is held out: their figures flatter, however many they are."""


@dataclass(frozen=True)
class Finding:
    """What was found on one case.

    Attributes:
        case: Its number among the training cases.
        fold: The fold whose networks looked; None for those that learnt from all cases.
        candidates: By descending score.
        match: Which of them lie on lesions.
        overlap: How the likelihood covers the lesions, where all of them are outlined and it was scanned.
    """

    case: int
    fold: int | None
    candidates: tuple[Candidate, ...]
    match: Match
    overlap: Overlap | None = None


@dataclass(frozen=True)
class Findings:
    """What was found on all cases, and in words which data that was."""

    cases: tuple[Finding, ...]
    chosen_on: str


def out_of_fold(
    fitted: Fitted, taught: Sequence[TaughtCase], folds: Sequence[Fold], plan: TrainingPlan, run: Run
) -> Findings:
    """Look at every held-out case with its fold's networks; without lesions among those, at the training cases.

    In the second case nothing can be said out of fold, and the words say that the figures flatter. What is looked at is
    the whole image or, in candidate classification, the given lesions and non-lesions.
    """
    look, what = (_look, "candidates") if plan.training.task == "detection" else (_ask, "given candidates")
    held_out = [(int(case), fold) for fold, cases in enumerate(folds) for case in cases]
    looked: list[tuple[int, int | None]]
    if is_telling([taught[case] for case, _ in held_out], plan):
        looked = sorted(held_out)
        chosen_on = f"out-of-fold {what} of the training data ({len(folds)} folds by patient)"
    else:
        most = _MOST_SCANNED if plan.training.task == "detection" else len(taught)
        looked = [(case, None) for case in _spread(taught, most)]
        some = f"{len(looked)} of " if len(looked) < len(taught) else ""
        chosen_on = (
            f"{what} of {some}the training cases themselves, which the model had seen, so the figures flatter it"
        )
    findings = []
    for number, (case, fold) in enumerate(looked):
        part = run.part(number / len(looked), (number + 1) / len(looked))
        findings.append(look(fitted, case, fold, taught[case], plan, part))
    return Findings(tuple(findings), chosen_on)


def _spread(taught: Sequence[TaughtCase], most: int) -> list[int]:
    """At most so many of the cases, with and without lesions in proportion, at least one with."""
    order = sorted(range(len(taught)), key=lambda case: not taught[case].case.lesions)
    few = min(most, len(order))
    return sorted(order[place * len(order) // few] for place in range(few))


def _look(fitted: Fitted, number: int, fold: int | None, one: TaughtCase, plan: TrainingPlan, run: Run) -> Finding:
    network, part = fitted.of_fold(fold), run.part(0.0, 0.7)
    likelihood = scan_case(network, one.prepared, plan.detection.tile_voxels, plan.computation, part)
    target = one.case.channels[0].geometry
    _, _, candidates = find_candidates(
        likelihood, one.prepared.grid, one.prepared.mask, target, plan.detection, "lesion", run.part(0.7, 1.0)
    )
    overlap = measure_overlap(likelihood, one.case.lesions, one.prepared.grid)
    return Finding(number, fold, candidates, match(candidates, one.case.lesions), overlap)


def _ask(fitted: Fitted, number: int, fold: int | None, one: TaughtCase, plan: TrainingPlan, run: Run) -> Finding:
    """What networks make of a case's given lesions and non-lesions; each lesion is hit by its own candidate."""
    from mtann.detection.ask import ask_networks

    lesions, others = one.case.lesions, one.case.non_lesions
    candidates = as_candidates(given_from((*lesions, *others)), one.prepared.grid, plan.training, "lesion")
    scores = ask_networks([fitted.of_fold(fold)], one.prepared, candidates, device=plan.device, run=run)[0].tolist()
    order = sorted(range(len(scores)), key=lambda position: (-scores[position], position))
    ranked = tuple(replace(candidates[position], score=scores[position]) for position in order)
    hits = tuple(position if position < len(lesions) else None for position in order)
    alarms = tuple(scores[position] for position in order if position >= len(lesions))
    return Finding(number, fold, ranked, Match(tuple(scores[: len(lesions)]), alarms, hits))
