"""Teaches the bundled model of enhancing lesions in T1 after contrast, on real backgrounds with synthetic lesions.

The folds are the backgrounds: for each of the three, a network is trained that has not seen it, in the same batched
training. Operating points are chosen with these, and they are saved beside the model for `enhancing_lesion` to ask.

    python Testing/dev.py bench train_enhancing_lesion --output FOLDER [--copies 24]

writes FOLDER/enhancing-lesion-t1c, the model, and FOLDER/without-patient07 and so on.
"""

import argparse
import sys
import time
from pathlib import Path
from unittest.mock import patch

from varied_backgrounds import BACKGROUNDS, training_case

import mtann.teach
from mtann.fitting import Fitted, fit_networks
from mtann.models.bundle import ModelBundle, make_bundle, save_bundle
from mtann.preprocess.choose import Preprocessing
from mtann.preprocess.normalise import percentiles
from mtann.sampling.folds import patient_folds
from mtann.settings import NetworkSettings, TrainingSettings

NAME = "enhancing-lesion-t1c"
NETWORK = NetworkSettings(dilations=(1, 2, 4, 8), hidden=(64, 32))
TRAINING = TrainingSettings(
    steps=4000, mining_rounds=2, mined_cases=36, mining_stride=2, folds=len(BACKGROUNDS), negatives_per_case=3000
)
WHITE_MATTER = percentiles(2, 75, (-0.5, 2.0))
"""What is twice as bright as white matter counts as that: veins and rims beyond it are told apart by their shape."""
CARD = {
    "licence": "CC-BY-4.0",
    "body_part": "brain",
    "description": (
        "Finds lesions that enhance, from nodules of 4 mm to necrotic tumours of 60 mm, in skull-stripped T1 after "
        "contrast at about 1 mm. Taught on synthetic lesions in the brains of three patients with multiple sclerosis "
        "(Lesjak et al., Neuroinformatics 2017, doi 10.1007/s12021-017-9348-7, CC-BY), each in many altered copies: "
        "turned, bent, with other contrast, noise, slices, vessels, dura and cavities. It has seen no real tumour."
    ),
    "intended_use": (
        "Research and teaching only. Not a medical device; every result must be reviewed by a qualified reader. "
        "Tested on other synthetic lesions in the same three brains, each left out in turn, and on two gliomas; not "
        "on real metastases, on heads with skull, after operations or radiation, on children, on non-Cartesian or "
        "black-blood sequences, or against readers. Expect misses below 5 mm and alarms at vessels and dura."
    ),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder to save the models in")
    parser.add_argument("--copies", type=int, default=24, help="copies of each background, each with its own lesions")
    arguments = parser.parse_args()
    start = time.perf_counter()
    cases = [training_case(background, seed) for seed in range(arguments.copies) for background in BACKGROUNDS]
    print(f"{len(cases)} cases made in {time.perf_counter() - start:.0f} s", flush=True)
    kept: list[Fitted] = []

    def fit_and_keep(*given: object, **named: object) -> Fitted:
        kept.append(fit_networks(*given, **named))  # type: ignore[arg-type]
        return kept[-1]

    # Training keeps the networks of its folds to itself.
    with patch.object(mtann.teach, "fit_networks", fit_and_keep):
        bundle = mtann.teach.train(
            cases,
            name=NAME,
            channels=("t1c",),
            class_name="enhancing lesion",
            network=NETWORK,
            training=TRAINING,
            spacing_mm=1.0,
            preprocessing={"t1c": Preprocessing(normalisation=WHITE_MATTER)},
            card=CARD,
            output=arguments.output / NAME,
            device="cpu",
        )
    for text in bundle.card.results:
        print(text)
    save_folds(bundle, kept[0], [case.patient for case in cases], arguments.output)
    print(f"{bundle.card.training_lesions} lesions, {time.perf_counter() - start:.0f} s")
    return 0


def save_folds(bundle: ModelBundle, fitted: Fitted, patients: list[str], output: Path) -> None:
    """Each fold's network as a bundle with the model's operating points, named after what it has not seen."""
    for number, held_out in enumerate(patient_folds(patients, TRAINING.folds, TRAINING.seed)):
        name = f"without-{patients[held_out[0]]}"
        save_bundle(make_bundle(bundle.card.model_copy(update={"name": name}), [fitted.of_fold(number)]), output / name)


if __name__ == "__main__":
    sys.exit(main())
