"""How much is learnt from 5, 10, 20, 50 lesions: by the historic MTANN, the default one, and what else is plugged in.

On head phantoms with vessels and other bright structures. All learners get the same phantoms and the same lesions of
them; where a phantom has more lesions than are wanted, the others are cut out of where is searched. All are tried on
the same phantoms that nobody has seen. The measure is the mean sensitivity at 1/8 to 8 false alarms a case with its
interval by phantom.

Every run is kept in a file as soon as it is done, and not repeated; a run that would start after the budget's end is
left for the next time.

Run: ``python Testing/dev.py bench lesions_to_learn_from --results FILE [--minutes N] [--counts 5 10 20 50]``
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
from train_demo_model import training_case

from mtann.cases import TrainingCase
from mtann.evaluation.bootstrap import measure, resamples
from mtann.evaluation.matching import match_places
from mtann.evaluation.ranked import RankedCandidates
from mtann.geometry import Triple
from mtann.pipeline import detect
from mtann.settings import TrainingSettings, preset
from mtann.teach import train
from mtann.volume import Volume

FIRST_TRAINING_SEED, FIRST_UNSEEN_SEED, SEED_STEP = 7000, 9000, 100
CUT_MM = 6.0
"""How far about a lesion that is not given nothing is searched, beyond its radius."""

Detector = Callable[[Volume], Sequence[tuple[Triple, float]]]
"""Places (LPS, mm) with scores, found in an image."""
Learner = Callable[[Sequence[TrainingCase], int], Detector]
"""Learns from cases, with a seed."""


def mtann(name: str) -> Learner:
    """An MTANN of a preset, with the default's optimiser, steps and mining."""

    def learn(cases: Sequence[TrainingCase], seed: int) -> Detector:
        network, training = preset(name)
        more = TrainingSettings()
        update = {"seed": seed, "folds": 0, "mining_rounds": more.mining_rounds, "augment": more.augment}
        training = training.model_copy(update=update)
        bundle = train(cases, channels=("t1c",), network=network, training=training, device="cpu")

        def find(image: Volume) -> Sequence[tuple[Triple, float]]:
            found = detect(image, bundle, threshold=0.0, device="cpu").candidates
            return [(one.centroid_lps_mm, one.score) for one in found]

        return find

    return learn


LEARNERS: dict[str, Learner] = {"historic": mtann("historic"), "default": mtann("default")}
"""Add a U-Net here: a function that trains it on cases and returns what finds scored places in an image."""


def cases_with(lesions: int, seed: int) -> list[TrainingCase]:
    """As few phantoms as hold so many lesions, and exactly so many of them."""
    cases: list[TrainingCase] = []
    left = lesions
    while left:
        case = training_case(FIRST_TRAINING_SEED + SEED_STEP * seed + len(cases))
        given, spare = case.lesions[:left], case.lesions[left:]
        cases.append(replace(case, lesions=given, mask=without(case, spare) if spare else None))
        left -= len(given)
    return cases


def without(case: TrainingCase, spare: Sequence) -> Volume:
    """Where to search: everywhere but about these lesions."""
    image = case.channels[0]
    index = np.moveaxis(np.indices(image.geometry.shape_zyx), 0, -1)
    places = image.geometry.lps_from_index(index)
    inside = np.ones(image.geometry.shape_zyx, dtype=np.uint8)
    for lesion in spare:
        far = np.linalg.norm(places - np.array(lesion.centre_lps_mm), axis=-1)
        inside[far < (lesion.radius_mm or 0) + CUT_MM] = 0
    return image.with_array(inside, "mask")


def outcome(find: Detector, unseen: Sequence[TrainingCase]) -> dict[str, list[list[float | None]]]:
    """Scores of lesions (none: missed) and of false alarms, phantom by phantom."""
    lesions, alarms = [], []
    for case in unseen:
        found = find(case.channels[0])
        match = match_places([place for place, _ in found], [score for _, score in found], case.lesions)
        lesions.append([score if np.isfinite(score) else None for score in match.lesion_scores])
        alarms.append(list(match.false_alarm_scores))
    return {"lesions": lesions, "alarms": alarms}


def report(results: dict, counts: Sequence[int], seeds: Sequence[int], unseen: int) -> None:
    """Print a table: mean over seeds, and the interval by phantom with all seeds of a phantom drawn together."""
    print("| lesions | " + " | ".join(LEARNERS) + " |\n|---|" + "---|" * len(LEARNERS))
    for count in counts:
        row = []
        for name in LEARNERS:
            runs = [results[key] for seed in seeds if (key := f"{name} {count} {seed}") in results]
            if not runs:
                row.append("–")
                continue
            lesions = [[-np.inf if s is None else s for s in case] for run in runs for case in run["lesions"]]
            alarms = [case for run in runs for case in run["alarms"]]
            patients = [str(number) for _ in runs for number in range(unseen)]
            own = measure(RankedCandidates(lesions, alarms).mean_sensitivity, resamples(patients), is_share=True)
            row.append(f"{own.value:.3f} ({own.low:.3f} to {own.high:.3f}; {len(runs)} seeds)")
        print(f"| {count} | " + " | ".join(row) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, required=True, help="runs that are done, kept")
    parser.add_argument("--minutes", type=float, default=60.0, help="no run starts after so long")
    parser.add_argument("--counts", type=int, nargs="+", default=[5, 10, 20, 50], help="lesions to learn from")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="seeds of phantoms and trainings")
    parser.add_argument("--unseen", type=int, default=20, help="phantoms to try on")
    arguments = parser.parse_args()
    start = time.monotonic()
    results = json.loads(arguments.results.read_text()) if arguments.results.exists() else {}
    unseen = [training_case(FIRST_UNSEEN_SEED + number) for number in range(arguments.unseen)]
    for seed, count, name in product(arguments.seeds, arguments.counts, LEARNERS):
        key = f"{name} {count} {seed}"
        if key in results:
            continue
        if time.monotonic() - start > 60 * arguments.minutes:
            print("The budget is used up; run again to go on.")
            break
        results[key] = outcome(LEARNERS[name](cases_with(count, seed), seed), unseen)
        arguments.results.write_text(json.dumps(results))
        print(f"{key}: done after {time.monotonic() - start:.0f} s", flush=True)
    report(results, arguments.counts, arguments.seeds, arguments.unseen)


if __name__ == "__main__":
    main()
