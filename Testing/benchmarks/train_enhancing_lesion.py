"""Teaches a model of enhancing lesions in T1 after contrast, on real backgrounds with synthetic lesions.

With ``--leave-out`` a background is held out, for `enhancing_lesion` to be asked about it afterwards; then no operating
point is chosen out of fold, since that takes another training. Without it, the folds are the backgrounds.

    python Testing/dev.py bench train_enhancing_lesion --output BUNDLE [--leave-out patient26] [--copies 10]
"""

import argparse
import sys
import time
from pathlib import Path

from varied_backgrounds import BACKGROUNDS, training_case

from mtann.settings import NetworkSettings, TrainingSettings
from mtann.teach import train

NETWORK = NetworkSettings(dilations=(1, 2, 4, 8), hidden=(64, 32))
STEPS, ROUNDS = 6000, 2
CARD = {
    "licence": "Apache-2.0",
    "body_part": "brain",
    "description": (
        "Finds enhancing lesions in skull-stripped T1 after contrast. It was taught on synthetic lesions in the brains "
        "of patients with multiple sclerosis (Lesjak et al., Neuroinformatics 2017, CC-BY), and has seen no tumour."
    ),
    "intended_use": "Research only. Not a medical device; every result must be reviewed by a qualified reader.",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="where to save the model")
    parser.add_argument("--leave-out", choices=BACKGROUNDS, help="a background that the model must not see")
    parser.add_argument("--copies", type=int, default=10, help="copies of each background, each with its own lesions")
    arguments = parser.parse_args()
    start = time.perf_counter()
    shown = [background for background in BACKGROUNDS if background != arguments.leave_out]
    cases = [training_case(background, seed) for seed in range(arguments.copies) for background in shown]
    folds = 0 if arguments.leave_out else len(shown)
    bundle = train(
        cases,
        name="enhancing-lesion-t1c",
        channels=("t1c",),
        class_name="enhancing lesion",
        network=NETWORK,
        training=TrainingSettings(steps=STEPS, mining_rounds=ROUNDS, folds=folds),
        spacing_mm=1.0,
        card=CARD,
        output=arguments.output,
        device="cpu",
    )
    for point in bundle.card.operating_points:
        print(
            f"{point.name}: {point.threshold:.3f}, sensitivity {point.sensitivity:.1%}, "
            f"{point.fp_per_case:.2f} false alarms a case, chosen on {point.chosen_on}"
        )
    print(f"{arguments.output}: {bundle.card.training_lesions} lesions, {time.perf_counter() - start:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
