"""How long training takes: one MTANN on ten lesions and ten non-lesions, and eight experts with what mixes them.

Aims on two processor cores: 20 s or less, and 2 min or less. The cases are candidate phantoms; network and training are
the default's for candidate classification, folds for the threshold included. The eight experts are taught as the
library teaches them: in one batched computation, each with all lesions and an eighth of the non-lesions, for use and
for each fold; then the integration network is fitted to the networks' out-of-fold scores.

    python Testing/dev.py bench training_time [--repeats 3]
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from candidate_phantoms import NON_LESIONS, CandidatePhantom, make_sample
from measuring import machine, prepare_process

from mtann.cases import TrainingCase
from mtann.detection.ask import ask_networks
from mtann.detection.combination import IntegrationNetwork
from mtann.detection.given import as_candidates, given_from
from mtann.evaluation.matching import Match
from mtann.experts.combine import ScoredCase, learn_combination
from mtann.fitting import Fitted, TaughtCase, TrainingPlan, fit_networks, prepare_cases, usable_folds
from mtann.progress import Run
from mtann.sampling.folds import Fold, patient_folds
from mtann.sampling.lesions import Lesion
from mtann.sampling.subvolumes import Samples
from mtann.settings import TrainingSettings
from mtann.teach import make_plan, train

FIRST_SEED = 900_000
EXPERTS = 8
LESIONS, NON_LESIONS_OF_ALL = 30, 40
AIMS_S = {"one network, 10 + 10 cases": 20.0, "eight experts with mixing": 120.0}
CLASSIFICATION = TrainingSettings(task="classification")


def as_cases(sample: Sequence[CandidatePhantom]) -> list[TrainingCase]:
    """Each candidate as the one case of a patient."""
    cases = []
    for number, one in enumerate(sample):
        name, place = f"case {number}", (Lesion(one.centre_lps_mm, one.radius_mm),)
        own = {"lesions": place} if one.is_lesion else {"lesions": (), "non_lesions": place}
        cases.append(TrainingCase(name, name, (one.volume,), **own))
    return cases


def one_network() -> str:
    """From images to a bundle with operating points."""
    bundle = train(as_cases(make_sample(FIRST_SEED, 10, 10, ("cylinder",))), training=CLASSIFICATION, device="cpu")
    return f"{len(bundle.card.operating_points)} operating points"


def eight_experts() -> str:
    """From images to experts and what combines them."""
    cases = as_cases(make_sample(FIRST_SEED, LESIONS, NON_LESIONS_OF_ALL, NON_LESIONS))
    plan = make_plan(cases, (), None, CLASSIFICATION, None, None, {}, None, "cpu")
    taught = prepare_cases(cases, plan, Run())
    folds = patient_folds([one.patient for one in cases], CLASSIFICATION.folds, 0, [bool(one.lesions) for one in cases])
    folds = usable_folds(taught, folds, plan)
    # A case's last samples are its non-lesion's region, which one expert alone learns from.
    known = [
        [
            _own(one) if number >= LESIONS and number % EXPERTS == expert else _none(one)
            for number, one in enumerate(taught)
        ]
        for expert in range(EXPERTS)
    ]
    shared = [replace(one, samples=one.samples[:1]) for one in taught]
    fitted = fit_networks(shared, folds, plan, Run(), known=known)
    combination = learn_combination(scored(fitted, taught, folds, plan), range(EXPERTS), 0)
    if not isinstance(combination, IntegrationNetwork):
        raise TypeError(f"expected an integration network, found {type(combination).__name__}")
    return f"{len(fitted.members)} networks, {combination.networks} mixed"


def _own(one: TaughtCase) -> Samples:
    return one.samples[-1]


def _none(one: TaughtCase) -> Samples:
    first = one.samples[0]
    return Samples(first.inputs[:0], first.targets[:0], first.groups[:0])


def scored(fitted: Fitted, taught: Sequence[TaughtCase], folds: Sequence[Fold], plan: TrainingPlan) -> list[ScoredCase]:
    """Every candidate's scores by the experts of the fold that has not seen it."""
    cases = []
    for fold, number in ((fold, int(number)) for fold, held_out in enumerate(folds) for number in held_out):
        one = taught[number]
        place = as_candidates(
            given_from((*one.case.lesions, *one.case.non_lesions)), one.prepared.grid, plan.training, "lesion"
        )
        networks = [fitted.of_fold(fold, expert) for expert in range(EXPERTS)]
        scores = ask_networks(networks, one.prepared, place)
        first = (float(scores[0, 0]),)
        found = Match(first, (), (0,)) if one.case.lesions else Match((), first, (None,))
        cases.append(ScoredCase(fold, scores, found))
    return cases


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="times that each is measured")
    arguments = parser.parse_args()
    prepare_process()
    print(machine())
    good = True
    for (name, aim), way in zip(AIMS_S.items(), (one_network, eight_experts), strict=True):
        seconds = []
        for _ in range(arguments.repeats):
            start = time.perf_counter()
            what = way()
            seconds.append(time.perf_counter() - start)
        median = float(np.median(seconds))
        print(
            f"{name}: median {median:.1f} s ({min(seconds):.1f} to {max(seconds):.1f}), aim {aim:g} s; {what}",
            flush=True,
        )
        good &= median <= aim
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
