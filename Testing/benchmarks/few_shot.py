"""Taught on two patients, tried on the third: the default settings, a historic MTANN, and blobs, on real lesions.

Leave-one-patient-out on the multiple sclerosis patients of `open_ms`, channels flair, t1, t1c and t2, lesions of at
least 10 mm3 (smaller ones are taught, but count neither as lesions nor, if found, as false alarms). The historic
network has its own shape, teacher and region, and the default's optimiser, steps, normalisation and negatives, mined
ones as well. The Laplacian of Gaussian has its image, scales, normalisation, suppression and border tuned on the two
training patients. Thresholds are those at which the three held-out patients together give 1, 2, 4 and 8 false alarms a
case. Intervals are paired bootstraps by lesion of the sensitivity's difference, hits averaged over seeds first.

    python Testing/dev.py bench few_shot [--seeds 0 1 2 3 4] [--results FILE]

Three patients are no evidence of accuracy. Data: Lesjak et al., Neuroinformatics 2017, doi 10.1007/s12021-017-9348-7
(CC-BY).
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt
from log_detector import BlobFinder, LogSettings
from real_scans import scans_folder

from mtann.cases import TrainingCase
from mtann.evaluation.matching import HIT_CRITERION, match_places
from mtann.geometry import Triple
from mtann.pipeline import detect
from mtann.sampling.lesions import Lesion, read_lesions
from mtann.settings import preset
from mtann.teach import train
from mtann.volume_io import read_volume

PATIENTS = ("patient07", "patient19", "patient26")
CHANNELS = ("flair", "t1", "t1c", "t2")
RATES = (1.0, 2.0, 4.0, 8.0)
NETWORKS = ("default", "historic")
LEAST_MM3 = 10.0
DRAWS = 5000

LOG_IMAGES = ("flair", "t2")
LOG_SETTINGS = [
    LogSettings(sigmas, power, flatten, suppress, erode)
    for sigmas, power, flatten, suppress, erode in product(
        [(0.9, 1.4, 2.1, 3.1, 4.4), (1.4, 2.1, 3.1), (2.1, 3.1, 4.4)],
        [2.0, 2.5],
        [True, False],
        [1.0, 1.6],
        [0.0, 3.0, 6.0],
    )
]

Outcome = tuple[list[float], list[float]]
"""Scores of one case's lesions (minus infinity: missed) and of its false alarms."""


def read_case(patient: str) -> TrainingCase:
    folder = scans_folder() / "open_ms" / patient
    images = tuple(read_volume(folder / f"{name}.nii.gz") for name in CHANNELS)
    return TrainingCase(patient, patient, images, read_lesions(folder / "lesions.nii.gz"))


def judge(places_lps_mm: Sequence[Triple], scores: Sequence[float], lesions: Sequence[Lesion]) -> Outcome:
    """Sort candidates into lesions and false alarms; what lies on a lesion too small to count is neither."""
    outcome = match_places(places_lps_mm, scores, lesions)
    volumes = [4 / 3 * np.pi * (lesion.radius_mm or 0.0) ** 3 for lesion in lesions]
    counted = [s for s, mm3 in zip(outcome.lesion_scores, volumes, strict=True) if mm3 >= LEAST_MM3 - 1e-6]
    return counted, list(outcome.false_alarm_scores)


def networks_outcome(name: str, seed: int, held_out: str, cases: dict[str, TrainingCase]) -> Outcome:
    """Train on two patients and look at the third."""
    network, own = preset(name)
    default = preset("default")[1]
    training = own.model_copy(update={"mining_rounds": default.mining_rounds, "folds": 0, "seed": seed})
    shown = [case for patient, case in cases.items() if patient != held_out]
    model = train(shown, name=name, channels=CHANNELS, network=network, training=training, device="cpu")
    found = detect(cases[held_out].channels, model, threshold=0.0, device="cpu").candidates
    return judge([c.centroid_lps_mm for c in found], [c.score for c in found], cases[held_out].lesions)


def blob_tables(cases: dict[str, TrainingCase]) -> dict[tuple[str, int], dict[str, Outcome]]:
    """What the blob detector makes of every patient, by image and setting."""
    tables: dict[tuple[str, int], dict[str, Outcome]] = {}
    for patient, case in cases.items():
        for image in LOG_IMAGES:
            volume = case.channels[CHANNELS.index(image)]
            finder = BlobFinder(volume)
            for number, settings in enumerate(LOG_SETTINGS):
                blobs = finder.find(settings)
                places = [tuple(map(float, p)) for p in volume.geometry.lps_from_index(blobs.centres_zyx)]
                tables.setdefault((image, number), {})[patient] = judge(places, blobs.responses.tolist(), case.lesions)  # type: ignore[arg-type]
    return tables


