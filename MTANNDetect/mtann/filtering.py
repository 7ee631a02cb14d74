"""Candidate classification: a model scores the candidates of any detector anew, and drops none.

Suzuki's false-positive reduction (Med Phys 30:1602, 2003): the score is the Gaussian-weighted sum of the MTANN's output
about the candidate, and a threshold on it tells lesions from non-lesions.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mtann.backends.computation import Computation, choose_for_mtann
from mtann.detection.candidate import Candidate, DetectionResult, InputReference
from mtann.detection.find import report_from, rescore, with_probabilities
from mtann.detection.given import GivenCandidate, as_candidates, covered_voxels, paint
from mtann.detection.outline import LabelVolume
from mtann.errors import CasesError
from mtann.given_files import hash_given
from mtann.models.bundle import ModelBundle
from mtann.models.card import ModelCard
from mtann.models.catalogue import open_model
from mtann.pipeline import Threshold, channels_in_order, image_warnings, input_references, resolve_threshold
from mtann.preprocess.grid import restore
from mtann.preprocess.prepare import PreparedCase
from mtann.progress import CancelCheck, ProgressCallback, Run
from mtann.sampling.radius import with_radii
from mtann.scanning import prepare_for, prepared_at, scan_case
from mtann.settings import DetectionSettings, Device
from mtann.volume import Volume

_MOST = int(np.iinfo(np.uint16).max)
_MOST_NAMED = 10


def filter_candidates(
    volumes: Volume | Sequence[Volume] | Mapping[str, Volume],
    model: ModelBundle | Path | str,
    candidates: Sequence[GivenCandidate],
    settings: DetectionSettings | None = None,
    *,
    mask: Volume | None = None,
    threshold: float | None = None,
    operating_point: str = "balanced",
    source: str = "candidates",
    device: Device = "auto",
    computation: Computation | None = None,
    prepared: PreparedCase | None = None,
    progress: ProgressCallback | None = None,
    cancelled: CancelCheck | None = None,
) -> DetectionResult:
    """Score given candidates in one case: every one once, its outline or sphere mapped where no better one is.

    Args:
        volumes: As for :func:`mtann.pipeline.detect`.
        model: A bundle, its folder, or the name of a bundled model; best one that was taught for classification.
        candidates: What to score, in LPS millimetres; :func:`mtann.given_files.read_given` reads files of them.
        settings: How the image is scanned; the model's own settings if None.
        mask: Where tissue is (non-zero voxels); found as the model's description says if None.
        threshold: Score from which candidates are reported; that of the operating point if None.
        operating_point: Which of the model's thresholds to use.
        source: What to call the candidates in the result: a file or node name.
        device: Where to compute.
        computation: What evaluates networks, in place of ``device``; ``choose_for_mtann`` makes one.
        prepared: The case as :func:`mtann.scanning.prepare_for` made it of this input; made here if None.
        progress: Called with stage, fraction and message.
        cancelled: Asked often whether to stop.

    Raises:
        MTANNError: Something about the input, the model or a setting must be mended; the message says what.
        CancelledError: ``cancelled`` answered True.
    """
    run, bundle, how = Run(progress, cancelled), open_model(model), computation or choose_for_mtann(device)
    settings = settings or bundle.card.detection
    chosen = resolve_threshold(bundle.card, threshold, operating_point, "classification")
    image, *_ = channels = channels_in_order(volumes, bundle.card)
    _check(candidates, image)
    ready = prepared_at(bundle.card.network.stages)
    prepared = prepared or prepare_for(bundle, channels, mask, settings.tile_voxels, how, run.part(0.0, ready))
    likelihood = scan_case(bundle.networks()[0], prepared, settings.tile_voxels, how, run.part(ready, 0.8))
    labels, scored = _scored(candidates, bundle, prepared, channels, how.device, run.part(0.8, 1.0))
    run.report("done", 1.0, f"{len(scored)} candidates")
    given = InputReference("candidates", source, hash_given(candidates))
    return DetectionResult(
        likelihood=image.with_array(restore(likelihood, prepared.grid, image.geometry), f"{image.name} likelihood"),
        candidate_map=image.with_array(labels, f"{image.name} candidates"),
        candidates=report_from(scored, chosen.value),
        model=bundle.reference,
        inputs=(*input_references(channels, bundle.card, mask), given),
        settings=settings,
        threshold=chosen.value,
        threshold_origin=chosen.origin,
        warnings=_warnings(candidates, prepared, bundle.card, image, chosen),
        computation=how,
    )


def _scored(
    candidates: Sequence[GivenCandidate],
    bundle: ModelBundle,
    prepared: PreparedCase,
    channels: Sequence[Volume],
    device: str,
    run: Run,
) -> tuple[LabelVolume, tuple[Candidate, ...]]:
    """The label map on the first channel's grid, and the candidates by descending score."""
    from mtann.detection.ask import ask_networks

    card, grid = bundle.card, channels[0].geometry
    given = with_radii(candidates, channels, card.training.point_radius_mm)
    unscored = as_candidates(given, prepared.grid, card.training, card.class_name)
    scores = ask_networks(bundle.networks(), prepared, unscored, device=device, run=run.part(0.0, 0.8))
    voxels = []
    for number, one in enumerate(given):
        run.report("candidates", 0.8 + 0.2 * number / len(given), f"Outlining candidate {number + 1} of {len(given)}")
        voxels.append(covered_voxels(one, grid))
    combined = card.combination.apply(scores)
    weakest_first = sorted(range(len(given)), key=lambda number: (combined[number], -number))
    labels = paint(voxels, weakest_first, grid.shape_zyx)
    labels, rescored = rescore(labels, unscored, scores, card.combination)
    return labels, with_probabilities(rescored, card.calibration_for("classification"))


