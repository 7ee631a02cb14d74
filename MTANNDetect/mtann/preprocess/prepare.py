"""From a case's images to what a model sees: its grid, normalised channels, and where tissue is."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from mtann.errors import GeometryError, ImageError
from mtann.geometry import Geometry
from mtann.preprocess.grid import check_overlap, model_grid, resample, resample_mask
from mtann.preprocess.mask import MaskKind, background_value, make_mask
from mtann.preprocess.normalise import Normalisation, normalise
from mtann.progress import Run
from mtann.settings import Positive, Settings
from mtann.volume import Volume, check_intensities

FloatVolume = npt.NDArray[np.float32]
BoolVolume = npt.NDArray[np.bool_]

_FULL_COVER = 0.995
_THICK_SLICES = 3.0
"""Slices thicker than this many times the model's spacing call for a warning."""


class Channel(Settings):
    """One input of a model."""

    name: str = Field(min_length=1, description="channel name, such as t1c")
    modality: Literal["mr", "ct", "other"] = Field("mr", description="what kind of image the channel takes")
    normalisation: Normalisation = Normalisation()


class InputSpecification(Settings):
    """What a model expects, and the grid it works on."""

    channels: tuple[Channel, ...] = Field(min_length=1)
    spacing_mm: Positive = Field(description="spacing of the model's grid, in-plane for 2-D models, in mm")
    dimensions: Literal[2, 3] = 3
    mask: MaskKind = Field("everything", description="how tissue is found where no mask is given")


@dataclass(frozen=True)
class PreparedCase:
    """A case on the model's grid.

    Attributes:
        grid: The model's grid for this case.
        channels: Normalised intensities, float32 (z, y, x), one array a channel.
        mask: Where to look.
        warnings: What the reader of a result must know about the input.
    """

    grid: Geometry
    channels: tuple[FloatVolume, ...] = field(repr=False)
    mask: BoolVolume = field(repr=False)
    warnings: tuple[str, ...] = ()


def prepare(
    volumes: Sequence[Volume], specification: InputSpecification, mask: Volume | None = None, run: Run | None = None
) -> PreparedCase:
    """Bring a case's channels onto the model's grid and to its intensities.

    Each channel is interpolated once, in world space, from its own grid straight onto the model's.

    Args:
        volumes: One image a channel, in the specification's order.
        specification: What the model expects.
        mask: Where to look (non-zero voxels); all tissue found in the first channel if None.
        run: Progress and cancellation.

    Raises:
        ImageError: A channel cannot be scanned, their number is wrong, or the mask is empty.
        GeometryError: A channel or the mask does not overlap the first channel in space.
        CancelledError: The user asked to stop.
    """
    run = run or Run()
    expected = specification.channels
    if len(volumes) != len(expected):
        names = ", ".join(channel.name for channel in expected)
        raise ImageError(
            f"The model needs {len(expected)} channel(s) ({names}) but {len(volumes)} image(s) were given. "
            "Give one image a channel."
        )
    first = volumes[0]
    grid = model_grid(first.geometry, specification.spacing_mm, specification.dimensions)
    warnings = _spacing_warnings(first, specification)
    images = []
    for number, (volume, channel) in enumerate(zip(volumes, expected, strict=True)):
        run.report("prepare", number / len(volumes), f"Resampling channel {channel.name}")
        share = check_overlap(check_intensities(volume), first)
        if share < _FULL_COVER:
            warnings.append(
                f"Channel {channel.name} covers {share:.0%} of the first channel; beyond it, its edge is repeated. "
                "Judge candidates there with care."
            )
        images.append(resample(volume, grid))
    run.report("prepare", 0.8, "Finding tissue")
    tissue, tissue_warnings = _tissue(specification, first, mask, grid)
    normalised = []
    for image, channel in zip(images, expected, strict=True):
        run.check()
        normalised.append(normalise(image, tissue, channel.normalisation, channel.name))
    search = tissue if mask is None else _search_mask(mask, first, grid)
    return PreparedCase(grid, tuple(normalised), search, (*warnings, *tissue_warnings))


def _spacing_warnings(first: Volume, specification: InputSpecification) -> list[str]:
    coarsest = max(first.geometry.spacing_xyz_mm)
    if specification.dimensions == 3 and coarsest > _THICK_SLICES * specification.spacing_mm:
        return [
            f"The first channel has slices of {coarsest:g} mm; the model works at {specification.spacing_mm:g} mm. "
            "Lesions thinner than a slice may be missed, and sizes across slices are uncertain."
        ]
    return []


def _search_mask(mask: Volume, first: Volume, grid: Geometry) -> BoolVolume:
    check_overlap(mask, first)
    search = resample_mask(mask, grid)
    if not search.any():
        raise GeometryError(
            f"The mask '{mask.name}' is empty within the first channel. "
            "Draw it over the tissue to search, in the same space."
        )
    return search


def _tissue(
    specification: InputSpecification, first: Volume, mask: Volume | None, grid: Geometry
) -> tuple[BoolVolume, list[str]]:
    """Where intensities are measured. A search mask does not change it: a small one would hold little but the lesion.

    Only for a model of skull-stripped brains and an image that is not stripped does a given mask say where the brain
    is.
    """
    warnings = []
    if specification.mask == "brain" and background_value(first.array) is None:
        if mask is not None:
            return _search_mask(mask, first, grid), []
        warnings.append(
            "The model was taught on skull-stripped brains, but the image has no empty background and no brain mask "
            "was given: expect false alarms outside the brain and shifted scores. Give a brain mask."
        )
    is_ct = specification.channels[0].modality == "ct"
    # Tissue is found on the image's own voxels: interpolation would blur the constant background that marks it.
    own = make_mask(np.asarray(first.array, dtype=np.float32), specification.mask, is_ct)
    tissue = resample_mask(Volume(own.astype(np.uint8), first.geometry), grid)
    if not tissue.any():
        raise ImageError(
            f"The tissue found in '{first.name}' is too small for the model's grid. Check the image, or give a mask."
        )
    return tissue, warnings