def blobs_outcome(held_out: str, tables: dict[tuple[str, int], dict[str, Outcome]]) -> Outcome:
    """The blob detector tuned on two patients, looking at the third."""
    best = max(
        tables,
        key=lambda key: float(
            np.mean([found(list(_without(tables[key], held_out).values()), rate).mean() for rate in RATES])
        ),
    )
    print(f"Laplacian of Gaussian for {held_out}: {best[0]}, {LOG_SETTINGS[best[1]]}", flush=True)
    return tables[best][held_out]


def _without(table: dict[str, Outcome], patient: str) -> dict[str, Outcome]:
    return {name: outcome for name, outcome in table.items() if name != patient}


def found(outcomes: Sequence[Outcome], rate: float) -> npt.NDArray[np.bool_]:
    """Which lesions of all cases are found at the lowest threshold with at most ``rate`` false alarms a case."""
    alarms = sorted((score for _, false in outcomes for score in false), reverse=True)
    allowed = int(rate * len(outcomes))
    # Only scores above the first alarm too many count.
    bar = alarms[allowed] if allowed < len(alarms) else -np.inf
    return np.array([score for lesions, _ in outcomes for score in lesions]) > bar


def interval(difference: npt.NDArray[np.float64], seed: int = 0) -> tuple[float, float]:
    """95 % bootstrap interval of a mean difference over lesions."""
    random = np.random.default_rng(seed)
    means = difference[random.integers(len(difference), size=(DRAWS, len(difference)))].mean(axis=1)
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)


def report(results: dict[str, dict[str, Outcome]], seeds: Sequence[int]) -> bool:
    """Print the table; whether the default beats both others at every rate."""
    hits = {}
    for name in (*NETWORKS, "log"):
        runs = [f"{name} {seed}" for seed in seeds] if name in NETWORKS else [name]
        hits[name] = {
            rate: np.array([found([results[run][p] for p in PATIENTS], rate) for run in runs], dtype=float)
            for rate in RATES
        }
    count = next(iter(hits["log"].values())).shape[1]
    print(f"\n{count} lesions of at least {LEAST_MM3:g} mm3 in {len(PATIENTS)} patients, {len(seeds)} seeds.")
    print(f"A hit is {HIT_CRITERION}.")
    print("| detector | " + " | ".join(f"{rate:g} a case" for rate in RATES) + " |")
    print("|---|" + "---|" * len(RATES))
    for name, by_rate in hits.items():
        cells = [
            f"{h.mean():.1%}" + (f" ({h.mean(axis=1).min():.1%} to {h.mean(axis=1).max():.1%})" if len(h) > 1 else "")
            for h in by_rate.values()
        ]
        print(f"| {name} | " + " | ".join(cells) + " |")
    good = True
    for other in ("historic", "log"):
        cells = []
        for rate in RATES:
            difference = hits["default"][rate].mean(axis=0) - hits[other][rate].mean(axis=0)
            low, high = interval(difference)
            cells.append(f"{difference.mean():+.1%} ({low:+.1%} to {high:+.1%})")
            good &= low > 0
        print(f"| default less {other} | " + " | ".join(cells) + " |")
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], help="seeds of the trainings")
    parser.add_argument("--results", type=Path, help="keep each run's scores here, and do not repeat those that are")
    arguments = parser.parse_args()
    kept = arguments.results
    results = json.loads(kept.read_text()) if kept and kept.exists() else {}
    cases = {patient: read_case(patient) for patient in PATIENTS}
    if "log" not in results:
        tables = blob_tables(cases)
        results["log"] = {patient: blobs_outcome(patient, tables) for patient in PATIENTS}
        if kept:
            kept.write_text(json.dumps(results))
    for seed, name in product(arguments.seeds, NETWORKS):
        run = results.setdefault(f"{name} {seed}", {})
        for patient in PATIENTS:
            if patient not in run:
                start = time.perf_counter()
                run[patient] = networks_outcome(name, seed, patient, cases)
                print(f"{name}, seed {seed}, {patient}: {time.perf_counter() - start:.0f} s", flush=True)
                if kept:
                    kept.write_text(json.dumps(results))
    return 0 if report(results, arguments.seeds) else 1


if __name__ == "__main__":
    sys.exit(main())
