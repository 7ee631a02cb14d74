"""``fingerprint.json``: what is measured on a data set, and nothing decided yet.

Statistics are of foreground voxels (label above 0, the ignore label included), every case counting alike however large
its foreground; means and deviations are exact, percentiles from evenly spaced order statistics of each case.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from mtann.errors import CasesError
from mtann.planning.plan import Intensities
from mtann.settings import Settings

SAMPLES_PER_CASE = 20_000
"""Order statistics of a case's foreground that stand for it in the percentiles."""

SLICE_SPACING_FACTOR = 999
"""A case of one slice counts as this many times as thick as its larger pixel edge, so that it is never cut across."""

FloatArray = npt.NDArray[np.float32]
Array = npt.NDArray[np.generic]


class Fingerprint(Settings):
    """The content of ``fingerprint.json``; cases stand in the order of the list, without their names."""

    schema_version: Literal[1] = 1
    channels: tuple[str, ...] = Field(min_length=1, description="channel names, in order")
    spacings_zyx_mm: tuple[tuple[float, float, float], ...] = Field(min_length=1, description="of each case")
    shapes_zyx: tuple[tuple[int, int, int], ...] = Field(description="of each case, cut down to its non-zero voxels")
    kept_share: float = Field(description="median share of a case's voxels that the cut leaves")
    intensities: tuple[Intensities, ...] = Field(description="of each channel, in the foreground")
    cases_with_label: dict[str, int] = Field(description="how many cases hold some of each label")

    @property
    def cases(self) -> int:
        """Number of cases."""
        return len(self.spacings_zyx_mm)


@dataclass(frozen=True)
class ChannelSample:
    """A channel's foreground in one case: its moments, its ends, and evenly spaced order statistics."""

    mean: float
    mean_square: float
    low: float
    high: float
    ordered: FloatArray


@dataclass(frozen=True)
class CaseFacts:
    """What is measured on one case. A case without foreground has no samples."""

    spacing_zyx_mm: tuple[float, float, float]
    shape_zyx: tuple[int, int, int]
    kept_share: float
    values: frozenset[int]
    samples: tuple[ChannelSample, ...]


def measure_case(
    case: str, channels: Sequence[Array], labels: Array, spacing_zyx_mm: tuple[float, float, float]
) -> CaseFacts:
    """Measure one case.

    Args:
        case: Its name, for messages.
        channels: Intensities of each channel, on one grid (z, y, x).
        labels: Label map on the same grid.
        spacing_zyx_mm: The grid's spacing.

    Raises:
        CasesError: Every voxel of every channel is zero.
    """
    inside = np.zeros(channels[0].shape, dtype=bool)
    for channel in channels:
        inside |= channel != 0
    if not inside.any():
        raise CasesError(f"Case '{case}' is zero in every voxel of every channel. Check the export of its images.")
    box = tuple(_extent(inside, axis) for axis in range(3))
    z, y, x = (part.stop - part.start for part in box)
    foreground = np.greater(labels[box], 0)
    samples = tuple(_sample(np.asarray(one[box][foreground], dtype=np.float32)) for one in channels)
    if labels.shape[0] == 1:
        spacing_zyx_mm = (SLICE_SPACING_FACTOR * max(spacing_zyx_mm[1:]), *spacing_zyx_mm[1:])
    return CaseFacts(
        spacing_zyx_mm,
        (z, y, x),
        z * y * x / inside.size,
        frozenset(int(value) for value in np.unique(labels)),
        samples if foreground.any() else (),
    )


def combine(channels: Sequence[str], labels: dict[str, tuple[int, ...]], facts: Sequence[CaseFacts]) -> Fingerprint:
    """The fingerprint of a data set from what was measured on each case.

    Raises:
        CasesError: No case has any foreground.
    """
    taught = [case for case in facts if case.samples]
    if not taught:
        raise CasesError(
            "No case has any foreground: every label map is 0 throughout. Give the label maps that hold the outlines."
        )
    return Fingerprint(
        channels=tuple(channels),
        spacings_zyx_mm=tuple(case.spacing_zyx_mm for case in facts),
        shapes_zyx=tuple(case.shape_zyx for case in facts),
        kept_share=float(np.median([case.kept_share for case in facts])),
        intensities=tuple(_intensities([case.samples[number] for case in taught]) for number in range(len(channels))),
        cases_with_label={
            name: sum(not case.values.isdisjoint(values) for case in facts) for name, values in labels.items()
        },
    )


def _extent(inside: npt.NDArray[np.bool_], axis: int) -> slice:
    """From the first to the last layer that holds something."""
    others = tuple(other for other in range(3) if other != axis)
    layers = np.flatnonzero(inside.any(axis=others))
    return slice(int(layers[0]), int(layers[-1]) + 1)


def _sample(values: FloatArray) -> ChannelSample:
    if not values.size:
        return ChannelSample(0, 0, 0, 0, values)
    places = (np.arange(SAMPLES_PER_CASE) + 0.5) / SAMPLES_PER_CASE * values.size
    ordered = np.sort(values)[places.astype(np.int64)]
    exact = values.astype(np.float64)
    return ChannelSample(
        float(exact.mean()), float(np.square(exact).mean()), float(values.min()), float(values.max()), ordered
    )


def _intensities(samples: Sequence[ChannelSample]) -> Intensities:
    mean = float(np.mean([sample.mean for sample in samples]))
    variance = float(np.mean([sample.mean_square for sample in samples])) - mean**2
    low, median, high = np.percentile(np.concatenate([sample.ordered for sample in samples]), (0.5, 50, 99.5))
    return Intensities(
        mean=mean,
        std=max(variance, 0.0) ** 0.5,
        median=float(median),
        percentile_00_5=float(low),
        percentile_99_5=float(high),
        minimum=min(sample.low for sample in samples),
        maximum=max(sample.high for sample in samples),
    )
