"""How sure a model is of a result: its networks asked one by one, with the image mirrored and as it is."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mtann.backends.computation import Computation, choose_for_mtann
from mtann.detection.candidate import DetectionResult
from mtann.detection.uncertainty import FloatVolume, Uncertainty, summarise
from mtann.explaining import check_same
from mtann.models.bundle import ModelBundle
from mtann.models.catalogue import open_model
from mtann.pipeline import channels_in_order
from mtann.preprocess.grid import restore
from mtann.preprocess.prepare import PreparedCase
from mtann.progress import CancelCheck, ProgressCallback, Run
from mtann.scanning import prepare_for, scan_members
from mtann.settings import Device
from mtann.volume import Volume

if TYPE_CHECKING:
    from mtann.networks.mtann import MTANN

Axes = tuple[int, ...]


def measure_uncertainty(
    volumes: Volume | Sequence[Volume] | Mapping[str, Volume],
    result: DetectionResult,
    model: ModelBundle | Path | str,
    *,
    mask: Volume | None = None,
    device: Device = "auto",
    progress: ProgressCallback | None = None,
    cancelled: CancelCheck | None = None,
) -> Uncertainty:
    """Tell how far a model's networks, and mirrored images, disagree. It takes eight scans (four of a 2-D model).

    Of networks in a row only the last ones are asked again: the answers before are mirrored with the image.

    Args:
        volumes: The case's channels, as they were given to :func:`detect`.
        result: What it found.
        model: The model that found it.
        mask: As it was given to :func:`detect`.
        device: Where to compute.
        progress: Called with stage, fraction and message.
        cancelled: Asked often whether to stop.

    Raises:
        MTANNError: The result is of another model or image, or memory ran out; the message says what to do.
        CancelledError: ``cancelled`` answered True.
    """
    run = Run(progress, cancelled)
    bundle, how = open_model(model), choose_for_mtann(device)
    channels = channels_in_order(volumes, bundle.card)
    check_same(result, bundle, channels)
    prepared = prepare_for(bundle, channels, mask, result.settings.tile_voxels, how, run.part(0.0, 0.1))
    network, mirrorings = bundle.ensemble(), mirror_axes(bundle.card.dimensions)
    every = evaluations(network, prepared, mirrorings, result.settings.tile_voxels, how, run.part(0.1, 1.0))
    restored = (restore(one, prepared.grid, channels[0].geometry) for one in every)
    found = summarise(
        restored,
        result.candidates,
        result.candidate_map,
        result.settings.outline_fraction,
        network.members,
        len(mirrorings),
    )
    run.report("done", 1.0, f"{network.members * len(mirrorings)} evaluations")
    return found


def mirror_axes(dimensions: int) -> list[Axes]:
    """Every set of axes (z, y, x) to mirror, none among them; slices are not mirrored across."""
    axes = (1, 2) if dimensions == 2 else (0, 1, 2)
    return list(chain.from_iterable(combinations(axes, count) for count in range(len(axes) + 1)))


def evaluations(
    network: "MTANN",
    prepared: PreparedCase,
    mirrorings: Sequence[Axes],
    tile_voxels: int,
    computation: Computation,
    run: Run,
) -> Iterator[FloatVolume]:
    """Likelihood volumes on the model's grid, the right way round: each member's in each mirrored position."""
    for number, axes in enumerate(mirrorings):
        part = run.part(number / len(mirrorings), (number + 1) / len(mirrorings))
        mirrored = replace(
            prepared,
            channels=tuple(np.ascontiguousarray(np.flip(channel, axes)) for channel in prepared.channels),
            mask=np.ascontiguousarray(np.flip(prepared.mask, axes)),
        )
        for member in scan_members(network, mirrored, tile_voxels, computation, part):
            yield np.ascontiguousarray(np.flip(member, axes))
