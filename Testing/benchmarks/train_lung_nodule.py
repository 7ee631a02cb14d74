"""Teaches the bundled model of nodules in chest CT, on LIDC scans with synthetic nodules, and says what it finds.

LIDC-IDRI-0001 is never taught: it is for the report, with its real nodule and with synthetic ones.

    python Testing/dev.py bench train_lung_nodule --output BUNDLE [--copies 12]
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from lung_nodules import LARGE, SCANS, SMALL, read_scan, training_case

from mtann.evaluation.matching import HIT_CRITERION, match
from mtann.models.bundle import ModelBundle
from mtann.pipeline import detect
from mtann.sampling.lesions import lesions_from_label_map
from mtann.settings import NetworkSettings, TrainingSettings
from mtann.synthetic.insert import insert_lesions
from mtann.teach import train

HELD_OUT = "LIDC-IDRI-0001"
NETWORK = NetworkSettings(dilations=(1, 2, 4), hidden=(64, 32))
TRAINING = TrainingSettings(
    steps=4000, mining_rounds=2, mined_cases=24, mining_stride=2, folds=2, negatives_per_case=3000
)
FIRST_TEST_SEED, TEST_CASES = 500, 6
RATES = (1, 2, 4)
CARD = {
    "licence": "CC-BY-3.0",
    "body_part": "chest",
    "description": (
        "Finds nodules of 4 to 30 mm in the lungs of a chest CT. Taught on synthetic nodules and two real ones in two "
        "scans of the LIDC-IDRI collection (Armato et al., Med Phys 38:915, 2011, doi 10.7937/K9/TCIA.2015.LO9QL9SX, "
        "CC BY 3.0): one slab of 2.5 mm slices and one part of a chest with 1 mm slices, each in many altered copies."
    ),
    "intended_use": (
        "Research and teaching only. Not a medical device; every result must be reviewed by a qualified reader. "
        "Not tested on whole chests, on other scanners, on nodules below 4 mm, beside pneumonia, fibrosis, emphysema "
        "or effusions, or against readers; one real nodule that it had not seen is no evidence of accuracy."
    ),
}


def report(model: ModelBundle) -> None:
    """What the model finds in the scan that it was not taught on."""
    volume, real = read_scan(HELD_OUT)
    result = detect(volume, model, device="cpu")
    hits = match(result.candidates, real).hits
    ranks = [number for number, hit in enumerate(hits, start=1) if hit is not None]
    print(
        f"{HELD_OUT}: the real nodule is {f'candidate {ranks[0]}' if ranks else 'not found'} of {len(hits)}; "
        f"{len(result.reported)} reported"
    )
    lesions, alarms = [], []
    for number in range(TEST_CASES):
        random = np.random.default_rng([FIRST_TEST_SEED + number, 9])
        made = insert_lesions([volume], None, SMALL if number % 2 else LARGE, random, real)
        inserted = lesions_from_label_map(made.label_map, keep_instances=True)
        outcome = match(detect(made.channels, model, device="cpu").candidates, (*inserted, *real))
        lesions.append([(lesion.radius_mm or 0, s) for lesion, s in zip(inserted, outcome.lesion_scores, strict=False)])
        alarms.append(outcome.false_alarm_scores)
    ranked = sorted((score for case in alarms for score in case), reverse=True)
    flat = [pair for case in lesions for pair in case]
    print(f"{TEST_CASES} copies of it with {len(flat)} synthetic nodules. A hit is {HIT_CRITERION}.")
    for rate in RATES:
        allowed = rate * TEST_CASES
        bar = ranked[allowed] if allowed < len(ranked) else -np.inf
        for name, low, high in (("all", 0, 99), ("below 3 mm radius", 0, 3), ("3 to 6 mm", 3, 6), ("above", 6, 99)):
            own = [score > bar for radius, score in flat if low <= radius < high]
            print(f"at {rate} false alarms a case, {name}: {sum(own)} of {len(own)}")
    for point in model.card.operating_points:
        found = sum(score >= point.threshold for _, score in flat)
        false = sum(score >= point.threshold for score in ranked)
        print(f"operating point {point.name}: {found} of {len(flat)}, {false / TEST_CASES:.2f} false alarms a case")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="where to save the model")
    parser.add_argument("--copies", type=int, default=12, help="copies of each scan, each with its own nodules")
    arguments = parser.parse_args()
    start = time.perf_counter()
    shown = [name for name in SCANS if name != HELD_OUT]
    model = train(
        [training_case(name, seed) for seed in range(arguments.copies) for name in shown],
        name="lung-nodule-ct",
        channels=("ct",),
        class_name="lung nodule",
        network=NETWORK,
        training=TRAINING,
        spacing_mm=1.0,
        tissue="lung",
        card=CARD,
        output=arguments.output,
        device="cpu",
    )
    print(f"{model.card.training_lesions} nodules, {time.perf_counter() - start:.0f} s")
    for text in model.card.results:
        print(text)
    report(model)
    return 0


if __name__ == "__main__":
    sys.exit(main())
