"""May a U-Net compute in less than fp32? Only where that gives the same labels on a case; here it is measured."""

from collections.abc import Mapping, Sequence

import numpy as np

from mtann.backends.computation import reduced_computation
from mtann.errors import MissingPackageError, SettingsError
from mtann.models.bundle import ModelBundle
from mtann.models.unet_card import ReducedCheck, UNetCard
from mtann.progress import Run
from mtann.segmentation.result import Segmentation, SegmentationSettings
from mtann.segmentation.unets import segment_with_unets
from mtann.settings import Backend, Device
from mtann.volume import Volume


def check_precision(
    volumes: Volume | Sequence[Volume] | Mapping[str, Volume],
    bundle: ModelBundle[UNetCard],
    device: Device,
    backend: Backend,
    words: str,
    run: Run,
) -> ReducedCheck:
    """Segment a case in fp32 and in what should be the fastest precision below it, and compare.

    It is compared also where this processor is slower so: the model may be used on another.

    All folds are used, and no mirrored patches: averaging these, as in use, only makes differences smaller.

    Args:
        volumes: The case's channels.
        bundle: The model.
        device: Where to compute.
        backend: What evaluates the networks.
        words: What case that is.
        run: Progress and cancellation.

    Raises:
        MTANNError: The case cannot be segmented; the message says why.
        CancelledError: The user asked to stop.
    """
    try:
        reduced = reduced_computation(device, backend)
    except (SettingsError, MissingPackageError) as error:
        return ReducedCheck(backend="torch", precision="fp32", words=f"not measured: {error}")
    if reduced.precision == "fp32":
        return ReducedCheck(
            backend=reduced.backend,
            precision="fp32",
            words=f"not measured: {reduced.backend} on this machine's {reduced.device} has nothing faster than fp32",
        )
    how = SegmentationSettings(device=device, backend=reduced.backend, mirroring=False)
    found = [
        segment_with_unets(volumes, bundle, how.model_copy(update={"precision": precision}), None, run.part(*part))
        for precision, part in (("fp32", (0.0, 0.5)), (reduced.precision, (0.5, 1.0)))
    ]
    dice = least_dice(*found)
    told = f"{reduced.backend} on {reduced.device}, {words}"
    told = told if dice is not None else f"not measured: no label was found by {told}"
    return ReducedCheck(backend=reduced.backend, precision=reduced.precision, dice=dice, words=told)


def least_dice(first: Segmentation, second: Segmentation) -> float | None:
    """The least Dice coefficient of a label between two segmentations; None where neither has any."""
    least = None
    for number in range(len(first.labels)):
        a, b = (_inside(one, number) for one in (first, second))
        size = np.count_nonzero(a) + np.count_nonzero(b)
        if size:
            dice = 2 * np.count_nonzero(a & b) / size
            least = dice if least is None else min(least, dice)
    return least


def _inside(result: Segmentation, number: int) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    label = result.labels[number]
    if label.mask is not None:
        return np.asarray(label.mask.array != 0)
    return np.isin(result.label_map.array, label.values)
