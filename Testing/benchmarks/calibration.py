"""Whether calibration makes probabilities of scores on head phantoms, judged on candidates it was not learnt from.

An MTANN is trained on head phantoms (eight lesions each, among vessels and other bright structures) with
cross-validation. Of its out-of-fold candidates, calibrations are learnt on all folds but one and judged on that one.
Compared are the score itself, cut to 0 to 1, a sigmoid (Platt), isotonic regression, and what training would choose.

Run: ``python Testing/dev.py bench calibration [--phantoms N] [--steps N]``; some ten minutes on two cores.
"""

import argparse
import time

import numpy as np
from train_demo_model import training_case

from mtann.detection.calibration import fit_isotonic, fit_platt, learn_calibration
from mtann.evaluation.bootstrap import difference, measure, resamples
from mtann.evaluation.reliability import Reliability
from mtann.fitting import fit_networks, prepare_cases
from mtann.out_of_fold import out_of_fold
from mtann.progress import Run
from mtann.sampling.folds import patient_folds
from mtann.settings import NetworkSettings, TrainingSettings
from mtann.teach import make_plan, with_sizes

FIRST_SEED = 5000
WAYS = {"sigmoid": fit_platt, "isotonic": fit_isotonic, "as training chooses": learn_calibration}


def main() -> None:
    """Print calibration errors with intervals by phantom."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--phantoms", type=int, default=12)
    parser.add_argument("--steps", type=int, default=400)
    arguments = parser.parse_args()
    start = time.perf_counter()
    cases = with_sizes([training_case(FIRST_SEED + number) for number in range(arguments.phantoms)], None)
    training = TrainingSettings(steps=arguments.steps, folds=4)
    plan = make_plan(cases, (), NetworkSettings(dilations=()), training, None, None, {}, None, "cpu")
    taught = prepare_cases(cases, plan, Run())
    folds = patient_folds([case.patient for case in cases], training.folds, training.seed)
    findings = out_of_fold(fit_networks(taught, folds, plan, Run()), taught, folds, plan, Run())
    of_case = np.concatenate([[number] * len(one.candidates) for number, one in enumerate(findings.cases)]).astype(int)
    fold = np.array([findings.cases[number].fold for number in of_case])
    scores = np.array([candidate.score for one in findings.cases for candidate in one.candidates])
    hits = np.array([hit is not None for one in findings.cases for hit in one.match.hits])
    found = {"score": Reliability(of_case, np.clip(scores, 0, 1), hits)}
    for name, way in WAYS.items():
        chances = np.full(len(scores), np.nan)
        for one in np.unique(fold):
            learnt = way(scores[fold != one], hits[fold != one], "the other folds")
            chances[fold == one] = np.nan if learnt is None else learnt.apply(scores[fold == one])
        found[name] = Reliability(of_case, chances, hits)
    draws = resamples([case.patient for case in cases])
    print(f"{len(scores)} candidates, {hits.sum()} on lesions, {arguments.phantoms} phantoms")
    for name, own in found.items():
        error, brier = measure(own.expected_error, draws), measure(own.brier, draws)
        gain = difference(own.expected_error, found["score"].expected_error, draws)
        print(
            f"{name:>20}: calibration error {error.value:.4f} ({error.low:.4f} to {error.high:.4f}), "
            f"less the score's {gain.value:+.4f} ({gain.low:+.4f} to {gain.high:+.4f}), Brier {brier.value:.4f}"
        )
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
