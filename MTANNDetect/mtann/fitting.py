"""Fitting MTANNs to prepared cases: for use, and for every fold of a cross-validation, in one batched training."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mtann.backends.computation import Computation
from mtann.cases import TrainingCase
from mtann.preprocess.hessian import with_hessian
from mtann.preprocess.prepare import InputSpecification, PreparedCase, prepare
from mtann.progress import Run
from mtann.sampling.folds import Fold
from mtann.sampling.radius import with_radii
from mtann.sampling.subvolumes import Samples, draw_samples, mine_negatives, region_negatives
from mtann.settings import DetectionSettings, NetworkSettings, TrainingSettings

if TYPE_CHECKING:
    import torch

    from mtann.networks.mtann import MTANN
    from mtann.training.mtann import Fit


@dataclass(frozen=True)
class TaughtCase:
    """A case ready to learn from."""

    case: TrainingCase
    prepared: PreparedCase
    samples: tuple[Samples, ...]


@dataclass(frozen=True)
class TrainingPlan:
    """Everything that stays the same over folds."""

    inputs: InputSpecification
    network: NetworkSettings
    training: TrainingSettings
    detection: DetectionSettings
    device: "torch.device"

    @property
    def computation(self) -> Computation:
        """What evaluates networks during training: torch, in the precision of the reference."""
        return Computation(str(self.device), "torch", "fp32", "training")


@dataclass(frozen=True)
class Member:
    """One network of a batch.

    Attributes:
        expert: Its number among the experts that are trained together.
        fold: The fold whose cases it must not see; None if it learns from all.
        seed: Its random numbers' seed.
    """

    expert: int
    fold: int | None
    seed: int


@dataclass(frozen=True)
class Fitted:
    """Networks for use and for every fold, as members of one.

    Attributes:
        network: All of them.
        members: What each member is.
        fit: How the last round of training went.
    """

    network: "MTANN"
    members: tuple["Member", ...]
    fit: "Fit"

    def of_fold(self, fold: int | None, expert: int = 0) -> "MTANN":
        """The members of a fold, one a seed; those for use if None."""
        wanted = [n for n, member in enumerate(self.members) if (member.fold, member.expert) == (fold, expert)]
        return self.network.member(wanted)

    def of_folds(self) -> "MTANN | None":
        """The members of all folds; None where there are no folds."""
        wanted = [n for n, member in enumerate(self.members) if member.fold is not None and member.expert == 0]
        return self.network.member(wanted) if wanted else None


def with_sizes(cases: Sequence[TrainingCase], point_radius_mm: float | None) -> list[TrainingCase]:
    """The cases with a radius for every lesion and non-lesion: as given, this one, or estimated from the images."""
    return [
        replace(
            case,
            lesions=with_radii(case.lesions, case.channels, point_radius_mm),
            non_lesions=with_radii(case.non_lesions, case.channels, point_radius_mm),
        )
        for case in cases
    ]


def prepare_cases(cases: Sequence[TrainingCase], plan: TrainingPlan, run: Run) -> list[TaughtCase]:
    """Bring all cases onto the model's grid and draw their training samples."""
    return [
        prepare_case(case, plan, number, run.part(number / len(cases), (number + 1) / len(cases)))
        for number, case in enumerate(cases)
    ]


def prepare_case(case: TrainingCase, plan: TrainingPlan, number: int, run: Run) -> TaughtCase:
    """Bring one case onto the model's grid and draw its training samples; ``number`` is its place among the cases."""
    prepared = prepare(case.channels, plan.inputs, case.mask, run.part(0.0, 0.7))
    scales, dimensions = plan.network.hessian_scales_mm, plan.network.dimensions
    prepared = with_hessian(prepared, scales, dimensions, run.part(0.7, 0.9))
    run.report("prepare", 0.9, f"Sampling case '{case.case}'")
    return sample_case(case, prepared, plan, number)


def sample_case(case: TrainingCase, prepared: PreparedCase, plan: TrainingPlan, number: int) -> TaughtCase:
    """Draw a case's training samples; ``number``, its place among the cases, and the seed say which."""
    random = np.random.default_rng([plan.training.seed, 0, number])
    samples = [draw_samples(prepared, case.lesions, plan.network, plan.training, random)]
    if case.non_lesions:
        samples.append(region_negatives(prepared, case.non_lesions, case.lesions, plan.network, plan.training, random))
    return TaughtCase(case, prepared, tuple(samples))


