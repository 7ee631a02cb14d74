"""The whole way on one page: images in, likelihood volume, candidates and label map out.

Every front end (command line, Slicer's widget, Slicer's Python console) calls :func:`detect`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mtann.backends.computation import Computation, choose_for_mtann
from mtann.detection.candidate import Candidate, DetectionResult, InputReference
from mtann.detection.find import find_candidates, report_from, rescore, with_probabilities
from mtann.detection.outline import LabelVolume
from mtann.errors import ImageError, SettingsError
from mtann.models.bundle import ModelBundle
from mtann.models.card import Card, ModelCard
from mtann.models.catalogue import open_model
from mtann.preprocess.prepare import PreparedCase
from mtann.preprocess.typical import unlike_training
from mtann.progress import CancelCheck, ProgressCallback, Run
from mtann.scanning import prepare_for, prepared_at, scan_case
from mtann.settings import DetectionSettings, Device, Task
from mtann.volume import Volume

if TYPE_CHECKING:
    from mtann.networks.mtann import MTANN


def detect(
    volumes: Volume | Sequence[Volume] | Mapping[str, Volume],
    model: ModelBundle | Path | str,
    settings: DetectionSettings | None = None,
    *,
    mask: Volume | None = None,
    threshold: float | None = None,
    operating_point: str = "balanced",
    device: Device = "auto",
    computation: Computation | None = None,
    prepared: PreparedCase | None = None,
    progress: ProgressCallback | None = None,
    cancelled: CancelCheck | None = None,
) -> DetectionResult:
    """Find lesions in one case: everything found, on the grid of the first channel.

    Args:
        volumes: The case's channels: one image, images in the model's order, or images by channel name.
        model: A bundle, its folder, or the name of a bundled model.
        settings: How candidates are found; the model's own settings if None.
        mask: Where to look (non-zero voxels); found as the model's description says if None.
        threshold: Score from which candidates are reported; that of the operating point if None.
        operating_point: Which of the model's thresholds to use.
        device: Where to compute.
        computation: What evaluates networks, in place of ``device``; ``choose_for_mtann`` makes one.
        prepared: The case as :func:`mtann.scanning.prepare_for` made it of this input; made here if None.
        progress: Called with stage, fraction and message.
        cancelled: Asked often whether to stop.

    Raises:
        MTANNError: Something about the input, the model or a setting must be mended; the message says what.
        CancelledError: ``cancelled`` answered True.
    """
    run, bundle = Run(progress, cancelled), open_model(model)
    card = bundle.card
    settings = settings or card.detection
    chosen = resolve_threshold(card, threshold, operating_point)
    how = computation or choose_for_mtann(device)
    first, *_ = channels = channels_in_order(volumes, card)
    ready = prepared_at(card.network.stages)
    prepared = prepared or prepare_for(bundle, channels, mask, settings.tile_voxels, how, run.part(0.0, ready))
    single, *experts = bundle.networks()
    likelihood = scan_case(single, prepared, settings.tile_voxels, how, run.part(ready, 0.8))
    restored, labels, candidates = find_candidates(
        likelihood, prepared.grid, prepared.mask, first.geometry, settings, card.class_name, run.part(0.8, 0.95)
    )
    labels, candidates = _with_experts(experts, prepared, labels, candidates, card, how.device, run.part(0.95, 1.0))
    run.report("done", 1.0, f"{len(candidates)} candidates")
    return DetectionResult(
        likelihood=first.with_array(restored.astype(np.float32, copy=False), f"{first.name} likelihood"),
        candidate_map=first.with_array(labels, f"{first.name} candidates"),
        candidates=report_from(with_probabilities(candidates, card.calibration_for("detection")), chosen.value),
        model=bundle.reference,
        inputs=input_references(channels, card, mask),
        settings=settings,
        threshold=chosen.value,
        threshold_origin=chosen.origin,
        warnings=(*image_warnings(prepared, card, first), *chosen.warnings),
        computation=how,
    )


def image_warnings(prepared: PreparedCase, card: ModelCard, first: Volume) -> tuple[str, ...]:
    """What a reader must know about the input: how it lies, and whether it is unlike the training images."""
    return (*prepared.warnings, *unlike_training(card.typical_inputs, prepared, first.geometry))


def channels_in_order(volumes: Volume | Sequence[Volume] | Mapping[str, Volume], card: Card) -> tuple[Volume, ...]:
    """The case's images in the order of the model's channels.

    Raises:
        ImageError: A channel is missing, unknown, or there are too many.
    """
    names = card.channel_names
    if isinstance(volumes, Mapping):
        if set(volumes) != set(names):
            raise ImageError(
                f"Model '{card.name}' needs the channels {', '.join(names)}; "
                f"given were {', '.join(volumes) or 'none'}. Give one image for each."
            )
        return tuple(volumes[name] for name in names)
    images = (volumes,) if isinstance(volumes, Volume) else tuple(volumes)
    if len(images) != len(names):
        raise ImageError(
            f"Model '{card.name}' needs {len(names)} channel(s) ({', '.join(names)}) "
            f"but {len(images)} image(s) were given. Give one image for each."
        )
    return images


def _with_experts(
    experts: Sequence["MTANN"],
    prepared: PreparedCase,
    labels: LabelVolume,
    candidates: tuple[Candidate, ...],
    card: ModelCard,
    device: str,
    run: Run,
) -> tuple[LabelVolume, tuple[Candidate, ...]]:
    """Candidates and label map by the scores of the single MTANN and of each expert; as they are without experts."""
    if not experts:
        return labels, candidates
    from mtann.detection.ask import ask_networks

    own = [candidate.score for candidate in candidates]
    scores = np.vstack([own, ask_networks(experts, prepared, candidates, device=device, run=run)])
    return rescore(labels, candidates, scores, card.combination)


def input_references(channels: Sequence[Volume], card: Card, mask: Volume | None) -> tuple[InputReference, ...]:
    """What went into a run: each channel's image, and the mask."""
    references = [
        InputReference(name, volume.name, volume.sha256)
        for name, volume in zip(card.channel_names, channels, strict=True)
    ]
    if mask is not None:
        references.append(InputReference("mask", mask.name, mask.sha256))
    return tuple(references)


