"""Turning an image into another with a taught model."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from mtann.backends.device import choose_device
from mtann.enhancement.bands import answer
from mtann.enhancement.meaning import meaning
from mtann.errors import ImageError, SettingsError
from mtann.evaluation.image_quality import ImageQuality, image_quality
from mtann.models.bundle import ModelBundle
from mtann.models.catalogue import open_bundle
from mtann.models.enhancement_card import EnhancementCard
from mtann.pipeline import channels_in_order
from mtann.preprocess.grid import check_overlap, resample, resample_mask, restore
from mtann.preprocess.prepare import prepare
from mtann.progress import CancelCheck, ProgressCallback, Run
from mtann.settings import Device
from mtann.volume import Volume, check_intensities


def enhance(
    volumes: Volume | Sequence[Volume] | Mapping[str, Volume],
    model: ModelBundle[EnhancementCard] | Path | str,
    *,
    mask: Volume | None = None,
    subtract: bool = False,
    device: Device = "auto",
    warn: Callable[[str], None] | None = None,
    progress: ProgressCallback | None = None,
    cancelled: CancelCheck | None = None,
) -> Volume:
    """The image that a model makes of one case, on the grid of its first channel, as float32.

    An enhanced image and a component have the first channel's intensity scale, a translated image that of the targets
    that the model was taught on. A 2-D model takes a volume slice by slice.

    Args:
        volumes: The case's channels: one image, images in the model's order, or images by channel name.
        model: A bundle, its folder, or its name.
        mask: Where to work (non-zero voxels); beyond it an image stays as it is. All tissue if None.
        subtract: Whether to give the first channel less the predicted image, such as soft tissue for a model of bone.
        device: Where to compute.
        warn: Called with what a reader of the image must know about the input.
        progress: Called with stage, fraction and message.
        cancelled: Asked often whether to stop.

    Raises:
        ModelError: There is no such model, it is damaged or of another kind.
        ImageError: An image cannot be used, or a volume was given to a model of single slices.
        SettingsError: ``subtract`` was asked of a model whose images have units of their own.
        MTANNError: Something else about the input must be mended; the message says what.
        CancelledError: ``cancelled`` answered True.
    """
    run = Run(progress, cancelled)
    bundle = open_bundle(model, EnhancementCard)
    card, training = bundle.card, bundle.card.training
    where = choose_device(device)
    channels = channels_in_order(volumes, card)
    first = channels[0]
    _check_use(first, card, subtract)
    prepared = prepare(channels, card.inputs, mask, run.part(0.0, 0.2), keep_fields=True)
    if warn is not None:
        for warning in prepared.warnings:
            warn(warning)
    (network,) = bundle.networks()
    answered = answer(network, prepared.channels, device=where, run=run.part(0.2, 0.95))
    made = meaning(prepared, training, card.output).image(answered)
    restored = restore(made, prepared.grid, first.geometry)
    image = np.asarray(first.array, dtype=np.float32)
    if training.target == "enhanced":
        restored = image + restored
    run.report("done", 1.0, f"{card.target_name} is ready")
    name = f"{first.name} {'without ' if subtract else ''}{card.target_name}"
    return first.with_array(image - restored if subtract else restored, name)


def compare(image: Volume, target: Volume, mask: Volume | None = None) -> ImageQuality:
    """How like an image is to a known target, which is interpolated onto its grid.

    Raises:
        GeometryError: They do not overlap in space.
        ImageError: The target has no contrast.
    """
    check_overlap(check_intensities(target), image)
    inside = None
    if mask is not None:
        check_overlap(mask, image)
        inside = resample_mask(mask, image.geometry)
    return image_quality(image.array, resample(target, image.geometry), inside)


def _check_use(first: Volume, card: EnhancementCard, subtract: bool) -> None:
    if card.single_slices and 1 not in first.array.shape:
        raise ImageError(
            f"Model '{card.name}' was taught on single slices, such as radiographs, but '{first.name}' is a volume of "
            f"{' x '.join(map(str, first.array.shape))} voxels. Give a single slice, or a model taught on volumes."
        )
    if subtract and card.training.target == "translated":
        raise SettingsError(
            f"The images of model '{card.name}' have units of their own and cannot be subtracted from the input. "
            "Leave subtraction out."
        )
