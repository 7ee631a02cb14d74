"""Whether calibration makes probabilities of scores on head phantoms, judged on candidates it was not learnt from.

An MTANN with the default settings is trained on twelve head phantoms at 1.5 mm (eight lesions each, among vessels and
other bright structures) with four folds; ten further phantoms are never taught. Calibrations are judged twice:

* out of fold: of the out-of-fold candidates, learnt on all folds but one and judged on that one;
* on unseen phantoms: learnt on all out-of-fold candidates, as training does, and judged on what the final network finds
  in the ten others.

Compared are the score itself, cut to 0 to 1 and taken as a probability, a sigmoid (Platt), isotonic regression, and
what training would choose. Intervals are bootstraps by phantom. Three seeds have their own phantoms and trainings; each
is kept in a file as soon as it is done, and not repeated.

Run: ``python Testing/dev.py bench calibration [--seeds N ...] [--results FILE]``
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from learning_data import SPACING_MM, phantom_case

from mtann.detection.calibration import Calibration, fit_isotonic, fit_platt, learn_calibration
from mtann.evaluation.bootstrap import Measured, difference, measure, resamples
from mtann.evaluation.reliability import Reliability
from mtann.fitting import fit_networks, prepare_cases
from mtann.out_of_fold import Findings, out_of_fold
from mtann.progress import Run
from mtann.sampling.folds import patient_folds
from mtann.settings import TrainingSettings
from mtann.teach import make_plan

RESULTS = Path(__file__).with_suffix(".json")
FIRST_TRAINING_SEED, FIRST_UNSEEN_SEED, SEED_STEP = 5000, 6000, 100
PHANTOMS, UNSEEN, FOLDS = 12, 10, 4

Numbers = npt.NDArray[np.float64]
Way = Callable[[Numbers, npt.NDArray[np.bool_], str], Calibration | None]
WAYS: dict[str, Way] = {"sigmoid": fit_platt, "isotonic": fit_isotonic, "as training chooses": learn_calibration}


def run(seed: int) -> dict[str, Any]:
    """Train once; candidates of the training phantoms out of fold, and of the unseen ones."""
    start = time.process_time()
    cases = [phantom_case(FIRST_TRAINING_SEED + SEED_STEP * seed + number) for number in range(PHANTOMS)]
    others = [phantom_case(FIRST_UNSEEN_SEED + SEED_STEP * seed + number) for number in range(UNSEEN)]
    training = TrainingSettings(folds=FOLDS, seed=seed)
    plan = make_plan(cases, ("t1c",), None, training, None, SPACING_MM, {}, None, "cpu")
    taught = prepare_cases(cases, plan, Run())
    folds = patient_folds([case.patient for case in cases], FOLDS, seed)
    fitted = fit_networks(taught, folds, plan, Run())
    held_out = out_of_fold(fitted, taught, folds, plan, Run())
    # Without folds, the network for use looks at the cases.
    unseen = out_of_fold(fitted, prepare_cases(others, plan, Run()), (), plan, Run())
    return {"seconds": round(time.process_time() - start), "held_out": kept(held_out), "unseen": kept(unseen)}


def kept(findings: Findings) -> list[dict[str, Any]]:
    """Scores of a phantom's candidates and which are on lesions, and the fold whose networks looked."""
    return [
        {
            "fold": one.fold,
            "scores": [round(candidate.score, 5) for candidate in one.candidates],
            "hits": [int(hit is not None) for hit in one.match.hits],
        }
        for one in findings.cases
    ]


class Candidates:
    """The candidates of one run's phantoms, as arrays."""

    def __init__(self, cases: list[dict[str, Any]]) -> None:
        self.case = np.repeat(np.arange(len(cases)), [len(one["scores"]) for one in cases])
        self.fold = np.array([one["fold"] for one in cases])[self.case]
        self.scores = np.array([score for one in cases for score in one["scores"]])
        self.hits = np.array([hit for one in cases for hit in one["hits"]], dtype=bool)


