"""MTANN and U-Net together: one proposes and judges, the other outlines.

The MTANN looks everywhere and proposes at a sensitive threshold; the U-Net runs only on tiles that touch a proposal;
and the MTANN scores what the U-Net found, so that each finding has an outline from the one and a score from the other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mtann.backends.computation import Computation
from mtann.detection.candidate import Candidate, DetectionResult
from mtann.detection.given import GivenCandidate, given_from
from mtann.errors import ModelError
from mtann.filtering import filter_candidates
from mtann.models.bundle import ModelBundle
from mtann.models.card import ModelCard
from mtann.models.catalogue import open_model
from mtann.models.unet_card import UNetCard
from mtann.pipeline import channels_in_order, detect
from mtann.progress import CancelCheck, ProgressCallback, Run
from mtann.sampling.lesions import lesions_from_label_map
from mtann.segmentation.result import Segmentation, SegmentationSettings
from mtann.segmentation.segment import open_segmenter, segment
from mtann.settings import DetectionSettings, Device
from mtann.unets.likelihood_channel import LIKELIHOOD_CHANNEL
from mtann.volume import Volume

SENSITIVE = "high_sensitivity"
"""The operating point that proposals are made at, where the MTANN has it; else all that it keeps are proposals."""

Volumes = Volume | Sequence[Volume] | Mapping[str, Volume]


@dataclass(frozen=True)
class TwoStageResult:
    """What MTANN and U-Net found together.

    Attributes:
        proposals: What the MTANN alone found.
        segmentation: What the U-Net found about the proposals.
        findings: The components of the segmentation as candidates, scored by the MTANN.
    """

    proposals: DetectionResult
    segmentation: Segmentation
    findings: DetectionResult


def detect_then_segment(
    volumes: Volumes,
    model: ModelBundle | Path | str,
    unet: ModelBundle[Any] | Path | str,
    settings: DetectionSettings | None = None,
    *,
    mask: Volume | None = None,
    threshold: float | None = None,
    operating_point: str = "balanced",
    device: Device = "auto",
    computation: Computation | None = None,
    how: SegmentationSettings | None = None,
    progress: ProgressCallback | None = None,
    cancelled: CancelCheck | None = None,
) -> TwoStageResult:
    """Propose with an MTANN, outline with a U-Net, and score the outlines with the MTANN.

    Args:
        volumes: The case's channels: by channel name where the models take different ones; else one image, or images
            in the models' order. A U-Net's channel ``mtann_likelihood`` is filled with the MTANN's likelihood.
        model: The MTANN: a bundle, its folder, or its name.
        unet: The U-Net: a bundle, its folder, its name, or a model folder of nnU-Net v2.
        settings: How proposals are found; the MTANN's own settings if None.
        mask: Where to look (non-zero voxels); found as the MTANN's description says if None.
        threshold: Score from which findings are reported; that of the operating point if None.
        operating_point: Which of the MTANN's thresholds findings are reported from.
        device: Where to compute.
        computation: What evaluates the MTANN, in place of ``device``.
        how: How the U-Net segments; the defaults on ``device`` if None.
        progress: Called with stage, fraction and message.
        cancelled: Asked often whether to stop.

    Raises:
        MTANNError: Something about the input, a model or a setting must be mended; the message says what.
        CancelledError: ``cancelled`` answered True.
    """
    bundle, segmenter = open_model(model), open_unet(unet)
    named = _named(volumes, bundle.card)
    own = {name: named[name] for name in bundle.card.channel_names if name in named}
    common: dict[str, Any] = {"mask": mask, "device": device, "computation": computation, "cancelled": cancelled}
    sensitive = _sensitive(bundle.card, settings)
    proposals = detect(own, bundle, settings, progress=_part(progress, 0.0, 0.4), **sensitive, **common)
    segmentation = segment(
        _unet_channels(named, segmenter.card, proposals),
        segmenter,
        how or SegmentationSettings(device=device),
        around=as_places(proposals.reported, proposals.candidate_map),
        progress=_part(progress, 0.4, 0.8),
        cancelled=cancelled,
    )
    reported: dict[str, Any] = {"threshold": threshold, "operating_point": operating_point}
    found = given_from(lesions_from_label_map(segmentation.label_map))
    source = f"segmentation by {segmenter.card.name}"
    progress = _part(progress, 0.8, 1.0)
    findings = filter_candidates(own, bundle, found, settings, source=source, progress=progress, **reported, **common)
    return TwoStageResult(proposals, segmentation, findings)


def _part(progress: ProgressCallback | None, start: float, stop: float) -> ProgressCallback:
    """A stage's progress as a share of the whole."""
    run = Run(progress, None, start, stop)
    return lambda told: run.report(told.stage, told.fraction, told.message)


def open_unet(model: ModelBundle[Any] | Path | str) -> ModelBundle[UNetCard]:
    """A U-Net model.

    Raises:
        ModelError: There is no such model, it is damaged, or no U-Net.
    """
    bundle = open_segmenter(model)
    if not isinstance(bundle.card, UNetCard):
        raise ModelError(f"Model '{bundle.card.name}' is no U-Net. Give --then-segment a U-Net that segments.")
    return bundle


def as_places(candidates: Sequence[Candidate], candidate_map: Volume) -> tuple[GivenCandidate, ...]:
    """Candidates as places to look about, with their outlines."""
    wanted = np.isin(candidate_map.array, [candidate.id for candidate in candidates])
    labels = candidate_map.with_array(np.where(wanted, candidate_map.array, 0))
    ids = np.unique(labels.array[wanted]).tolist()
    return given_from(lesions_from_label_map(labels, keep_instances=True), ids)


def _sensitive(card: ModelCard, settings: DetectionSettings | None) -> dict[str, Any]:
    """From which score on the MTANN proposes."""
    if any(point.name == SENSITIVE for point in card.operating_points):
        return {"operating_point": SENSITIVE}
    return {"threshold": (settings or card.detection).score_floor}


def _named(volumes: Volumes, card: ModelCard) -> dict[str, Volume]:
    """The images by the names that the MTANN knows them by; names that it does not know are kept for the U-Net."""
    if isinstance(volumes, Mapping):
        return dict(volumes)
    return dict(zip(card.channel_names, channels_in_order(volumes, card), strict=True))


def unet_names(card: UNetCard) -> tuple[str, ...]:
    """The images that a U-Net takes beside an MTANN's likelihood."""
    return tuple(name for name in card.channel_names if name != LIKELIHOOD_CHANNEL)


def _unet_channels(named: Mapping[str, Volume], card: UNetCard, proposals: DetectionResult) -> dict[str, Volume]:
    """The images that the U-Net takes: by name, or in order where it calls as many by other names."""
    wanted = unet_names(card)
    known = {name: named[name] for name in wanted if name in named}
    if not known and len(wanted) == len(named):
        known = dict(zip(wanted, named.values(), strict=True))
    if LIKELIHOOD_CHANNEL in card.channel_names:
        known[LIKELIHOOD_CHANNEL] = proposals.likelihood
    return known
