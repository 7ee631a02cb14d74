"""Outlining whole lesions: where a likelihood reaches the threshold that covered outlined lesions best."""

from collections.abc import Mapping, Sequence

import numpy as np

from mtann.backends.computation import choose_for_mtann
from mtann.errors import ModelError, SettingsError
from mtann.models.bundle import ModelBundle
from mtann.models.card import ModelCard
from mtann.pipeline import Threshold, channels_in_order, image_warnings, input_references
from mtann.preprocess.grid import resample_mask, restore
from mtann.progress import Run
from mtann.scanning import prepare_for, prepared_at, scan_case
from mtann.segmentation.result import Segmentation, SegmentationSettings, SegmentedLabel
from mtann.volume import Volume

_FOR_UNETS = {"folds", "mirroring", "overlap", "probabilities", "uncertainty"}


def segment_by_likelihood(
    volumes: Volume | Sequence[Volume] | Mapping[str, Volume],
    bundle: ModelBundle,
    settings: SegmentationSettings,
    mask: Volume | None,
    run: Run,
) -> Segmentation:
    """A label map of one case's lesions, 1 within them.

    The single MTANN alone is asked: experts judge candidates, not voxels.

    Raises:
        ModelError: The model was not taught on outlines, so it has no threshold, and none was given.
        MTANNError: Something about the input or a setting must be mended; the message says what.
        CancelledError: The user asked to stop.
    """
    _refuse_options(settings)
    card = bundle.card
    chosen = resolve_segmentation(card, settings.threshold)
    how = choose_for_mtann(settings.device, settings.backend, settings.precision)
    channels = channels_in_order(volumes, card)
    first = channels[0]
    ready = prepared_at(card.network.stages)
    prepared = prepare_for(bundle, channels, mask, card.detection.tile_voxels, how, run.part(0.0, ready))
    single = bundle.networks()[0]
    likelihood = restore(
        scan_case(single, prepared, card.detection.tile_voxels, how, run.part(ready, 0.95)),
        prepared.grid,
        first.geometry,
    )
    found = likelihood >= chosen.value
    if mask is not None:
        found &= resample_mask(mask, first.geometry)
    run.report("done", 1.0, "The segmentation is ready")
    volume_mm3 = float(np.count_nonzero(found) * first.geometry.voxel_volume_mm3)
    return Segmentation(
        label_map=first.with_array(found.astype(np.uint8), f"{first.name} {card.class_name}"),
        labels=(SegmentedLabel(card.class_name, (1,), volume_mm3),),
        model=bundle.reference,
        inputs=input_references(channels, card, mask),
        settings=settings.model_copy(update={"threshold": chosen.value}),
        origin=chosen.origin,
        warnings=tuple(image_warnings(prepared, card, first)),
        computation=how.words,
    )


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
        own.threshold,
        f"the model's own threshold, of Dice coefficient {own.dice:.2f} in {own.cases} cases, on {own.chosen_on}",
    )


def _refuse_options(settings: SegmentationSettings) -> None:
    plain = SegmentationSettings()
    if given := sorted(name for name in _FOR_UNETS if getattr(settings, name) != getattr(plain, name)):
        raise SettingsError(f"The model is an MTANN; {', '.join(given)} are for U-Nets. Leave them out.")
