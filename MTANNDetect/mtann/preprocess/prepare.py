"""From a case's images to what a model sees: its grid, normalised channels, and where tissue is."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from mtann.errors import GeometryError, ImageError
from mtann.geometry import Geometry
from mtann.preprocess.apply import Place, apply_steps
from mtann.preprocess.grid import check_overlap, model_grid, resample, resample_mask
from mtann.preprocess.inverse import Inverse
from mtann.preprocess.mask import MaskKind, background_value, has_dark_background, make_mask
from mtann.preprocess.normalise import Normalisation, normalise
from mtann.preprocess.steps import EQUALISING, Step
from mtann.progress import Run
from mtann.settings import Positive, Settings
from mtann.volume import Volume, check_intensities

FloatVolume = npt.NDArray[np.float32]
BoolVolume = npt.NDArray[np.bool_]
BoolArray = npt.NDArray[np.bool_]

_FULL_COVER = 0.995
_THICK_SLICES = 3.0
"""Slices thicker than this many times the model's spacing call for a warning."""


class Channel(Settings):
    """One input of a model."""

    name: str = Field(min_length=1, description="channel name, such as t1c")
    modality: Literal["mr", "ct", "other"] = Field("mr", description="what kind of image the channel takes")
    steps: tuple[Step, ...] = Field((), description="what is done to intensities before normalisation, in this order")
    normalisation: Normalisation = Normalisation()

    @model_validator(mode="after")
    def _window_fits(self) -> "Channel":
        # From the last equalisation on, unless a trend is taken out after it, values lie between 0 and 1.
        equalised = bool(self.steps) and isinstance(self.steps[-1], EQUALISING)
        how = self.normalisation
        if equalised and how.method == "window" and (how.low < 0 or how.high > 1):
            raise ValueError(
                f"after histogram equalisation the values of channel '{self.name}' lie between 0 and 1, so a window "
                f"from {how.low:g} to {how.high:g} leaves no contrast; use robust_zscore or a window within 0 to 1"
            )
        return self


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
        channels: What a network sees, float32 (z, y, x): normalised intensities, one array a channel, then what is
            derived from them, and last what the network before it in a row answered, if there is one.
        mask: Where to look.
        warnings: What the reader of a result must know about the input.
        inverses: The way back to each image's own intensities, one a channel.
        tissue: Where intensities were measured, whatever part of it is searched; None for where to look.
        derived: How many channels after the images are derived from these.
        answered: Whether the last channel is an earlier network's answer.
    """

    grid: Geometry
    channels: tuple[FloatVolume, ...] = field(repr=False)
    mask: BoolVolume = field(repr=False)
    warnings: tuple[str, ...] = ()
    inverses: tuple[Inverse, ...] = field(default=(), repr=False)
    tissue: BoolVolume | None = field(default=None, repr=False)
    derived: int = 0
    answered: bool = False

    @property
    def images(self) -> tuple[FloatVolume, ...]:
        """The channels that are images: all but what is derived from them, and an earlier network's answer."""
        return self.channels[: len(self.channels) - self.derived - self.answered]

    @property
    def all_tissue(self) -> BoolVolume:
        """Where networks before the last one answer: in all tissue, whatever part of it is searched."""
        return self.mask if self.tissue is None else self.mask | self.tissue

    def with_answer(self, answer: FloatVolume) -> "PreparedCase":
        """The case as the next network in a row sees it: with what the network before answered as last channel."""
        known = self.channels[:-1] if self.answered else self.channels
        return replace(self, channels=(*known, answer), answered=True)

    def searches(self, points_lps_mm: npt.ArrayLike) -> BoolArray:
        """Whether points (n, 3) lie in voxels of the mask."""
        index = np.round(self.grid.index_from_lps(np.asarray(points_lps_mm, dtype=np.float64).reshape(-1, 3)))
        inside: BoolArray = self.mask[tuple(np.clip(index, 0, np.array(self.mask.shape) - 1).astype(int).T)]
        return inside


def prepare(
    volumes: Sequence[Volume],
    specification: InputSpecification,
    mask: Volume | None = None,
    run: Run | None = None,
    *,
    keep_fields: bool = False,
) -> PreparedCase:
    """Bring a case's channels onto the model's grid and to its intensities.

    Each channel is interpolated once, in world space, from its own grid straight onto the model's.

    Args:
        volumes: One image a channel, in the specification's order.
        specification: What the model expects.
        mask: Where to look (non-zero voxels); all tissue found in the first channel if None.
        run: Progress and cancellation.
        keep_fields: Whether to keep the bias field and the trend that a channel's steps take out, so that its
            intensities can be brought back; they take as much memory as the channel itself.

    Raises:
        ImageError: A channel cannot be scanned, a step cannot work on it, the number of channels is wrong, or the mask
            is empty.
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
    images, warnings = _resampled(volumes, specification, grid, run.part(0.0, 0.8))
    run.report("prepare", 0.8, "Finding tissue")
    tissue, tissue_warnings = _tissue(specification, first, mask, grid, run)
    ready = []
    for number, (image, channel) in enumerate(zip(images, expected, strict=True)):
        place = Place(tissue, grid.spacing_zyx_mm, specification.dimensions, channel.name, keep_fields)
        part = run.part(0.8 + 0.1 * number / len(images), 0.8 + 0.1 * (number + 1) / len(images))
        ready.append(_scaled(image, channel, place, part))
    search = tissue if mask is None else _search_mask(mask, first, grid)
    channels, inverses = zip(*ready, strict=True)
    return PreparedCase(grid, channels, search, (*warnings, *tissue_warnings), inverses, tissue)


def _resampled(
    volumes: Sequence[Volume], specification: InputSpecification, grid: Geometry, run: Run
) -> tuple[list[FloatVolume], list[str]]:
    """The channels on the model's grid, and what the user must know about how they lie."""
    images, warnings = [], _spacing_warnings(volumes[0], specification)
    for number, (volume, channel) in enumerate(zip(volumes, specification.channels, strict=True)):
        run.report("prepare", number / len(volumes), f"Resampling channel {channel.name}")
        share = check_overlap(check_intensities(volume), volumes[0])
        if share < _FULL_COVER:
            warnings.append(
                f"Channel {channel.name} covers {share:.0%} of the first channel; beyond it, its edge is repeated. "
                "Judge candidates there with care."
            )
        images.append(resample(volume, grid))
    return images, warnings


def _scaled(image: FloatVolume, channel: Channel, place: Place, run: Run) -> tuple[FloatVolume, Inverse]:
    """A channel after its steps and its normalisation, and the way back."""
    run.check()
    image, back = apply_steps(image, channel.steps, place, run)
    image, scale = normalise(image, place.tissue, channel.normalisation, channel.name)
    return image, Inverse((*back, scale))


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
    specification: InputSpecification, first: Volume, mask: Volume | None, grid: Geometry, run: Run
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
    array, kind = np.asarray(first.array, dtype=np.float32), specification.mask
    if kind == "body" and not is_ct and not has_dark_background(array):
        kind = "everything"
        warnings.append(
            "The model was taught on images with a dark background round the body, but this image has none: "
            "all of it is searched, and scores may be shifted. Judge candidates with care."
        )
    own = make_mask(array, kind, is_ct, run, first.geometry.spacing_zyx_mm)
    run.check()
    tissue = resample_mask(Volume(own.astype(np.uint8), first.geometry), grid)
    if not tissue.any():
        raise ImageError(
            f"The tissue found in '{first.name}' is too small for the model's grid. Check the image, or give a mask."
        )
    return tissue, warnings