def is_telling(cases: Sequence[TaughtCase], plan: TrainingPlan) -> bool:
    """Whether cases hold a lesion and, where lesions are to be told from given non-lesions, one of these, too."""
    has_lesions = any(one.case.lesions for one in cases)
    return has_lesions and (plan.training.task == "detection" or any(one.case.non_lesions for one in cases))


def usable_folds(taught: Sequence[TaughtCase], folds: Sequence[Fold], plan: TrainingPlan) -> list[Fold]:
    """The folds whose networks have something to learn from."""
    return [
        fold for fold in folds if is_telling([one for number, one in enumerate(taught) if number not in fold], plan)
    ]


def fit_networks(
    taught: Sequence[TaughtCase],
    folds: Sequence[Fold],
    plan: TrainingPlan,
    run: Run,
    *,
    known: Sequence[Sequence[Samples]] = (),
) -> Fitted:
    """Train a network on all cases and one for each fold on the others; as many times as there are repetitions.

    Args:
        taught: The cases.
        folds: Cases that each fold holds out.
        plan: How to train.
        run: Progress and cancellation.
        known: For experts: what each learns from, case by case, in place of mined false responses. A single network
            that mines is trained if there is none.
    """
    from mtann.networks.mtann import MTANN
    from mtann.training.mtann import fit

    seeds = range(plan.training.seed, plan.training.seed + plan.training.repetitions)
    members = tuple(
        Member(expert, fold, seed)
        for expert in range(max(1, len(known)))
        for fold in (None, *range(len(folds)))
        for seed in seeds
    )
    network = MTANN(plan.network, len(taught[0].prepared.channels), [member.seed for member in members])

    def samples(member: Member, cases: Sequence[int]) -> list[Samples]:
        own = [one for case in cases for one in taught[case].samples]
        return own + ([known[member.expert][case] for case in cases] if known else [])

    lessons = [samples(member, _seen(member, folds, len(taught))) for member in members]
    held_out = [samples(member, [] if member.fold is None else folds[member.fold].tolist()) for member in members]
    rounds = 1 if known else plan.training.mining_rounds + 1
    for number in range(rounds):
        if number:
            part = run.part((number - 0.4) / rounds, number / rounds)
            mined = _mine(network, members, taught, folds, plan, number, part)
            for lesson, more in zip(lessons, mined, strict=True):
                lesson += more
        done = fit(
            network,
            lessons,
            plan.training,
            seeds=[member.seed for member in members],
            held_out=held_out if plan.training.early_stopping else (),
            device=plan.device,
            run=run.part(number / rounds, (number + 0.6) / rounds),
        )
    return Fitted(network, members, done)


def _seen(member: Member, folds: Sequence[Fold], cases: int) -> list[int]:
    held_out = set() if member.fold is None else set(folds[member.fold].tolist())
    return [case for case in range(cases) if case not in held_out]


def _mine(
    network: "MTANN",
    members: Sequence[Member],
    taught: Sequence[TaughtCase],
    folds: Sequence[Fold],
    plan: TrainingPlan,
    number: int,
    run: Run,
) -> list[list[Samples]]:
    """For every member, false responses on cases that it learns from: on all, or where there are many, on some."""
    from mtann.inference.scan import scan

    random = np.random.default_rng([plan.training.seed, 3, number])
    chosen = random.choice(len(taught), min(len(taught), plan.training.mined_cases), replace=False)
    mined: list[list[Samples]] = [[] for _ in members]
    for position, case in enumerate(chosen):
        one = taught[case]
        learning = [m for m, member in enumerate(members) if case in _seen(member, folds, len(taught))]
        likelihoods = scan(
            network.member(learning),
            one.prepared.channels,
            one.prepared.mask,
            tile_voxels=plan.detection.tile_voxels,
            stride=plan.training.mining_stride,
            device=plan.device,
            run=run.part(position / len(chosen), (position + 1) / len(chosen)),
        )
        for fold in dict.fromkeys(members[m].fold for m in learning):
            own = [place for place, m in enumerate(learning) if members[m].fold == fold]
            false = likelihoods[own].mean(axis=0)
            samples = mine_negatives(
                false, one.prepared, one.case.lesions, plan.network, plan.training, plan.training.mining_stride
            )
            for place in own:
                mined[learning[place]].append(samples)
    return mined


def lesions_outside(taught: Sequence[TaughtCase]) -> int:
    """How many lesions have their centre outside the tissue that is searched, where nothing can be found."""
    return sum(
        int(np.count_nonzero(~one.prepared.searches([lesion.centre_lps_mm for lesion in one.case.lesions])))
        for one in taught
    )
