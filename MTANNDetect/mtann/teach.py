"""Teaching a model from cases with lesions: prepare, sample, train, mine, and choose operating points out of fold."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mtann.backends.device import choose_device
from mtann.cases import TrainingCase
from mtann.choosing import Choice, choose_from
from mtann.detection.peaks import scales_for
from mtann.errors import CasesError
from mtann.evaluation.overlap import SegmentationThreshold, choose_segmentation_threshold
from mtann.experts.teach import Experts, teach_experts
from mtann.fitting import (
    TaughtCase,
    TrainingPlan,
    fit_networks,
    lesions_outside,
    prepare_cases,
    usable_folds,
    with_sizes,
)
from mtann.models.bundle import BUNDLE_FOLDER, ModelBundle, make_bundle, save_bundle
from mtann.models.card import ModelCard
from mtann.models.provenance import software_versions, training_images
from mtann.out_of_fold import Findings, out_of_fold
from mtann.output_folder import check_output
from mtann.preprocess.choose import Preprocessing, check_channel_names, choose_channel
from mtann.preprocess.grid import default_spacing_mm
from mtann.preprocess.mask import MaskKind, choose_mask_kind
from mtann.preprocess.prepare import InputSpecification
from mtann.preprocess.typical import measure_typical
from mtann.progress import CancelCheck, ProgressCallback, Run
from mtann.report.training import TrainingReport
from mtann.report.training_page import training_page
from mtann.sampling.few import for_classification
from mtann.sampling.folds import Fold, patient_folds
from mtann.sampling.kernel import dilations_for
from mtann.sampling.lesions import DEFAULT_RADIUS_MM
from mtann.settings import DetectionSettings, Device, NetworkSettings, TrainingSettings, make_settings, preset
from mtann.stages import notes_on, teach_earlier
from mtann.thinning import check_can_thin, learn_curve
from mtann.training_report import make_report

if TYPE_CHECKING:
    from mtann.networks.mtann import MTANN

_FLOOR_SHARE = 0.5
"""Candidates are kept down to this share of the most sensitive operating point's threshold, for a live threshold."""


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
    preprocessing: Mapping[str, Preprocessing] | None = None,
    tissue: MaskKind | None = None,
    card: dict[str, Any] | None = None,
    output: Path | str | None = None,
    device: Device = "auto",
    learning_curve: bool = False,
    told: Callable[[TrainingReport], None] | None = None,
    progress: ProgressCallback | None = None,
    cancelled: CancelCheck | None = None,
) -> ModelBundle:
    """Teach an MTANN.

    Operating points are chosen out of fold, split by patient; where that cannot be, the bundle says that they flatter.

    Args:
        cases: What to learn from.
        name: Name of the model.
        channels: Channel names, in the order of each case's images; "channel 1" and so on if empty.
        class_name: What the lesions are.
        network: Subvolume and hidden layers; the default preset if None.
        training: How to train; the default preset if None.
        detection: How candidates are found; the default preset if None.
        spacing_mm: Spacing of the model's grid in mm; the median in-plane spacing clamped to 0.5 to 1 if None.
        preprocessing: Steps and normalisation by channel name; no steps, and what suits the images, for the others.
        tissue: How the model finds where to look if no mask is given; what suits most images if None.
        card: More fields of ``model.json``, such as ``licence`` or ``intended_use``.
        output: Folder to save the bundle to, with the page ``training_report.html`` beside the model's own files.
        device: Where to compute.
        learning_curve: Whether to train three times more on a part of the lesions, to see whether more would help.
        told: Called with how the training went.
        progress: Called with stage, fraction and message.
        cancelled: Asked often whether to stop.

    Raises:
        MTANNError: Something about the cases, the settings or the output must be mended; the message says what.
        CancelledError: ``cancelled`` answered True.
    """
    run = Run(progress, cancelled)
    cases = _checked(cases, channels, training := training or TrainingSettings())
    if output is not None:
        check_output(Path(output), BUNDLE_FOLDER)
    plan = make_plan(cases, channels, network, training, detection, spacing_mm, preprocessing or {}, tissue, device)
    draft = _describe(cases, plan, name=name, class_name=class_name, **(card or {}))
    bundle, report = _teach(cases, plan, draft, learning_curve, run)
    if output is not None:
        save_bundle(bundle, output, training_page(report))
    if told is not None:
        told(report)
    run.report("done", 1.0, f"Model '{name}' is ready")
    return bundle


