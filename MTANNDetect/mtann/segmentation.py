"""Outlining whole lesions: where a likelihood reaches the threshold that covered outlined lesions best."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from mtann.backends.computation import choose_for_mtann
from mtann.errors import ModelError, SettingsError
from mtann.models.bundle import ModelBundle
from mtann.models.card import ModelCard
from mtann.models.catalogue import open_model
from mtann.pipeline import Threshold, channels_in_order, image_warnings, scan_case
from mtann.preprocess.grid import resample_mask, restore
from mtann.preprocess.prepare import prepare
from mtann.progress import CancelCheck, ProgressCallback, Run
from mtann.settings import Backend, Device, Precision
from mtann.volume import Volume


def segment(
    volumes: Volume | Sequence[Volume] | Mapping[str, Volume],
    model: ModelBundle | Path | str,
    *,
    mask: Volume | None = None,
    threshold: float | None = None,
    device: Device = "auto",
    backend: Backend = "auto",
    precision: Precision = "auto",
    warn: Callable[[str], None] | None = None,
    progress: ProgressCallback | None = None,
    cancelled: CancelCheck | None = None,
) -> Volume:
    """A label map of one case's lesions (uint8, 1 within them) on the grid of its first channel.

    The single MTANN alone is asked: experts judge candidates, not voxels.

    Args:
        volumes: The case's channels: one image, images in the model's order, or images by channel name.
        model: A bundle, its folder, or its name.
        mask: Where to look (non-zero voxels); found as the model's description says if None.
        threshold: Least likelihood of a lesion's voxels; the model's own if None.
        device: Where to compute.
        backend: What evaluates networks.
        precision: Of the numbers within a network; ``auto`` is float32.
        warn: Called with what a reader of the map must know about the input.
        progress: Called with stage, fraction and message.
        cancelled: Asked often whether to stop.

    Raises:
        ModelError: The model was not taught on outlines, so it has no threshold, and none was given.
        MTANNError: Something about the input, the model or a setting must be mended; the message says what.
        CancelledError: ``cancelled`` answered True.
    """
    run = Run(progress, cancelled)
    bundle = open_model(model)
    chosen = resolve_segmentation(bundle.card, threshold)
    how = choose_for_mtann(device, backend, precision)
    channels = channels_in_order(volumes, bundle.card)
    first = channels[0]
    prepared = prepare(channels, bundle.card.inputs, mask, run.part(0.0, 0.1))
    if warn is not None:
        for warning in image_warnings(prepared, bundle.card, first):
            warn(warning)
    single = bundle.networks()[0]
    tile_voxels = bundle.card.detection.tile_voxels
    likelihood = restore(
        scan_case(single, prepared, tile_voxels, how, run.part(0.1, 0.95)), prepared.grid, first.geometry
    )
    found = likelihood >= chosen.value
    if mask is not None:
        found &= resample_mask(mask, first.geometry)
    run.report("done", 1.0, "The segmentation is ready")
    return first.with_array(found.astype(np.uint8), f"{first.name} {bundle.card.class_name}")


def resolve_segmentation(card: ModelCard, threshold: float | None = None) -> Threshold:
    """The likelihood from which a voxel is taken as lesion, and in words where it comes from.

    Raises:
        SettingsError: The given threshold is not a finite number above 0, which is the likelihood where nothing is.
        ModelError: None was given, and the model has none.
    """
    if threshold is not None:
        if not (np.isfinite(threshold) and threshold > 0):
            raise SettingsError(f"The threshold of a segmentation must be a finite number above 0; found {threshold}.")
        return Threshold(float(threshold), "given by the user")
    own = card.segmentation
    if own is None:
        raise ModelError(
            f"Model '{card.name}' has no threshold for segmentation: it was taught without outlines of whole lesions, "
            "or found none of them. Teach one on label maps, or give a threshold."
        )
    return Threshold(
        own.threshold, f"the model's own, of Dice coefficient {own.dice:.2f} in {own.cases} cases, on {own.chosen_on}"
    )
