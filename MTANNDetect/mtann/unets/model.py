"""From trained folds to one model bundle."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mtann.data_set import LabelledCase
from mtann.detection.calibration import TemperatureCalibration
from mtann.errors import ModelError
from mtann.models.bundle import ModelBundle
from mtann.models.card import TrainingImage
from mtann.models.provenance import software_versions
from mtann.models.unet_bundle import make_unet_bundle
from mtann.models.unet_card import MeasuredDice, PostProcessing, UNetCard
from mtann.training.unet.checkpoint import load_checkpoint
from mtann.unets.fold import Training
from mtann.unets.prepared import hash_image
from mtann.unets.scores import Agreements, mean_dice
from mtann.unets.splits import ALL
from mtann.unets.validate import Validation


@dataclass(frozen=True)
class Outcome:
    """Which trained networks make a model, and how they did.

    Attributes:
        configurations: Those whose answers are averaged.
        folds: Of each.
        cases: By case that a network had not seen, how each label agrees with the reference; with post-processing.
        measured_on: Which cases these are, in words.
        post_processing: What is done to a finished segmentation.
        notes: What a user of the model should know.
        calibration: What the logits are divided by before they become probabilities.
    """

    configurations: tuple[str, ...]
    folds: tuple[str, ...]
    cases: Mapping[str, Agreements]
    measured_on: str
    post_processing: tuple[PostProcessing, ...] = ()
    notes: tuple[str, ...] = field(default=())
    calibration: TemperatureCalibration | None = None


def make_model(
    training: Training, outcome: Outcome, name: str, described: Mapping[str, str] | None = None
) -> ModelBundle[UNetCard]:
    """Put the trained networks and what is known of them together.

    Args:
        training: Plan, cases and place.
        outcome: Which networks.
        name: What to call the model.
        described: Licence, intended use and so on, for the card.

    Raises:
        ModelError: A network is missing.
    """
    settings = training.settings
    learnt = _learnt_from(training, outcome.folds)
    card = UNetCard(
        name=name,
        training_data=training_data(learnt, training.plan.channels),
        notes=(*outcome.notes, *training.notes),
        software=software_versions(),
        plan=training.plan,
        configurations=outcome.configurations,
        folds=outcome.folds,
        mirror_axes={
            one.name: tuple(range(one.dimensions)) if settings.mirror else () for one in training.plan.configurations
        },
        post_processing=outcome.post_processing,
        training_cases=len(learnt),
        training_patients=len({case.patient for case in learnt}),
        seed=settings.seed,
        measured=_measured(outcome),
        calibration=outcome.calibration,
        **dict(described or {}),
    )
    states = {(stage, fold): _weights(training, stage, fold) for stage in card.stages for fold in outcome.folds}
    return make_unet_bundle(card, states)


def training_data(cases: Sequence[LabelledCase], channels: Sequence[str]) -> tuple[TrainingImage, ...]:
    """Hashes of everything that was learnt from, so that a scan met again is recognised."""
    images = []
    for case in cases:
        images += [
            TrainingImage(role=name, sha256=hash_image(path))
            for name, path in zip(channels, case.channels, strict=True)
        ]
        images.append(TrainingImage(role="labels", sha256=hash_image(case.labels)))
    return tuple(images)


def _learnt_from(training: Training, folds: Sequence[str]) -> list[LabelledCase]:
    learnt = {case.case for fold in folds for case in training.split(fold).training}
    return [case for case in training.cases if case.case in learnt]


def _measured(outcome: Outcome) -> tuple[MeasuredDice, ...]:
    counts = {
        label: sum(case[label].dice is not None for case in outcome.cases.values())
        for label in mean_dice(list(outcome.cases.values()))
    }
    return tuple(
        MeasuredDice(label=label, dice=dice, cases=counts[label], measured_on=outcome.measured_on)
        for label, dice in mean_dice(list(outcome.cases.values())).items()
    )


def _weights(training: Training, configuration: str, fold: str) -> Any:
    directory = training.folder(configuration, fold)
    content = load_checkpoint(directory)
    if content is None or len(content["epochs"]) < training.settings.epochs:
        raise ModelError(
            f"Fold {fold} of '{configuration}' is not trained to its end in '{directory}'. Train it first."
        )
    return content["network"]


def outcome_of_fold(name: str, fold: str, validation: Validation) -> Outcome:
    """A model of one fold of one configuration."""
    if fold == ALL:
        note = (
            "Taught on every case, so that none is left to measure it by. In its own training cases, which flatters: "
            + ", ".join(f"{label} {dice:.3f}" for label, dice in validation.means.items())
        )
        return Outcome((name,), (fold,), {}, "", notes=(note,))
    note = "One fold of a cross-validation alone; 'mtann crossval' makes a model of all."
    return Outcome((name,), (fold,), validation.cases, f"fold {fold}, cases unseen by the network", notes=(note,))