def _teach(
    cases: Sequence[TrainingCase], plan: TrainingPlan, draft: ModelCard, learning_curve: bool, run: Run
) -> tuple[ModelBundle, TrainingReport]:
    taught = prepare_cases(cases, plan, run.part(0.0, 0.15))
    has_lesions = [bool(case.lesions) for case in cases]
    folds = patient_folds([case.patient for case in cases], plan.training.folds, plan.training.seed, has_lesions)
    folds = usable_folds(taught, folds, plan)
    if learning_curve:
        check_can_thin(taught, folds, plan)
    end = 0.4 if learning_curve else 0.98
    first = end - (end - 0.15) / plan.network.stages
    taught, earlier = teach_earlier(taught, folds, plan, run.part(0.15, first))
    learnt = _learn(taught, folds, plan, run.part(first, end))
    curve = learn_curve(taught, folds, learnt.findings, plan, run.part(0.4, 0.98)) if learning_curve else None
    typical = measure_typical(
        [one.prepared for one in taught], [case.channels[0].geometry for case in cases], draft.channel_names
    )
    draft = draft.model_copy(update={"typical_inputs": typical})
    draft = draft.model_copy(update={"notes": (*draft.notes, *notes_on(earlier, taught, folds))})
    card = _complete(draft, learnt, lesions_outside(taught))
    bundle = make_bundle(card, learnt.networks, learnt.of_folds, [fitted.of_fold(None) for fitted in earlier])
    return bundle, make_report(bundle, taught, learnt.findings, learnt.experts, curve)


@dataclass(frozen=True)
class _Learnt:
    """What training brings out: the single MTANN and its experts, and how they did out of fold."""

    networks: tuple["MTANN", ...]
    of_folds: "MTANN | None"
    findings: Findings
    experts: Experts | None
    choice: Choice
    segmentation: SegmentationThreshold | None


def _learn(taught: Sequence[TaughtCase], folds: Sequence[Fold], plan: TrainingPlan, run: Run) -> _Learnt:
    share = 0.4 if plan.training.max_experts else 1.0
    fitted = fit_networks(taught, folds, plan, run.part(0.0, 0.7 * share))
    findings = out_of_fold(fitted, taught, folds, plan, run.part(0.7 * share, share))
    single = fitted.of_fold(None)
    experts = None
    if plan.training.max_experts and any(np.isfinite(one.match.lesion_scores).any() for one in findings.cases):
        experts = teach_experts(fitted, findings, taught, folds, plan, run.part(share, 1.0))
    choice = choose_from(findings, taught, experts, plan.training)
    segmentation = choose_segmentation_threshold([one.overlap for one in findings.cases], findings.chosen_on)
    networks = (single, *(experts.networks if experts else ()))
    return _Learnt(networks, fitted.of_folds(), findings, experts, choice, segmentation)


def _checked(cases: Sequence[TrainingCase], channels: Sequence[str], training: TrainingSettings) -> list[TrainingCase]:
    """The cases, with a radius for every lesion and non-lesion.

    Raises:
        CasesError: There is nothing to learn from.
    """
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
    if training.task == "classification" and not any(case.non_lesions for case in cases):
        raise CasesError(
            "All given candidates are lesions; to tell them apart, non-lesions are needed, too. "
            "Give a detector's false alarms in the column 'non_lesions', or use the task 'detection'."
        )
    return with_sizes(cases, training.point_radius_mm)


