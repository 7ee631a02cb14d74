"""Segmenting one case with a model of any kind that can: the page that every front end calls."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtann.errors import ModelError, SettingsError
from mtann.models.bundle import ModelBundle, load_bundle
from mtann.models.card import ModelCard
from mtann.models.catalogue import locate_model
from mtann.models.nnunet.folder import import_folder, is_nnunet_folder
from mtann.models.unet_card import UNetCard
from mtann.progress import CancelCheck, ProgressCallback, Run
from mtann.sampling.lesions import Lesion
from mtann.segmentation.likelihood import segment_by_likelihood
from mtann.segmentation.result import Segmentation, SegmentationSettings
from mtann.segmentation.unets import segment_with_unets
from mtann.volume import Volume


def segment(
    volumes: Volume | Sequence[Volume] | Mapping[str, Volume],
    model: ModelBundle[Any] | Path | str,
    settings: SegmentationSettings | None = None,
    *,
    mask: Volume | None = None,
    around: Sequence[Lesion] | None = None,
    progress: ProgressCallback | None = None,
    cancelled: CancelCheck | None = None,
) -> Segmentation:
    """Segment one case.

    Args:
        volumes: The case's channels: one image, images in the model's order, or images by channel name.
        model: A bundle, its folder, its name, or a model folder of nnU-Net v2.
        settings: How; the defaults if None.
        mask: MTANN: where to look (non-zero voxels); found as the model's description says if None.
        around: U-Net: only about these places is segmented; everywhere if None.
        progress: Called with stage, fraction and message.
        cancelled: Asked often whether to stop.

    Returns:
        Label map, labels with their volumes, and where they come from, on the grid of the first channel.

    Raises:
        MTANNError: Something about the input, the model or a setting must be mended; the message says what.
        CancelledError: ``cancelled`` answered True.
    """
    settings = settings or SegmentationSettings()
    run = Run(progress, cancelled)
    bundle = open_segmenter(model, settings.folds)
    if isinstance(bundle.card, UNetCard):
        if mask is not None:
            raise SettingsError("The model is a U-Net, which looks at the whole image. Leave the mask out.")
        return segment_with_unets(volumes, bundle, settings, around, run)
    if around is not None:
        raise SettingsError(
            "The model is an MTANN, which looks at the whole image; give a U-Net to look around places."
        )
    return segment_by_likelihood(volumes, bundle, settings, mask, run)


def open_segmenter(model: ModelBundle[Any] | Path | str, folds: Sequence[str] = ()) -> ModelBundle[Any]:
    """A model that can segment, from itself, its folder or its name; or a model folder of nnU-Net v2.

    Args:
        model: The model.
        folds: Which folds of an nnU-Net folder are read; all of them if none are given.

    Raises:
        ModelError: There is no such model, it is damaged, or it is of a kind that does not segment.
    """
    if isinstance(model, ModelBundle):
        bundle = model
    elif is_nnunet_folder(model):
        bundle = import_folder(model, folds)
    else:
        bundle = load_bundle(locate_model(model))
    card = bundle.card
    if not isinstance(card, (ModelCard, UNetCard)):
        raise ModelError(
            f"Model '{card.name}' is of kind '{card.kind}' ({card.purpose}), which does not segment. "
            f"Use it with 'mtann {card.command}', or give another model."
        )
    return bundle
