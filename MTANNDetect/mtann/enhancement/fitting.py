"""Fitting the networks of all resolution levels, for use and for every fold, in one batched training."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mtann.enhancement.bands import draw_bands
from mtann.enhancement.meaning import teacher
from mtann.enhancement.pairs import Pair
from mtann.errors import SettingsError
from mtann.models.enhancement_card import OutputScale
from mtann.preprocess.prepare import InputSpecification
from mtann.progress import Run
from mtann.sampling.folds import Fold
from mtann.sampling.subvolumes import Samples
from mtann.settings import EnhancementSettings, NetworkSettings, TrainingSettings

if TYPE_CHECKING:
    import torch

    from mtann.networks.mtann import MTANN

_MOST_VOXELS = 250_000
"""A level's voxels from all cases: more would take memory without teaching 20 units anything."""


@dataclass(frozen=True)
class EnhancementPlan:
    """Everything that stays the same over folds."""

    inputs: InputSpecification
    network: NetworkSettings
    training: EnhancementSettings
    device: "torch.device"

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            SettingsError: Networks are to see what one before them answered, or curvature: levels do not.
        """
        if self.network.stages > 1:
            raise SettingsError(
                f"Setting 'stages' is {self.network.stages}, but enhancement has one network a resolution level, and "
                "none sees another's answer. Leave it at 1, and set 'levels'."
            )
        if self.network.hessian_scales_mm:
            scales = ", ".join(f"{scale:g}" for scale in self.network.hessian_scales_mm)
            raise SettingsError(
                f"Setting 'hessian_scales_mm' is {scales}, but enhancement works on intensities alone. Leave it empty."
            )


def fit_levels(
    pairs: Sequence[Pair], scale: OutputScale, folds: Sequence[Fold], plan: EnhancementPlan, run: Run
) -> list["MTANN"]:
    """The networks of each fold, that have not seen its cases, and last that of all cases.

    Their members are resolution levels, and answer in the teacher's units.
    """
    from mtann.networks.mtann import MTANN
    from mtann.training.mtann import fit

    settings = plan.training
    samples, sizes = _sample(pairs, scale, plan)
    held_out = [*(set(fold.tolist()) for fold in folds), set[int]()]
    members = [(left_out, level) for left_out in held_out for level in range(settings.levels)]
    seeds = [settings.seed + level for _, level in members]
    together = MTANN(plan.network, len(plan.inputs.channels), seeds)
    fit(
        together,
        [[own[level] for case, own in enumerate(samples) if case not in left_out] for left_out, level in members],
        # Neither turned nor varied: an image's grain and a rib's course have a direction, and intensities a meaning.
        TrainingSettings(
            steps=settings.steps,
            batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            augment=False,
            seed=settings.seed,
        ),
        seeds=seeds,
        device=plan.device,
        run=run,
    )
    networks = [
        together.member(range(start, start + settings.levels)) for start in range(0, len(members), settings.levels)
    ]
    for network in networks:
        network.output_weight.data *= network.output_weight.new_tensor(sizes)[:, None]
        network.output_bias.data *= network.output_bias.new_tensor(sizes)
    return networks


def _sample(
    pairs: Sequence[Pair], scale: OutputScale, plan: EnhancementPlan
) -> tuple[list[list[Samples]], npt.NDArray[np.float64]]:
    """Samples by case and level, their targets brought to a size of 1, and that size by level.

    Bands differ in size by orders of magnitude, and one learning rate is to suit them all.
    """
    voxels = min(plan.training.voxels_per_case, max(1, _MOST_VOXELS // len(pairs)))
    samples = []
    for number, pair in enumerate(pairs):
        random = np.random.default_rng([plan.training.seed, 0, number])
        teaching = teacher(pair, plan.training, scale)
        samples.append(draw_bands(pair.prepared, teaching, plan.network, plan.training.levels, voxels, random))
    by_level = list(zip(*samples, strict=True))
    sizes = np.array([np.concatenate([one.targets for one in level]).std(dtype=np.float64) for level in by_level])
    sizes[sizes == 0] = 1.0
    scaled = [
        [Samples(one.inputs, one.targets / np.float32(size), one.groups) for one, size in zip(own, sizes, strict=True)]
        for own in samples
    ]
    return scaled, sizes
