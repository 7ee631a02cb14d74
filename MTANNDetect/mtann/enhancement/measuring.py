"""How like the targets the images are that networks make of cases that they have not seen."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mtann.enhancement.bands import answer
from mtann.enhancement.fitting import EnhancementPlan
from mtann.enhancement.meaning import meaning
from mtann.enhancement.pairs import Pair
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
    made, given = [], []
    for number, (case, fold) in enumerate(looked):
        pair, part = pairs[case], run.part(number / len(looked), (number + 1) / len(looked))
        means = meaning(pair.prepared, plan.training, scale)
        answered = answer(networks[fold], pair.prepared.channels, device=plan.device, run=part)
        found = means.image(answered)
        image, truth, without = {
            "enhanced": (pair.image + found, pair.target, pair.image),
            "component": (pair.image - found, pair.image - pair.target, pair.image),
            "translated": (found, pair.target, means.start),
        }[plan.training.target]
        made.append(image_quality(image, truth, means.mask, plan.network.dimensions))
        given.append(image_quality(without, truth, means.mask, plan.network.dimensions))
    return MeasuredQuality(output=_mean(made), input=_mean(given), cases=len(looked), measured_on=measured_on)


def _mean(qualities: Sequence[ImageQuality]) -> ImageQuality:
    return ImageQuality(
        psnr_db=float(np.mean([one.psnr_db for one in qualities])),
        ssim=float(np.mean([one.ssim for one in qualities])),
    )
