"""What a model's training images looked like in figures, and whether a new image is like them."""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from mtann.geometry import Geometry
from mtann.preprocess.prepare import PreparedCase
from mtann.settings import Settings

FloatArray = npt.NDArray[np.float64]
Finite = Annotated[float, Field(allow_inf_nan=False)]

PERCENTILES = (5, 25, 50, 75, 95)
"""None nearer the ends: there, a patient's lesions would make an image look strange."""
STATISTICS = (*(f"percentile {percent}" for percent in PERCENTILES), "roughness")
"""Of normalised intensities within tissue; roughness is the mean step between neighbouring voxels."""

_MOST_DEVIATIONS = 5.0
_LEAST_DEVIATION = 0.15
"""In normalised units: a few training images of one scanner must not make every other one look strange."""
_FEW = 5
"""With fewer training images their spread says little, so twice the least deviation is allowed."""
_MOST_SPACING_RATIO = 1.5


class TypicalChannel(Settings):
    """The statistics of one channel over the training images, in the order of :data:`STATISTICS`."""

    name: str
    mean: tuple[Finite, ...] = Field(min_length=len(STATISTICS), max_length=len(STATISTICS))
    deviation: tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], ...]


class TypicalInputs(Settings):
    """The fingerprint of the training images."""

    cases: int = Field(ge=1)
    in_plane_mm: tuple[Finite, Finite] = Field(description="least and greatest spacing within slices")
    slice_mm: tuple[Finite, Finite] = Field(description="least and greatest spacing across slices")
    channels: tuple[TypicalChannel, ...]


def measure_typical(prepared: Sequence[PreparedCase], grids: Sequence[Geometry], names: Sequence[str]) -> TypicalInputs:
    """Measure training images.

    Args:
        prepared: The cases on the model's grid.
        grids: The grid of each case's first image.
        names: Names of the channels.
    """
    values = np.array([[statistics_of(channel, _tissue(one)) for channel in one.images] for one in prepared])
    in_plane, across = zip(*map(_spacings, grids), strict=True)
    return TypicalInputs(
        cases=len(prepared),
        in_plane_mm=(min(in_plane), max(in_plane)),
        slice_mm=(min(across), max(across)),
        channels=tuple(
            TypicalChannel(
                name=name,
                mean=tuple(values[:, number].mean(axis=0).tolist()),
                deviation=tuple(values[:, number].std(axis=0).tolist()),
            )
            for number, name in enumerate(names)
        ),
    )


def unlike_training(typical: TypicalInputs | None, prepared: PreparedCase, grid: Geometry) -> tuple[str, ...]:
    """What in an image is unlike the training images, as warnings; none of a model that does not know those."""
    if typical is None:
        return ()
    warnings = [text for text in (_spacing_warning(typical, grid),) if text]
    least = _LEAST_DEVIATION * (2 if typical.cases < _FEW else 1)
    for channel, array in zip(typical.channels, prepared.images, strict=True):
        own = np.array(statistics_of(array, _tissue(prepared)))
        spread = np.hypot(channel.deviation, least) * np.sqrt(1 + 1 / typical.cases)
        away = (own - np.array(channel.mean)) / spread
        worst = int(np.argmax(np.abs(away)))
        if abs(away[worst]) > _MOST_DEVIATIONS:
            warnings.append(
                f"Channel {channel.name} is unlike the {typical.cases} images that the model was taught on: its "
                f"{STATISTICS[worst]} within tissue is {own[worst]:.2f} after normalisation, theirs "
                f"{channel.mean[worst]:.2f} on average. Check contrast, sequence and brain mask; scores may be wrong."
            )
    return tuple(warnings)


def statistics_of(channel: npt.NDArray[np.float32], mask: npt.NDArray[np.bool_]) -> tuple[float, ...]:
    """The figures of :data:`STATISTICS` of a normalised channel within tissue."""
    inside = channel[mask].astype(np.float64)
    steps = []
    for axis in range(channel.ndim):
        both = np.take(mask, range(1, mask.shape[axis]), axis) & np.take(mask, range(mask.shape[axis] - 1), axis)
        if both.any():
            steps.append(np.abs(np.diff(channel, axis=axis)[both].astype(np.float64)).mean())
    roughness = float(np.mean(steps)) if steps else 0.0
    return (*map(float, np.percentile(inside, PERCENTILES)), roughness)


def _tissue(prepared: PreparedCase) -> npt.NDArray[np.bool_]:
    return prepared.mask if prepared.tissue is None else prepared.tissue


def _spacings(grid: Geometry) -> tuple[float, float]:
    """The coarser spacing within slices, and that across them: slices lie across the coarsest axis."""
    ordered = sorted(grid.spacing_xyz_mm)
    return ordered[1], ordered[2]


def _spacing_warning(typical: TypicalInputs, grid: Geometry) -> str | None:
    for what, own, (low, high) in zip(
        ("within slices", "across slices"), _spacings(grid), (typical.in_plane_mm, typical.slice_mm), strict=True
    ):
        if not low / _MOST_SPACING_RATIO <= own <= high * _MOST_SPACING_RATIO:
            return (
                f"The first channel has a spacing of {own:g} mm {what}; the model was taught on {low:g} to {high:g}. "
                "Expect shifted scores, and lesions missed or false alarms that it would not have on such images."
            )
    return None
