"""How like the targets the images are that networks make of cases that they have not seen."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mtann.enhancement.bands import answer
from mtann.enhancement.fitting import EnhancementPlan
from mtann.enhancement.pairs import Pair, answer_in_units
from mtann.evaluation.image_quality import ImageQuality, image_quality
from mtann.models.enhancement_card import MeasuredQuality, OutputScale
from mtann.progress import Run
from mtann.sampling.folds import Fold

if TYPE_CHECKING:
    from mtann.networks.mtann import MTANN


def measure_quality(
    networks: Sequence["MTANN"],
    pairs: Sequence[Pair],
    scale: OutputScale,
    folds: Sequence[Fold],
    plan: EnhancementPlan,
    run: Run,
) -> MeasuredQuality:
    """Look at every case with the networks of the fold that holds it out; without folds, with those of all cases.

    In the second case nothing can be said out of fold, and the words say that the figures flatter.
    """
    looked = [(int(case), fold) for fold, cases in enumerate(folds) for case in cases]
    measured_on = f"out-of-fold images of the training data ({len(folds)} folds by patient)"
    if not looked:
        looked = [(case, -1) for case in range(len(pairs))]
        measured_on = "the training cases themselves, which the model had seen, so the figures flatter it"
    target, dimensions = plan.training.target, plan.network.dimensions
    made, given = [], []
    for number, (case, fold) in enumerate(looked):
        pair, part = pairs[case], run.part(number / len(looked), (number + 1) / len(looked))
        mask = pair.prepared.mask
        answered = answer(networks[fold], pair.prepared.channels, device=plan.device, run=part)
        found = answer_in_units(answered, pair.prepared, plan.training, scale)
        if target == "translated":
            made.append(image_quality(found, pair.target, mask, dimensions))
            continue
        image, truth = pair.image + found, pair.target
        if target == "component":
            image, truth = pair.image - found, pair.image - pair.target
        made.append(image_quality(image, truth, mask, dimensions))
        given.append(image_quality(pair.image, truth, mask, dimensions))
    return MeasuredQuality(
        output=_mean(made), input=_mean(given) if given else None, cases=len(looked), measured_on=measured_on
    )


def _mean(qualities: Sequence[ImageQuality]) -> ImageQuality:
    return ImageQuality(
        psnr_db=float(np.mean([one.psnr_db for one in qualities])),
        ssim=float(np.mean([one.ssim for one in qualities])),
    )
