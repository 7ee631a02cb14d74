"""Makes the bundled demonstration model ``head-phantom-t1c`` anew, from phantoms with seeds 1000 and above.

The phantoms, the samples, the training and the folds all follow from fixed seeds. On the same versions of the packages
the result is the same; on others it differs in the last digits.

    python Testing/dev.py bench train_demo_model
"""

import argparse
import sys
import time
from pathlib import Path

from mtann.cases import TrainingCase
from mtann.commands.demo import DEMO_MODEL
from mtann.models.bundle import save_bundle
from mtann.models.catalogue import BUNDLED
from mtann.phantoms.head import head_phantom
from mtann.sampling.lesions import lesions_from_label_map
from mtann.settings import TrainingSettings
from mtann.teach import train

FIRST_SEED = 1000
DESCRIPTION = (
    "Finds enhancing lesions in the synthetic T1c heads that 'mtann demo' makes. It was taught on such heads only and "
    "has seen no patient."
)
INTENDED_USE = (
    "Demonstration of the software on synthetic heads. Not for images of patients: it was never taught or tested on "
    "any."
)


def training_case(seed: int) -> TrainingCase:
    """A phantom as a training case, its truth as instances."""
    phantom = head_phantom(seed)
    lesions = lesions_from_label_map(phantom.labels, keep_instances=True)
    return TrainingCase(f"phantom {seed}", f"phantom {seed}", (phantom.volume,), lesions)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=30, help="how many phantoms to learn from")
    parser.add_argument("--folds", type=int, default=2, help="for the operating points")
    parser.add_argument("--output", type=Path, default=BUNDLED / DEMO_MODEL, help="where to save the model")
    arguments = parser.parse_args()
    start = time.perf_counter()
    bundle = train(
        [training_case(FIRST_SEED + number) for number in range(arguments.cases)],
        name=DEMO_MODEL,
        channels=("t1c",),
        class_name="enhancing lesion",
        training=TrainingSettings(steps=3000, mining_rounds=2, folds=arguments.folds),
        card={"description": DESCRIPTION, "intended_use": INTENDED_USE, "licence": "Apache-2.0", "body_part": "brain"},
        device="cpu",
    )
    # Without the report of the training, which would be shipped with the model.
    save_bundle(bundle, arguments.output)
    for point in bundle.card.operating_points:
        print(
            f"{point.name}: {point.threshold:.3f}, sensitivity {point.sensitivity:.1%}, "
            f"{point.fp_per_case:.2f} false alarms a case"
        )
    print(f"{arguments.output}: {time.perf_counter() - start:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
