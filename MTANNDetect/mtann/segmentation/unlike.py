"""What in an image is unlike the images that a U-Net was planned and trained on: spacing, and intensities in labels."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mtann.models.unet_card import UNetCard
from mtann.planning.plan import Intensities, Plan
from mtann.preprocess.unet import CroppedCase

_MOST_RATIO, _MOST_COARSE_RATIO = 2.0, 3.0
"""Of a voxel's edge to the planned one; along the coarsest axis plans take a thin case's, and others are thicker."""
_MOST_VALUES = 200_000
_ABSOLUTE = ("ct", "none", "rgb_0_1")
"""Normalisations that keep what an intensity means; the others make images alike, whatever their scale."""


def unlike_plan(case: CroppedCase, labels: npt.NDArray[np.generic], card: UNetCard) -> tuple[str, ...]:
    """Warnings about a case; none where it is as those that the model was planned on.

    Args:
        case: The case.
        labels: What was found, cropped; 0 is background.
        card: The model.
    """
    spacing = _spacing_warning(case, card.plan)
    found = np.flatnonzero(np.asarray(labels).ravel())
    step = max(1, len(found) // _MOST_VALUES)
    warnings = [spacing] if spacing else []
    for number, name in enumerate(card.plan.channels):
        kinds = {card.plan.configuration(stage).normalisation[number] for stage in card.stages}
        if kinds.isdisjoint(_ABSOLUTE) or not _is_known(card.plan.intensities[number]):
            continue
        values = np.asarray(case.channels[number])
        inside = np.sort(values.ravel()[found[::step]]) if len(found) else None
        warning = _intensity_warning(name, values, inside, card.plan.intensities[number])
        warnings += [warning] if warning else []
    return tuple(warnings)


def _is_known(intensities: Intensities) -> bool:
    return intensities.percentile_99_5 > intensities.percentile_00_5


def _spacing_warning(case: CroppedCase, plan: Plan) -> str | None:
    """Of a volume its three axes; where only slices were planned for, the two within them."""
    planned = min(plan.configurations, key=lambda one: (-one.dimensions, float(np.prod(one.spacing)))).spacing
    own = case.spacing[-len(planned) :]
    sizes = case.size[-len(planned) :]
    coarsest = int(np.argmax(planned)) if max(planned) > 1.5 * min(planned) else -1
    for axis, (mine, theirs, size) in enumerate(zip(own, planned, sizes, strict=True)):
        most = _MOST_COARSE_RATIO if axis == coarsest else _MOST_RATIO
        if size > 1 and not 1 / most <= mine / theirs <= most:
            return (
                f"The image has a spacing of {_lengths(own)} mm; the model was planned for {_lengths(planned)} mm. "
                "Expect structures missed or made up that it would not miss or make up in such images."
            )
    return None


def _intensity_warning(
    name: str, values: npt.NDArray[np.generic], inside: npt.NDArray[np.generic] | None, known: Intensities
) -> str | None:
    low, high = known.percentile_00_5, known.percentile_99_5
    advice = "Check unit, contrast and sequence; the labels may be wrong."
    if inside is not None:
        median = float(inside[len(inside) // 2])
        if low <= median <= high:
            return None
        return (
            f"Channel {name} is unlike the training images: its median within what was segmented is {median:.4g}; "
            f"there, 99 % of the labels' intensities were from {low:.4g} to {high:.4g}. {advice}"
        )
    sample = values.ravel()[:: max(1, values.size // _MOST_VALUES)].astype(np.float64)
    if np.any((sample >= low) & (sample <= high)):
        return None
    return (
        f"Channel {name} is unlike the training images: none of its intensities is from {low:.4g} to {high:.4g}, where "
        f"99 % of those within the labels were. {advice}"
    )


def _lengths(values: Sequence[float]) -> str:
    return " x ".join(f"{value:.3g}" for value in values)
