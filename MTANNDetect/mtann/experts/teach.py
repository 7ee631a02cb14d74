"""False-positive discovery: find what a network takes for lesions, and teach an expert for each type of it.

Suzuki chose the non-lesion types of a multi-MTANN by eye (Med Phys 30:1602, 2003). Here the false alarms on unseen
cases are clustered, an expert is trained for each cluster, and experts without gain on unseen cases are dropped.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mtann.detection.candidate import Candidate
from mtann.detection.combination import Combination
from mtann.evaluation.froc import Froc
from mtann.experts.combine import ScoredCase, combined_out_of_fold, froc_of, learn_combination
from mtann.experts.types import FalseAlarm, FloatArray, sort_into_types
from mtann.fitting import Fitted, TaughtCase, TrainingPlan, fit_networks
from mtann.out_of_fold import Findings
from mtann.progress import Run
from mtann.sampling.folds import Fold
from mtann.sampling.lesions import Lesion
from mtann.sampling.subvolumes import Samples, region_negatives

if TYPE_CHECKING:
    from mtann.networks.mtann import MTANN

_MOST_ALARMS = 200
"""The strongest false alarms that are sorted into types."""
_RADIUS_PER_SCALE = 1 / 0.7
"""A Gaussian teacher is 0.7 radii wide, so a false alarm found at a scale is taught like a lesion of this radius."""


@dataclass(frozen=True)
class ExpertType:
    """One expert and why it is there.

    Attributes:
        alarms: How many false alarms of its type it learnt from.
        gain: Mean FROC sensitivity out of fold with it, less that without it.
        example: One of its false alarms.
    """

    alarms: int
    gain: float
    example: FalseAlarm


@dataclass(frozen=True)
class Experts:
    """What false-positive discovery came to.

    Attributes:
        networks: For each expert that was kept, its members for use.
        types: What each is for.
        combination: How scores are put together.
        cases: Out-of-fold candidates with the scores of the single MTANN and of each kept expert.
        combined: Their combined scores, by combinations learnt without the case's fold.
        single: FROC of the single MTANN.
        together: FROC with the experts.
    """

    networks: tuple["MTANN", ...]
    types: tuple[ExpertType, ...]
    combination: Combination
    cases: tuple[ScoredCase, ...]
    combined: tuple[FloatArray, ...]
    single: Froc
    together: Froc


def teach_experts(
    fitted: Fitted,
    findings: Findings,
    taught: Sequence[TaughtCase],
    folds: Sequence[Fold],
    plan: TrainingPlan,
    run: Run,
) -> Experts:
    """Rounds of discovery: sort the false alarms that remain into types, train experts, keep those that help."""
    seed = plan.training.seed
    cases = [
        ScoredCase(one.fold, np.array([[c.score for c in one.candidates]]).reshape(1, -1), one.match)
        for one in findings.cases
    ]
    networks: list[MTANN] = []
    types: list[ExpertType] = []
    combined = combined_out_of_fold(cases, [0], seed)
    single = froc_of(cases, combined)
    for number in range(plan.training.expert_rounds if plan.training.max_experts else 0):
        part = run.part(number / plan.training.expert_rounds, (number + 1) / plan.training.expert_rounds)
        alarms = _strongest(findings, cases, combined, fitted.of_fold(None), taught, plan)
        groups = sort_into_types(alarms, plan.training.max_experts - len(networks), seed)
        if not groups:
            break
        known = [[_samples(group, case, one, plan) for case, one in enumerate(taught)] for group in groups]
        experts = fit_networks(taught, folds, plan, part.part(0.0, 0.7), known=known)
        cases = _scored(cases, experts, len(groups), findings, taught, plan, part.part(0.7, 1.0))
        first = len(networks)
        networks += [experts.of_fold(None, expert) for expert in range(len(groups))]
        types += [ExpertType(len(group), 0.0, group[0]) for group in groups]
        kept, gains = useful_experts(cases, seed)
        cases = [replace(case, scores=case.scores[[0, *kept]]) for case in cases]
        networks, types = [networks[k - 1] for k in kept], [replace(types[k - 1], gain=gains[k]) for k in kept]
        combined = combined_out_of_fold(cases, range(len(kept) + 1), seed)
        if not any(k > first for k in kept):
            break
    combination = learn_combination(cases, range(len(networks) + 1), seed)
    return Experts(
        tuple(networks), tuple(types), combination, tuple(cases), tuple(combined), single, froc_of(cases, combined)
    )


def _strongest(
    findings: Findings,
    cases: Sequence[ScoredCase],
    combined: Sequence[FloatArray],
    network: "MTANN",
    taught: Sequence[TaughtCase],
    plan: TrainingPlan,
) -> list[FalseAlarm]:
    """The false alarms with the highest combined scores, described for sorting."""
    ranked = sorted(
        (
            (-score, number, position)
            for number, (case, scores) in enumerate(zip(cases, combined, strict=True))
            for position, (score, hit) in enumerate(zip(scores, case.match.hits, strict=True))
            if hit is None
        )
    )[:_MOST_ALARMS]
    alarms = []
    for number, finding in enumerate(findings.cases):
        chosen = [finding.candidates[position] for _, owner, position in ranked if owner == number]
        if chosen:
            alarms += _described(finding.case, chosen, network, taught[finding.case], plan)
    return alarms


def _described(
    number: int, candidates: Sequence[Candidate], network: "MTANN", one: TaughtCase, plan: TrainingPlan
) -> list[FalseAlarm]:
    from mtann.detection.ask import score_candidates

    heard = score_candidates(network, one.prepared, candidates, device=plan.device).activations.mean(axis=0)
    return [
        FalseAlarm(number, candidate, activity, np.array([image[tuple(place)] for image in one.prepared.images]))
        for candidate, activity, place in zip(candidates, heard, _voxels(candidates, one), strict=True)
    ]


def _voxels(candidates: Sequence[Candidate], one: TaughtCase) -> FloatArray:
    index = one.prepared.grid.index_from_lps(np.array([candidate.peak_lps_mm for candidate in candidates]))
    return np.clip(np.round(index).astype(np.int64), 0, np.array(one.prepared.grid.shape_zyx) - 1)


def _samples(group: Sequence[FalseAlarm], case: int, one: TaughtCase, plan: TrainingPlan) -> Samples:
    """The regions round one type's false alarms on one case, to be answered with 0."""
    non_lesions = [
        Lesion(alarm.candidate.peak_lps_mm, (alarm.candidate.scoring_sigma_mm or 1.0) * _RADIUS_PER_SCALE)
        for alarm in group
        if alarm.case == case
    ]
    random = np.random.default_rng([plan.training.seed, 6, case])
    return region_negatives(one.prepared, non_lesions, one.case.lesions, plan.network, plan.training, random)


