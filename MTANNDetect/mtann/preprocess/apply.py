"""A channel's steps, one after the other."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mtann.preprocess.bias import bias_field
from mtann.preprocess.equalise import equalise, equalise_locally
from mtann.preprocess.inverse import NoWayBack, Scale
from mtann.preprocess.normalise import require_contrast
from mtann.preprocess.steps import BiasCorrection, Equalisation, LimitedEqualisation, Step, TrendRemoval
from mtann.preprocess.trend import trend_scale
from mtann.progress import Run

FloatVolume = npt.NDArray[np.float32]
BoolVolume = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Place:
    """Where a channel's steps work.

    Attributes:
        tissue: Where intensities are measured, (z, y, x).
        spacing_zyx_mm: Spacing of the model's grid.
        dimensions: 2 where every slice is by itself, else 3.
        name: The channel.
        keep_fields: Whether to keep what is taken out of the image, at the cost of an array or two a step.
    """

    tissue: BoolVolume = field(repr=False)
    spacing_zyx_mm: Sequence[float]
    dimensions: int
    name: str
    keep_fields: bool = False


def apply_steps(
    image: FloatVolume, steps: Sequence[Step], place: Place, run: Run
) -> tuple[FloatVolume, tuple[Scale | NoWayBack, ...]]:
    """Run a channel's steps in order on an image (z, y, x) on the model's grid.

    Returns:
        The image, and of each step the way back.

    Raises:
        ImageError: A step cannot work on this image; the message says why.
        CancelledError: The user asked to stop.
    """
    back = []
    for number, step in enumerate(steps):
        require_contrast(image[place.tissue], place.name)
        image, way = _apply(image, step, place, run.part(number / len(steps), (number + 1) / len(steps)))
        back.append(way)
    return image, tuple(back)


def _apply(image: FloatVolume, step: Step, place: Place, run: Run) -> tuple[FloatVolume, Scale | NoWayBack]:
    mask, spacing = place.tissue, place.spacing_zyx_mm
    if isinstance(step, BiasCorrection):
        scale = Scale(0.0, bias_field(image, mask, spacing, step, place.name, run))
        return scale.apply(image), _kept(scale, step, place)
    if isinstance(step, TrendRemoval):
        scale = trend_scale(image, mask, spacing, place.dimensions, step, place.name, run)
        return scale.apply(image), _kept(scale, step, place)
    run.report("prepare", 0.0, f"Equalising channel {place.name}")
    lost = NoWayBack(
        f"The histogram equalisation ('{step.kind}') of channel '{place.name}' cannot be undone. "
        "Leave it out for a model whose output is to have the image's intensities."
    )
    if isinstance(step, Equalisation):
        return equalise(image, mask), lost
    kernel = [step.kernel_mm / mm for mm in spacing]
    if place.dimensions == 2:
        kernel[0] = 1.0
    clip_limit = step.clip_limit if isinstance(step, LimitedEqualisation) else None
    return equalise_locally(image, mask, kernel, clip_limit, run), lost


def _kept(scale: Scale, step: Step, place: Place) -> Scale | NoWayBack:
    if place.keep_fields:
        return scale
    return NoWayBack(
        f"What the step '{step.kind}' took out of channel '{place.name}' was not kept. "
        "Prepare the case with keep_fields=True to bring intensities back."
    )