def make_plan(
    cases: Sequence[TrainingCase],
    channels: Sequence[str],
    network: NetworkSettings | None,
    training: TrainingSettings,
    detection: DetectionSettings | None,
    spacing_mm: float | None,
    preprocessing: Mapping[str, Preprocessing],
    tissue: MaskKind | None,
    device: Device,
) -> TrainingPlan:
    """Decide what was left open: channel names, presets, the model's inputs, where to compute."""
    names = tuple(channels) or tuple(f"channel {number}" for number in range(1, len(cases[0].channels) + 1))
    network, detection = network or preset("default")[0], detection or DetectionSettings()
    if training.task == "classification":
        marked = [(len(case.lesions), len(case.non_lesions)) for case in cases]
        training = for_classification(training, *(sum(counts) for counts in zip(*marked, strict=True)))
    inputs = _input_specification(cases, names, network.dimensions, spacing_mm, preprocessing, tissue)
    radii = [lesion.radius_mm or DEFAULT_RADIUS_MM for case in cases for lesion in case.lesions]
    if not network.dilations:
        network = network.model_copy(update={"dilations": dilations_for(radii, inputs.spacing_mm, network)})
    if not detection.scales_mm:
        detection = detection.model_copy(update={"scales_mm": scales_for(radii, inputs.spacing_mm)})
    return TrainingPlan(
        inputs=inputs,
        network=network,
        training=training,
        detection=detection,
        device=choose_device(device),
    )


def _input_specification(
    cases: Sequence[TrainingCase],
    names: Sequence[str],
    dimensions: int,
    spacing_mm: float | None,
    preprocessing: Mapping[str, Preprocessing],
    tissue: MaskKind | None,
) -> InputSpecification:
    """Look at the training images once and write down what a model for them expects."""
    check_channel_names(names, preprocessing)
    channels = [
        choose_channel(name, [case.channels[number].array for case in cases], preprocessing.get(name))
        for number, name in enumerate(names)
    ]
    kinds = [choose_mask_kind(case.channels[0].array, channels[0].modality == "ct") for case in cases]
    kind = max(sorted(set(kinds)), key=kinds.count)
    spacing = default_spacing_mm([case.channels[0].geometry for case in cases]) if spacing_mm is None else spacing_mm
    return make_settings(
        InputSpecification, channels=tuple(channels), spacing_mm=spacing, dimensions=dimensions, mask=tissue or kind
    )


def _describe(cases: Sequence[TrainingCase], plan: TrainingPlan, /, **fields: Any) -> ModelCard:
    """The model's card, as far as it is known before training; so early, a wrong name does not cost a training.

    Raises:
        SettingsError: A field that the user gave is not valid.
    """
    return make_settings(
        ModelCard,
        inputs=plan.inputs,
        network=plan.network,
        training=plan.training,
        detection=plan.detection,
        operating_points=(),
        training_cases=len(cases),
        training_patients=len({case.patient for case in cases}),
        training_lesions=sum(len(case.lesions) for case in cases),
        training_data=training_images(cases, [channel.name for channel in plan.inputs.channels]),
        seed=plan.training.seed,
        software=software_versions(),
        **fields,
    )


def _complete(draft: ModelCard, learnt: _Learnt, outside: int) -> ModelCard:
    """Add what training brought out: operating points, how far down candidates are kept, and what to know."""
    notes, points = list(draft.notes), learnt.choice.points
    if outside and draft.training.task == "detection":
        notes.append(
            f"{outside} of {draft.training_lesions} training lesions lie outside the tissue that is searched "
            f"(mask '{draft.inputs.mask}'), where nothing can be found. Give masks that include such lesions."
        )
    if not points:
        notes.append("No lesion was found on the cases for choosing thresholds, so there is none: give a threshold.")
    detection = draft.detection
    if points and len(learnt.networks) == 1:
        # Candidates are kept far enough down for a live threshold below any operating point's.
        lowest = min(point.threshold for point in points)
        detection = detection.model_copy(
            update={"score_floor": min(detection.score_floor, _FLOOR_SHARE * lowest, lowest)}
        )
    update: dict[str, Any] = {
        "operating_points": points,
        "refused_points": learnt.choice.refused,
        "calibration": learnt.choice.calibration,
        "segmentation": learnt.segmentation,
        "detection": detection,
        "notes": tuple(notes),
    }
    if learnt.experts:
        update["combination"] = learnt.experts.combination
    return draft.model_copy(update=update)
