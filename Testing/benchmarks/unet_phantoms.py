"""A U-Net taught and measured by cross-validation on phantoms that no threshold can segment.

Twenty phantoms of balls among tubes and a slab of the same brightness (``shape_phantoms``). A small plan, five folds,
on the CPU; aim: mean Dice of at least 0.90 out of fold, where the best single threshold reaches at most 0.6. Run again
with the same ``--output`` it goes on where it stopped.

    python Testing/dev.py bench unet_phantoms [--output DIR]
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import torch
from shape_phantoms import EDGE_VOXELS, best_threshold_dice, make_phantom, write_cases

from mtann.cli import main as mtann
from mtann.models.bundle import load_card
from mtann.models.unet_card import UNetCard
from mtann.planning.plan import Architecture, Configuration, Intensities, Plan

CASES, FOLDS = 20, 5
TRAINING = {"epochs": 20, "iterations": 30, "validation-iterations": 4}
AIM, MOST_BY_THRESHOLD = 0.90, 0.60


def small_plan(features: tuple[int, ...] = (8, 16, 32)) -> Plan:
    """Three stages over the whole phantom."""
    stages = len(features)
    architecture = Architecture(
        features=features,
        kernel_sizes=((3, 3, 3),) * stages,
        strides=((1, 1, 1), *((2, 2, 2),) * (stages - 1)),
        encoder_blocks=(2,) * stages,
        decoder_convolutions=(2,) * (stages - 1),
    )
    configuration = Configuration(
        name="3d_fullres",
        spacing=(1.0, 1.0, 1.0),
        median_size=(EDGE_VOXELS,) * 3,
        patch_size=(EDGE_VOXELS,) * 3,
        batch_size=2,
        normalisation=("z_score",),
        normalise_in_mask=(False,),
        batch_dice=False,
        architecture=architecture,
    )
    measured = Intensities(mean=0, std=1, median=0, percentile_00_5=-1, percentile_99_5=2, minimum=-2, maximum=3)
    return Plan(
        name="phantoms",
        channels=("image",),
        labels={"ball": (1,)},
        intensities=(measured,),
        configurations=(configuration,),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, help="keep data, training and model here")
    parser.add_argument("--threads", type=int, default=2, help="processor threads (default: 2)")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as temporary:
        return run(arguments.output or Path(temporary))


def run(work: Path) -> int:
    threshold = best_threshold_dice([make_phantom(seed) for seed in range(CASES)])
    print(f"best single threshold, chosen on the phantoms themselves, smoothed or not: mean Dice {threshold:.3f}")
    cases = write_cases(work / "data", CASES)
    (work / "plan.json").write_text(small_plan().model_dump_json(indent=2), encoding="utf-8")
    wall, processor = time.perf_counter(), time.process_time()
    options = [f"--{name}={value}" for name, value in TRAINING.items()]
    command = ["crossval", "--plan", work, "--cases", cases, "--output", work / "model", "--folds", FOLDS, *options]
    if code := mtann([str(word) for word in [*command, "--device", "cpu"]]):
        return code
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    card, _ = load_card(work / "model")
    if not isinstance(card, UNetCard):
        raise SystemExit("The model is no U-Net.")
    (measured,) = card.measured
    print(json.dumps({**TRAINING, "folds": FOLDS, "cases": measured.cases}))
    print(f"{FOLDS} folds: {wall:.0f} s ({processor:.0f} s of processor time)")
    met = measured.dice >= AIM and threshold <= MOST_BY_THRESHOLD
    print(f"out of fold: mean Dice {measured.dice:.3f} in {measured.cases} cases; {'met' if met else 'NOT MET'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
