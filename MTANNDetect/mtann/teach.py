"""Teaching a model from cases with lesions: prepare, sample, train, mine, and choose operating points out of fold."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mtann.backends.device import choose_device
from mtann.cases import TrainingCase
from mtann.detection.find import find_candidates
from mtann.detection.operating_points import OperatingPoint, choose_operating_points
from mtann.detection.peaks import scales_for
from mtann.errors import CasesError
from mtann.evaluation.matching import Match, match
from mtann.models.bundle import BUNDLE_FOLDER, ModelBundle, make_bundle, save_bundle
from mtann.models.card import ModelCard
from mtann.models.provenance import software_versions, training_images
from mtann.output_folder import check_output
from mtann.preprocess.grid import default_spacing_mm
from mtann.preprocess.mask import choose_mask_kind
from mtann.preprocess.normalise import Normalisation
from mtann.preprocess.prepare import Channel, InputSpecification, PreparedCase, prepare
from mtann.progress import CancelCheck, ProgressCallback, Run
from mtann.sampling.folds import patient_folds
from mtann.sampling.subvolumes import Samples, draw_samples, mine_negatives
from mtann.settings import DetectionSettings, Device, NetworkSettings, TrainingSettings

if TYPE_CHECKING:
    import torch

    from mtann.networks.mtann import MTANN

_CT_AIR_HU = -500.0
_MOST_MINED_CASES = 12
"""So many scans a mining round keep training short however many cases there are."""
_FLOOR_SHARE = 0.5
"""Candidates are kept down to this share of the most sensitive operating point's threshold, for a live threshold."""


@dataclass(frozen=True)
class _Taught:
    """A case ready to learn from."""

    case: TrainingCase
    prepared: PreparedCase
    samples: Samples


@dataclass(frozen=True)
class _Plan:
    """Everything that stays the same over folds."""

    inputs: InputSpecification
    network: NetworkSettings
    training: TrainingSettings
    detection: DetectionSettings
    device: "torch.device"


def train(
    cases: Sequence[TrainingCase],
    *,
    name: str = "my-model",
    channels: Sequence[str] = (),
    class_name: str = "lesion",
    network: NetworkSettings | None = None,
    training: TrainingSettings | None = None,
    detection: DetectionSettings | None = None,
    spacing_mm: float | None = None,
    card: dict[str, Any] | None = None,
    output: Path | str | None = None,
    device: Device = "auto",
    progress: ProgressCallback | None = None,
    cancelled: CancelCheck | None = None,
) -> ModelBundle:
    """Teach an MTANN.

    Operating points are chosen on out-of-fold candidates, split by patient; with one patient or ``folds`` below 2 they
    are chosen on the training cases, and the bundle says that this flatters.

    Args:
        cases: What to learn from.
        name: Name of the model.
        channels: Channel names, in the order of each case's images; "channel 1" and so on if empty.
        class_name: What the lesions are.
        network: Subvolume and hidden layers; the default preset if None.
        training: How to train; the default preset if None.
        detection: How candidates are found; the default preset if None.
        spacing_mm: Spacing of the model's grid in mm; the median in-plane spacing clamped to 0.5 to 1 if None.
        card: More fields of ``model.json``, such as ``licence`` or ``intended_use``.
        output: Folder to save the bundle to.
        device: Where to compute.
        progress: Called with stage, fraction and message.
        cancelled: Asked often whether to stop.

    Raises:
        MTANNError: Something about the cases, the settings or the output must be mended; the message says what.
        CancelledError: ``cancelled`` answered True.
    """
    run = Run(progress, cancelled)
    _check_cases(cases, channels)
    if output is not None:
        check_output(Path(output), BUNDLE_FOLDER)
    plan = _make_plan(cases, channels, network, training, detection, spacing_mm, device)
    taught = _prepare_cases(cases, plan, run.part(0.0, 0.15))
    folds = patient_folds([case.patient for case in cases], plan.training.folds, plan.training.seed)
    trained = 0.15 + 0.85 / (len(folds) + 1)
    model = _fit(taught, plan, run.part(0.15, trained))
    points = _operating_points(model, taught, folds, plan, run.part(trained, 1.0))
    described = _describe(cases, plan, points, name=name, class_name=class_name, **(card or {}))
    bundle = make_bundle(described, model)
    if output is not None:
        save_bundle(bundle, output)
    run.report("done", 1.0, f"Model '{name}' is ready")
    return bundle


