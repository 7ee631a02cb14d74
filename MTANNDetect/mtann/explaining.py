"""Why a result's candidates have their scores. Front ends call :func:`explain` after :func:`mtann.detect`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mtann.backends.computation import choose_for_mtann
from mtann.backends.device import choose_device
from mtann.detection.candidate import Candidate, DetectionResult
from mtann.errors import ImageError, ModelError, SettingsError
from mtann.explanation.contributions import contributions
from mtann.explanation.explanation import CandidateExplanation, Explanation
from mtann.explanation.filters import filters_of
from mtann.explanation.occlusion import occlusion_of
from mtann.models.bundle import ModelBundle
from mtann.models.catalogue import open_model
from mtann.pipeline import channels_in_order
from mtann.preprocess.prepare import PreparedCase
from mtann.progress import CancelCheck, ProgressCallback, Run
from mtann.scanning import prepare_for
from mtann.settings import Device, ExplanationSettings
from mtann.volume import Volume

ANSWER_NAME = "answer of the network before"
"""What explanations call the channel that an earlier network in a row gives."""


def explain(
    volumes: Volume | Sequence[Volume] | Mapping[str, Volume],
    result: DetectionResult,
    model: ModelBundle | Path | str,
    settings: ExplanationSettings | None = None,
    *,
    ids: Sequence[int] = (),
    mask: Volume | None = None,
    device: Device = "auto",
    prepared: PreparedCase | None = None,
    progress: ProgressCallback | None = None,
    cancelled: CancelCheck | None = None,
) -> Explanation:
    """Say why candidates have their scores: what each network gave or took, where it comes from, and by what filters.

    Args:
        volumes: The case's channels, as they were given to :func:`detect`.
        result: What it found.
        model: The model that found it.
        settings: How many candidates, and size and reach of the occlusion.
        ids: Which candidates; the best ones, reported or not, if empty.
        mask: As it was given to :func:`detect`.
        device: Where to compute.
        prepared: The case as :func:`mtann.scanning.prepare_for` made it of this input; made here if None.
        progress: Called with stage, fraction and message.
        cancelled: Asked often whether to stop.

    Raises:
        MTANNError: The result is of another model or image, or has no such candidate; the message says what.
        CancelledError: ``cancelled`` answered True.
    """
    run, settings = Run(progress, cancelled), settings or ExplanationSettings()
    bundle = open_model(model)
    card, where = bundle.card, choose_device(device)
    channels = channels_in_order(volumes, card)
    check_same(result, bundle, channels)
    chosen = _chosen(result, ids, settings.most_candidates)
    how, tile = choose_for_mtann(device), result.settings.tile_voxels
    prepared = prepared or prepare_for(bundle, channels, mask, tile, how, run.part(0.0, 0.2))
    networks = bundle.networks()
    explained = []
    for number, candidate in enumerate(chosen):
        part = run.part(0.2 + 0.8 * number / len(chosen), 0.2 + 0.8 * (number + 1) / len(chosen))
        part.report("explain", 0.0, f"Explaining candidate {candidate.id}")
        shared_out = contributions(candidate.expert_scores or (candidate.score,), card.combination)
        occlusion = occlusion_of(candidate, prepared, networks, card.combination, settings, where, part)
        explained.append(CandidateExplanation(candidate.id, shared_out, occlusion))
    run.report("done", 1.0, f"{len(explained)} candidates explained")
    answer = (ANSWER_NAME,) if prepared.answered else ()
    seen = (*card.channel_names, *card.derived_names, *answer)
    inputs = (*card.channel_names, *answer)
    return Explanation(tuple(explained), tuple(map(filters_of, networks)), seen, inputs, settings)


def check_same(result: DetectionResult, bundle: ModelBundle, channels: Sequence[Volume]) -> None:
    """Make sure that a result is of this model and of these images.

    Raises:
        ModelError: It is of another model.
        ImageError: It is on another grid.
    """
    if result.model.sha256 != bundle.sha256:
        raise ModelError(
            f"The result was made by model '{result.model.name}', not by '{bundle.card.name}' as it is now. "
            "Give the model that made it, or detect again."
        )
    if not result.likelihood.geometry.matches(channels[0].geometry):
        raise ImageError(
            f"'{channels[0].name}' is not on the grid of the result. Give the images that the result was made from."
        )


def _chosen(result: DetectionResult, ids: Sequence[int], most: int) -> list[Candidate]:
    if not ids:
        return list(result.candidates[:most])
    known = {candidate.id: candidate for candidate in result.candidates}
    unknown = [number for number in ids if number not in known]
    if unknown:
        raise SettingsError(
            f"The result has no candidate {unknown[0]}; it has {len(known)}, counted from 1. Give one of those."
        )
    return [known[number] for number in sorted(set(ids))]