def _check(candidates: Sequence[GivenCandidate], image: Volume) -> None:
    if len(candidates) > _MOST:
        raise CasesError(
            f"{len(candidates)} candidates were given, but a label map holds at most {_MOST}. "
            "Give the detector's strongest, or a label map with less noise."
        )
    geometry = image.geometry
    outside = [
        position
        for position, one in enumerate(candidates)
        if not geometry.contains_index(geometry.index_from_lps(one.centre_lps_mm))
    ]
    if outside:
        place = ", ".join(f"{value:.1f}" for value in candidates[outside[0]].centre_lps_mm)
        raise CasesError(
            f"{len(outside)} of {len(candidates)} candidates lie outside the image '{image.name}': "
            f"{_named(candidates, outside)}; the first at LPS ({place}) mm. Check that image and candidates belong "
            "together and that the coordinate system (LPS or RAS) is stated rightly."
        )


def _warnings(
    candidates: Sequence[GivenCandidate], prepared: PreparedCase, card: ModelCard, image: Volume, chosen: Threshold
) -> tuple[str, ...]:
    return (*image_warnings(prepared, card, image), *chosen.warnings, *_outside_tissue(candidates, prepared))


def _outside_tissue(candidates: Sequence[GivenCandidate], prepared: PreparedCase) -> tuple[str, ...]:
    searched = prepared.searches([one.centre_lps_mm for one in candidates])
    outside = np.flatnonzero(~searched).tolist()
    if not outside:
        return ()
    return (
        f"{len(outside)} of {len(candidates)} given candidates lie outside the tissue that the model looks at: "
        f"{_named(candidates, outside)}. They were scored all the same; judge them with care.",
    )


def _named(candidates: Sequence[GivenCandidate], positions: Sequence[int]) -> str:
    """The ids of some candidates, or where they have none, their places in the list."""
    names = [str(candidates[position].id or position + 1) for position in positions[:_MOST_NAMED]]
    more = f" and {len(positions) - _MOST_NAMED} more" if len(positions) > _MOST_NAMED else ""
    return f"{'number' if len(positions) == 1 else 'numbers'} {', '.join(names)}{more}"