def _check_cases(cases: Sequence[TrainingCase], channels: Sequence[str]) -> None:
    if not cases:
        raise CasesError("There is no case to learn from. Give at least one image with lesions.")
    expected = len(channels) or len(cases[0].channels)
    for case in cases:
        if len(case.channels) != expected:
            raise CasesError(
                f"Case '{case.case}' has {len(case.channels)} channel(s) where {expected} are expected. "
                "Give every case the same channels."
            )
    if not any(case.lesions for case in cases):
        raise CasesError("The training cases hold no lesion at all. Mark at least one, or check the column 'lesions'.")


def _make_plan(
    cases: Sequence[TrainingCase],
    channels: Sequence[str],
    network: NetworkSettings | None,
    training: TrainingSettings | None,
    detection: DetectionSettings | None,
    spacing_mm: float | None,
    device: Device,
) -> _Plan:
    """Decide what was left open: channel names, presets, the model's inputs, where to compute."""
    names = tuple(channels) or tuple(f"channel {number}" for number in range(1, len(cases[0].channels) + 1))
    network, training = network or NetworkSettings(), training or TrainingSettings()
    detection = detection or DetectionSettings()
    inputs = _input_specification(cases, names, network.dimensions, spacing_mm)
    if not detection.scales_mm:
        radii = [lesion.radius_mm or training.point_radius_mm for case in cases for lesion in case.lesions]
        detection = detection.model_copy(update={"scales_mm": scales_for(radii, inputs.spacing_mm)})
    return _Plan(
        inputs=inputs,
        network=network,
        training=training,
        detection=detection,
        device=choose_device(device),
    )


def _input_specification(
    cases: Sequence[TrainingCase], names: Sequence[str], dimensions: int, spacing_mm: float | None
) -> InputSpecification:
    """Look at the training images once and write down what a model for them expects."""
    channels = []
    for number, name in enumerate(names):
        is_ct = all(float(case.channels[number].array.min()) <= _CT_AIR_HU for case in cases)
        method = "window" if is_ct else "robust_zscore"
        channels.append(
            Channel(name=name, modality="ct" if is_ct else "mr", normalisation=Normalisation(method=method))
        )
    kinds = [choose_mask_kind(case.channels[0].array, channels[0].modality == "ct") for case in cases]
    kind = max(sorted(set(kinds)), key=kinds.count)
    spacing = spacing_mm or default_spacing_mm([case.channels[0].geometry for case in cases])
    return InputSpecification(channels=tuple(channels), spacing_mm=spacing, dimensions=dimensions, mask=kind)


def _prepare_cases(cases: Sequence[TrainingCase], plan: _Plan, run: Run) -> list[_Taught]:
    taught = []
    for number, case in enumerate(cases):
        part = run.part(number / len(cases), (number + 1) / len(cases))
        prepared = prepare(case.channels, plan.inputs, case.mask, part)
        random = np.random.default_rng([plan.training.seed, 0, number])
        part.report("prepare", 0.9, f"Sampling case {number + 1} of {len(cases)}")
        taught.append(
            _Taught(case, prepared, draw_samples(prepared, case.lesions, plan.network, plan.training, random))
        )
    return taught


