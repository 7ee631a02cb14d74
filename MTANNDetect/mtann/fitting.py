"""Fitting an MTANN to prepared cases, and asking cases that it has not seen how good it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mtann.cases import TrainingCase
from mtann.detection.find import find_candidates
from mtann.detection.operating_points import OperatingPoint, choose_operating_points
from mtann.evaluation.matching import Match, match
from mtann.preprocess.prepare import InputSpecification, PreparedCase, prepare
from mtann.progress import Run
from mtann.sampling.folds import Fold
from mtann.sampling.subvolumes import Samples, draw_samples, mine_negatives
from mtann.settings import DetectionSettings, NetworkSettings, TrainingSettings

if TYPE_CHECKING:
    import torch

    from mtann.networks.mtann import MTANN

_MOST_MINED_CASES = 12
"""So many scans a mining round keep training short however many cases there are."""


@dataclass(frozen=True)
class TaughtCase:
    """A case ready to learn from."""

    case: TrainingCase
    prepared: PreparedCase
    samples: Samples


@dataclass(frozen=True)
class TrainingPlan:
    """Everything that stays the same over folds."""

    inputs: InputSpecification
    network: NetworkSettings
    training: TrainingSettings
    detection: DetectionSettings
    device: "torch.device"


def prepare_cases(cases: Sequence[TrainingCase], plan: TrainingPlan, run: Run) -> list[TaughtCase]:
    """Bring all cases onto the model's grid and draw their training samples."""
    taught = []
    for number, case in enumerate(cases):
        part = run.part(number / len(cases), (number + 1) / len(cases))
        prepared = prepare(case.channels, plan.inputs, case.mask, part)
        random = np.random.default_rng([plan.training.seed, 0, number])
        part.report("prepare", 0.9, f"Sampling case {number + 1} of {len(cases)}")
        taught.append(
            TaughtCase(case, prepared, draw_samples(prepared, case.lesions, plan.network, plan.training, random))
        )
    return taught


def fit_network(taught: Sequence[TaughtCase], plan: TrainingPlan, run: Run) -> "MTANN":
    """Train one network, with rounds of mining its strongest false responses."""
    import torch

    from mtann.networks.mtann import MTANN
    from mtann.training.mtann import fit

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.training.seed)
        network = MTANN(plan.network, len(plan.inputs.channels))
    samples = [one.samples for one in taught]
    rounds = plan.training.mining_rounds + 1
    for number in range(rounds):
        if number:
            samples += _mine(network, taught, plan, number, run.part((number - 0.3) / rounds, number / rounds))
        fit(network, samples, plan.training, device=plan.device, run=run.part(number / rounds, (number + 0.7) / rounds))
    return network


def _mine(network: "MTANN", taught: Sequence[TaughtCase], plan: TrainingPlan, seed: int, run: Run) -> list[Samples]:
    """False responses of the network on the training cases: on all, or where there are many, on some drawn anew."""
    random = np.random.default_rng([plan.training.seed, 3, seed])
    count = min(len(taught), _MOST_MINED_CASES)
    mined = []
    for number, index in enumerate(random.choice(len(taught), count, replace=False)):
        one = taught[index]
        likelihood = _scan(network, one, plan, run.part(number / count, (number + 1) / count))
        mined.append(mine_negatives(likelihood, one.prepared, one.case.lesions, plan.network, plan.training))
    return mined


def _scan(network: "MTANN", one: TaughtCase, plan: TrainingPlan, run: Run) -> Any:
    from mtann.inference.scan import scan

    return scan(
        network,
        one.prepared.channels,
        one.prepared.mask,
        tile_voxels=plan.detection.tile_voxels,
        device=plan.device,
        run=run,
    )


def operating_points(
    model: "MTANN", taught: Sequence[TaughtCase], folds: Sequence[Fold], plan: TrainingPlan, run: Run
) -> tuple[OperatingPoint, ...]:
    """Thresholds chosen on cases that a network has not seen; where there can be none, on the model's own cases.

    A fold's network learns from the other folds' cases. Without lesions among those, or among the held-out cases of all
    folds, nothing can be said out of fold, and the operating points say that they flatter.
    """
    matches: list[Match] = []
    for number, held_out in enumerate(folds):
        part = run.part(number / len(folds), (number + 1) / len(folds))
        outside = [one for index, one in enumerate(taught) if index not in held_out]
        if not any(one.case.lesions for one in outside):
            continue
        network = fit_network(outside, plan, part.part(0.0, 0.7))
        matches += _match_all(network, [taught[index] for index in held_out], plan, part.part(0.7, 1.0))
    chosen_on = f"out-of-fold candidates of the training data ({len(folds)} folds by patient)"
    if not any(one.lesion_scores for one in matches):
        matches = _match_all(model, taught, plan, run)
        chosen_on = "the training cases themselves, which the model had seen, so the figures flatter it"
    lesions, alarms = [m.lesion_scores for m in matches], [m.false_alarm_scores for m in matches]
    return choose_operating_points(lesions, alarms, chosen_on)


def _match_all(network: "MTANN", cases: Sequence[TaughtCase], plan: TrainingPlan, run: Run) -> list[Match]:
    count = len(cases)
    return [_match(network, one, plan, run.part(n / count, (n + 1) / count)) for n, one in enumerate(cases)]


def lesions_outside(taught: Sequence[TaughtCase]) -> int:
    """How many lesions have their centre outside the tissue that is searched, where nothing can be found."""
    outside = 0
    for one in taught:
        mask, grid = one.prepared.mask, one.prepared.grid
        for lesion in one.case.lesions:
            index = np.clip(
                np.round(grid.index_from_lps(lesion.centre_lps_mm)).astype(int), 0, np.array(mask.shape) - 1
            )
            outside += not mask[tuple(index)]
    return outside


def _match(network: "MTANN", one: TaughtCase, plan: TrainingPlan, run: Run) -> Match:
    likelihood = _scan(network, one, plan, run.part(0.0, 0.7))
    target = one.case.channels[0].geometry
    _, _, candidates = find_candidates(
        likelihood, one.prepared.grid, one.prepared.mask, target, plan.detection, "lesion", run.part(0.7, 1.0)
    )
    return match(candidates, one.case.lesions, plan.training.point_radius_mm)