class Threshold(NamedTuple):
    """The score to report from, where it comes from, and what to know before trusting it."""

    value: float
    origin: str
    warnings: tuple[str, ...] = ()


def resolve_threshold(
    card: ModelCard, threshold: float | None, operating_point: str, task: Task = "detection"
) -> Threshold:
    """The user's threshold or, if None, that of one of the model's operating points.

    Args:
        card: The model's description.
        threshold: What the user gave.
        operating_point: Which of the model's thresholds to use.
        task: What the model is used for; a warning tells where it was taught for another task.

    Raises:
        SettingsError: The given threshold is not a finite number.
        ModelError: The model has no such operating point.
    """
    if threshold is not None:
        if not np.isfinite(threshold):
            raise SettingsError(f"The threshold must be a finite number; found {threshold}.")
        return Threshold(float(threshold), "given by the user")
    point = card.operating_point(operating_point)
    origin = (
        f"operating point '{point.name}' of the model, chosen on {point.chosen_on}: "
        f"{point.lesions} lesions in {point.cases} cases, "
        f"sensitivity {point.sensitivity:.0%} at {point.fp_per_case:.1f} false alarms a case"
    )
    if card.training.task == task:
        return Threshold(point.threshold, origin)
    found = "that it found itself" if card.training.task == "detection" else "that were given to it"
    warning = (
        f"Model '{card.name}' was taught for {card.training.task}, not for {task}: its threshold was chosen on "
        f"candidates {found}. Trust the order of the scores, or give a threshold of your own."
    )
    return Threshold(point.threshold, f"{origin}; chosen for {card.training.task}, not for {task}", (warning,))