def _fit(taught: Sequence[_Taught], plan: _Plan, run: Run) -> "MTANN":
    """Train one network, with rounds of mining its strongest false responses."""
    import torch

    from mtann.networks.mtann import MTANN
    from mtann.training.mtann import fit

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.training.seed)
        network = MTANN(plan.network, len(plan.inputs.channels))
    samples = [one.samples for one in taught]
    rounds = plan.training.mining_rounds + 1
    for number in range(rounds):
        if number:
            samples += _mine(network, taught, plan, number, run.part((number - 0.3) / rounds, number / rounds))
        fit(network, samples, plan.training, device=plan.device, run=run.part(number / rounds, (number + 0.7) / rounds))
    return network


def _mine(network: "MTANN", taught: Sequence[_Taught], plan: _Plan, seed: int, run: Run) -> list[Samples]:
    """False responses of the network on the training cases: on all, or where there are many, on some drawn anew."""
    random = np.random.default_rng([plan.training.seed, 3, seed])
    count = min(len(taught), _MOST_MINED_CASES)
    mined = []
    for number, index in enumerate(random.choice(len(taught), count, replace=False)):
        one = taught[index]
        likelihood = _scan(network, one, plan, run.part(number / count, (number + 1) / count))
        mined.append(mine_negatives(likelihood, one.prepared, one.case.lesions, plan.network, plan.training))
    return mined


def _scan(network: "MTANN", one: _Taught, plan: _Plan, run: Run) -> Any:
    from mtann.inference.scan import scan

    return scan(
        network,
        one.prepared.channels,
        one.prepared.mask,
        tile_voxels=plan.detection.tile_voxels,
        device=plan.device,
        run=run,
    )


def _operating_points(
    model: "MTANN", taught: Sequence[_Taught], folds: Sequence[Any], plan: _Plan, run: Run
) -> tuple[OperatingPoint, ...]:
    matches: list[Match] = []
    for number, held_out in enumerate(folds):
        part = run.part(number / len(folds), (number + 1) / len(folds))
        outside = [one for index, one in enumerate(taught) if index not in held_out]
        if not any(one.case.lesions for one in outside):
            continue
        network = _fit(outside, plan, part.part(0.0, 0.7))
        matches += [_match(network, taught[index], plan, part.part(0.7, 1.0)) for index in held_out]
    if matches:
        chosen_on = f"out-of-fold candidates of the training data ({len(folds)} folds by patient)"
    else:
        matches = [_match(model, one, plan, run) for one in taught]
        chosen_on = "the training cases themselves, which the model had seen, so the figures flatter it"
    return choose_operating_points(
        [m.lesion_scores for m in matches], [m.false_alarm_scores for m in matches], chosen_on
    )


def _match(network: "MTANN", one: _Taught, plan: _Plan, run: Run) -> Match:
    likelihood = _scan(network, one, plan, run.part(0.0, 0.7))
    target = one.case.channels[0].geometry
    _, _, candidates = find_candidates(
        likelihood, one.prepared.grid, one.prepared.mask, target, plan.detection, "lesion", run.part(0.7, 1.0)
    )
    return match(candidates, one.case.lesions, plan.training.point_radius_mm)


def _describe(
    cases: Sequence[TrainingCase], plan: _Plan, points: tuple[OperatingPoint, ...], /, **fields: Any
) -> ModelCard:
    """The model's card; candidates are kept far enough down for a threshold lower than any operating point's."""
    settings = plan.detection
    if points:
        lowest = min(point.threshold for point in points)
        settings = settings.model_copy(update={"score_floor": min(settings.score_floor, _FLOOR_SHARE * lowest)})
    return ModelCard(
        inputs=plan.inputs,
        network=plan.network,
        training=plan.training,
        detection=settings,
        operating_points=points,
        training_cases=len(cases),
        training_patients=len({case.patient for case in cases}),
        training_lesions=sum(len(case.lesions) for case in cases),
        training_data=training_images(cases, [channel.name for channel in plan.inputs.channels]),
        seed=plan.training.seed,
        software=software_versions(),
        **fields,
    )
