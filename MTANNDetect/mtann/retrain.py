"""Teaching a model more: lesions that it missed, and candidates that were rejected.

Training goes on from the model's weights, for a fraction of the steps. The former training images are not needed: so
that the model keeps what it knows, its own answers are the teaching values wherever the user said nothing (Li and
Hoiem, Learning without Forgetting, IEEE Trans PAMI 40:2935, 2018).
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mtann.backends.device import choose_device
from mtann.cases import TrainingCase
from mtann.errors import CasesError
from mtann.fitting import TaughtCase, TrainingPlan, sample_case, with_sizes
from mtann.models.bundle import BUNDLE_FOLDER, ModelBundle, make_bundle, save_bundle
from mtann.models.card import ModelCard
from mtann.models.catalogue import open_model
from mtann.models.provenance import software_versions, training_images
from mtann.output_folder import check_output
from mtann.progress import CancelCheck, ProgressCallback, Run
from mtann.sampling.few import most_turned
from mtann.sampling.subvolumes import NEGATIVE, Samples, mine_negatives
from mtann.scanning import prepare_for
from mtann.settings import Device, TrainingSettings, make_settings

if TYPE_CHECKING:
    from mtann.networks.mtann import MTANN

_STEPS, _LEARNING_RATE = 300, 3e-3
_STRIDE = 2
_KNOWN_LESIONS = 1_000_000
"""Group of the voxels that the model takes for lesions by itself; it is rehearsed like one more lesion."""


def retraining_settings(card: ModelCard) -> TrainingSettings:
    """How a model is retrained unless told otherwise: as it was trained, with fewer and smaller steps, and no folds."""
    update = {"steps": _STEPS, "learning_rate": _LEARNING_RATE, "folds": 0, "mining_rounds": 0, "max_experts": 0}
    return card.training.model_copy(update=update)


def retrain(
    model: ModelBundle | Path | str,
    cases: Sequence[TrainingCase],
    *,
    name: str | None = None,
    training: TrainingSettings | None = None,
    output: Path | str | None = None,
    device: Device = "auto",
    progress: ProgressCallback | None = None,
    cancelled: CancelCheck | None = None,
) -> ModelBundle:
    """Teach a model more lesions and non-lesions.

    The operating points stay as they were chosen before; a note in the bundle says so. Experts, and networks before the
    last one in a row, stay as they are.

    Args:
        model: The model to go on from: a bundle, its folder, or its name.
        cases: What to add. Lesions may be points without a radius; ``non_lesions`` are rejected candidates.
        name: Name of the new model; the same if None.
        training: How to train; see :func:`retraining_settings` for the default.
        output: Folder to save the bundle to.
        device: Where to compute.
        progress: Called with stage, fraction and message.
        cancelled: Asked often whether to stop.

    Raises:
        MTANNError: Something about the cases, the model or the output must be mended; the message says what.
        CancelledError: ``cancelled`` answered True.
    """
    from mtann.training.mtann import fit

    run = Run(progress, cancelled)
    start = open_model(model)
    card = start.card
    _check(cases, card)
    if output is not None:
        check_output(Path(output), BUNDLE_FOLDER)
    settings = _fitting_into_memory(training or retraining_settings(card), cases)
    plan = TrainingPlan(card.inputs, card.network, settings, card.detection, choose_device(device))
    draft = _describe(start, cases, plan, name or card.name)
    sized, taught = with_sizes(cases, settings.point_radius_mm), []
    for number, case in enumerate(sized):
        part = run.part(0.3 * number / len(sized), 0.3 * (number + 1) / len(sized))
        prepared = prepare_for(start, case.channels, case.mask, card.detection.tile_voxels, plan.computation, part)
        taught.append(sample_case(case, prepared, plan, number))
    network, *experts = start.networks()
    lesson: list[Samples] = []
    for number, one in enumerate(taught):
        lesson += _lesson(network, one, plan, run.part(0.3 + 0.2 * number / len(taught), 0.5))
    seeds = range(settings.seed, settings.seed + network.members)
    fit(network, [lesson] * network.members, settings, seeds=seeds, device=plan.device, run=run.part(0.5, 1.0))
    bundle = make_bundle(draft, [network, *experts], earlier=start.earlier_networks())
    if output is not None:
        save_bundle(bundle, output)
    run.report("done", 1.0, f"Model '{bundle.card.name}' is ready")
    return bundle


def _fitting_into_memory(settings: TrainingSettings, cases: Sequence[TrainingCase]) -> TrainingSettings:
    """The settings with no more turned subvolumes than there is room for: they were chosen for other cases."""
    most = most_turned(sum(len(case.lesions) for case in cases), sum(len(case.non_lesions) for case in cases))
    if settings.turned_per_region is None or settings.turned_per_region <= most:
        return settings
    return settings.model_copy(update={"turned_per_region": most})


def _check(cases: Sequence[TrainingCase], card: ModelCard) -> None:
    if not any(case.lesions or case.non_lesions for case in cases):
        raise CasesError("There is nothing new to learn: no case marks a lesion or a non-lesion. Mark at least one.")
    names = [channel.name for channel in card.inputs.channels]
    for case in cases:
        if len(case.channels) != len(names):
            raise CasesError(
                f"Case '{case.case}' has {len(case.channels)} channel(s), but model '{card.name}' takes {len(names)} "
                f"({', '.join(names)}). Give every case the model's channels."
            )


def _lesson(network: "MTANN", one: TaughtCase, plan: TrainingPlan, run: Run) -> list[Samples]:
    """A case's samples; where the user said nothing, the network's own answers are right."""
    from mtann.inference.scan import scan

    likelihood = scan(
        network,
        one.prepared.channels,
        one.prepared.mask,
        tile_voxels=plan.detection.tile_voxels,
        stride=_STRIDE,
        device=plan.device,
        run=run,
    ).mean(axis=0)
    marked = (*one.case.lesions, *one.case.non_lesions)
    strong = mine_negatives(likelihood, one.prepared, marked, plan.network, plan.training, stride=_STRIDE)
    rehearsed = Samples(strong.inputs, _answers(network, strong), np.full(len(strong.groups), _KNOWN_LESIONS))
    kept = []
    for samples in one.samples:
        unsaid = samples.groups == NEGATIVE
        kept.append(replace(samples, targets=np.where(unsaid, _answers(network, samples), samples.targets)))
    return [*kept, rehearsed]


def _answers(network: "MTANN", samples: Samples) -> npt.NDArray[np.float32]:
    import torch

    with torch.inference_mode():
        inputs = torch.from_numpy(samples.inputs)[None].to(network.first_bias.device, torch.float32)
        result: npt.NDArray[np.float32] = network(inputs).mean(dim=0).cpu().numpy()
    return result


def _describe(start: ModelBundle, cases: Sequence[TrainingCase], plan: TrainingPlan, name: str) -> ModelCard:
    card = start.card
    known = {(image.role, image.sha256) for image in card.training_data}
    images = training_images(cases, [channel.name for channel in card.inputs.channels])
    first = card.inputs.channels[0].name
    new = sum(image.role == first and (image.role, image.sha256) not in known for image in images)
    note = (
        f"Retrained from '{card.name}' {card.version} (SHA-256 {start.sha256}) with "
        f"{sum(len(case.lesions) for case in cases)} lesions and {sum(len(case.non_lesions) for case in cases)} "
        f"non-lesions in {len(cases)} case(s). Its thresholds were chosen before that, on {_origin(card)}."
    )
    return make_settings(
        ModelCard,
        **{
            **dict(card),
            "name": name,
            "version": _next_version(card.version),
            "training": plan.training,
            "training_cases": card.training_cases + new,
            "training_patients": card.training_patients + min(new, len({case.patient for case in cases})),
            "training_lesions": card.training_lesions + sum(len(case.lesions) for case in cases),
            "training_data": (*card.training_data, *(one for one in images if (one.role, one.sha256) not in known)),
            "software": software_versions(),
            "notes": (*card.notes, note),
            "calibration": None,  # its scores have changed
        },
    )


def _origin(card: ModelCard) -> str:
    return card.operating_points[0].chosen_on if card.operating_points else "no data: there are none"


def _next_version(version: str) -> str:
    """The next minor version; of a version in no known form, one that says that it was retrained."""
    parts = version.split(".")
    if len(parts) == 3 and all(part.isdecimal() for part in parts):
        return f"{parts[0]}.{int(parts[1]) + 1}.0"
    return f"{version}-retrained"