def out_of_fold_chances(way: Way, own: Candidates) -> Numbers:
    """Each candidate's probability by a calibration that has not seen its fold."""
    chances = np.full(len(own.scores), np.nan)
    for fold in np.unique(own.fold):
        others = own.fold != fold
        chances[~others] = applied(way(own.scores[others], own.hits[others], "other folds"), own.scores[~others])
    return chances


def applied(calibration: Calibration | None, scores: Numbers) -> Numbers:
    """Probabilities of scores."""
    if calibration is None:
        raise SystemExit("There are too few candidates to calibrate on.")
    return calibration.apply(scores)


def judged(runs: list[dict[str, Any]]) -> dict[str, dict[str, Reliability]]:
    """By where it is judged, and by way, the probabilities of all runs' candidates against the truth."""
    found: dict[str, dict[str, list[Numbers]]] = {"out of fold": {}, "unseen phantoms": {}}
    truth: dict[str, list[npt.NDArray[Any]]] = {where: [] for where in found}
    for number, one in enumerate(runs):
        own, unseen = Candidates(one["held_out"]), Candidates(one["unseen"])
        for where, candidates, first in (
            ("out of fold", own, number * PHANTOMS),
            ("unseen phantoms", unseen, number * UNSEEN),
        ):
            found[where].setdefault("score as probability", []).append(np.clip(candidates.scores, 0, 1))
            truth[where].append(np.stack([candidates.case + first, candidates.hits]))
        for name, way in WAYS.items():
            found["out of fold"].setdefault(name, []).append(out_of_fold_chances(way, own))
            learnt = way(own.scores, own.hits, "all folds")
            found["unseen phantoms"].setdefault(name, []).append(applied(learnt, unseen.scores))
    facts = {where: np.concatenate(parts, axis=1) for where, parts in truth.items()}
    return {
        where: {name: Reliability(facts[where][0], np.concatenate(own), facts[where][1]) for name, own in ways.items()}
        for where, ways in found.items()
    }


def words(measured: Measured, sign: str = "") -> str:
    """A figure with its interval."""
    return f"{measured.value:{sign}.4f} ({measured.low:{sign}.4f} to {measured.high:{sign}.4f})"


def report(runs: list[dict[str, Any]], seeds: list[int]) -> None:
    """Print both tables."""
    for (where, ways), count in zip(judged(runs).items(), (PHANTOMS, UNSEEN), strict=True):
        draws = resamples([str(number) for number in range(count * len(runs))])
        raw = ways["score as probability"]
        print(f"\nJudged on {where}: {len(raw.hits)} candidates, {raw.hits.sum():.0f} on lesions, seeds {seeds}")
        print("| probability | calibration error | less the score's | Brier score | less the score's |")
        print("|---|---|---|---|---|")
        for name, own in ways.items():
            error, brier = measure(own.expected_error, draws), measure(own.brier, draws)
            gains = [
                "" if own is raw else words(difference(mine, theirs, draws), "+")
                for mine, theirs in ((own.expected_error, raw.expected_error), (own.brier, raw.brier))
            ]
            print(f"| {name} | {words(error)} | {gains[0]} | {words(brier)} | {gains[1]} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=RESULTS, help="runs that are done, kept")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="seeds of phantoms and trainings")
    arguments = parser.parse_args()
    results = json.loads(arguments.results.read_text()) if arguments.results.exists() else {}
    for seed in arguments.seeds:
        if str(seed) not in results:
            results[str(seed)] = run(seed)
            arguments.results.write_text(json.dumps(results, separators=(",", ":")) + "\n", encoding="utf-8")
            print(f"seed {seed}: {results[str(seed)]['seconds']} s of processor time", flush=True)
    report([results[str(seed)] for seed in arguments.seeds], arguments.seeds)


if __name__ == "__main__":
    main()