def _scored(
    cases: Sequence[ScoredCase],
    experts: Fitted,
    count: int,
    findings: Findings,
    taught: Sequence[TaughtCase],
    plan: TrainingPlan,
    run: Run,
) -> list[ScoredCase]:
    """The cases with the new experts' scores added, each by networks that have not seen it."""
    from mtann.detection.ask import score_candidates

    result = []
    for number, (case, finding) in enumerate(zip(cases, findings.cases, strict=True)):
        run.report("experts", number / len(cases), f"Asking the experts about case {number + 1} of {len(cases)}")
        rows = [
            score_candidates(
                experts.of_fold(finding.fold, expert),
                taught[finding.case].prepared,
                finding.candidates,
                device=plan.device,
                run=run,
            ).scores.mean(axis=0)
            for expert in range(count)
        ]
        result.append(replace(case, scores=np.vstack([case.scores, *rows])))
    return result


def useful_experts(cases: Sequence[ScoredCase], seed: int) -> tuple[list[int], dict[int, float]]:
    """The experts (from 1) that raise the mean FROC sensitivity out of fold, and by how much; backward elimination."""
    kept = list(range(1, len(cases[0].scores)))

    def quality(experts: Sequence[int]) -> float:
        return froc_of(cases, combined_out_of_fold(cases, [0, *experts], seed)).mean_sensitivity

    best = quality(kept)
    while kept:
        without = {expert: quality([other for other in kept if other != expert]) for expert in kept}
        expert = max(without, key=lambda one: (without[one], one))
        if without[expert] < best:
            return kept, {one: best - without[one] for one in kept}
        kept.remove(expert)
        best = without[expert]
    return [], {}
