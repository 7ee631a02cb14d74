"""Inserts synthetic lesions into the channels of one scan."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mtann.errors import SettingsError
from mtann.geometry import Triple
from mtann.preprocess.grid import check_overlap, resample_mask
from mtann.sampling.lesions import Lesion
from mtann.synthetic.paint import Brightness, Canvas, Stroke, blurred_peak, draw_brightness, paint
from mtann.synthetic.placement import Ground, Placed, add_lesions
from mtann.synthetic.recipe import Kind, LesionRecipe, draw, draw_log
from mtann.synthetic.shape import draw_shape
from mtann.synthetic.tissue import BoolVolume, Float32, find_tissue, measure_tissue
from mtann.volume import Array, Volume, check_intensities

_DRAWS = 12
"""Shapes that are tried for one lesion, each smaller than the last, before there is no place left."""


@dataclass(frozen=True)
class SyntheticLesion:
    """What was inserted.

    Attributes:
        label: Its value in the label map, 1 upwards.
        kind: What it looks like.
        centre_lps_mm: The middle that it was drawn about; it lies in tissue.
        radius_mm: Radius of the ball of equal volume, before anything was cut off at the tissue's border.
        volume_mm3: Volume of its outline in the label map.
        brightness: What was drawn for each channel, in the image's unit.
    """

    label: int
    kind: Kind
    centre_lps_mm: Triple
    radius_mm: float
    volume_mm3: float
    brightness: tuple[Brightness, ...]


@dataclass(frozen=True)
class SyntheticCase:
    """A scan with lesions that were never there.

    Attributes:
        channels: The images, each on its own grid and with its own voxel type.
        label_map: On the first channel's grid (uint8): value k for lesion k, its core included.
        lesions: What was inserted, in the label map's order.
    """

    channels: tuple[Volume, ...]
    label_map: Volume = field(repr=False)
    lesions: tuple[SyntheticLesion, ...]


def insert_lesions(
    channels: Sequence[Volume],
    mask: Volume | None,
    recipe: LesionRecipe,
    random: np.random.Generator,
    avoid: Sequence[Lesion] = (),
    names: Sequence[str] = (),
) -> SyntheticCase:
    """Insert lesions into a scan; the same generator gives the same lesions.

    Args:
        channels: The images, each with its own grid; one shape is drawn for all.
        mask: Non-zero where tissue is, on any grid; None to find tissue as the recipe says.
        recipe: What the lesions are like.
        random: Source of every choice.
        avoid: Annotated lesions to keep clear of; their voxels are never changed.
        names: The channels' names, for a recipe that tells them apart.

    Raises:
        ImageError: There is no tissue, or an image cannot be used.
        GeometryError: A channel does not overlap the first.
        SettingsError: The lesions do not fit into the tissue.
    """
    first = channels[0]
    tissue = find_tissue(check_intensities(first), mask, recipe.tissue)
    taken = add_lesions(np.zeros(first.geometry.shape_zyx, dtype=np.uint8), avoid, first.geometry) > 0
    free = Volume((tissue & ~taken).astype(np.uint8), first.geometry, first.name)
    canvases = [_canvas(channel, first, free, tissue) for channel in channels]
    ground = Ground(canvases[0], recipe, taken)
    blur_mm = draw(random, recipe.blur_mm)
    channel_names = [names[k] if k < len(names) else "" for k in range(len(channels))]
    radii = sorted((draw_log(random, recipe.radius_mm) for _ in range(_count(recipe, random))), reverse=True)
    placed = [
        _place(ground, recipe, radius_mm, random, f"{number} of {len(radii)} in '{first.name}'")
        for number, radius_mm in enumerate(radii, start=1)
    ]
    strokes = [_strokes(recipe, one, canvases, channel_names, blur_mm, random) for one in placed]
    for canvas, in_channel in zip(canvases, zip(*strokes, strict=True), strict=True):
        paint(canvas, in_channel, blur_mm, recipe.noise, random)
    labels = np.zeros(first.geometry.shape_zyx, dtype=np.uint8)
    for label, one in enumerate(placed, start=1):
        labels[one.box][one.outline] = label
    voxel_mm3 = first.geometry.voxel_volume_mm3
    lesions = tuple(
        _described(label, one, own, voxel_mm3)
        for label, (one, own) in enumerate(zip(placed, strokes, strict=True), start=1)
    )
    painted = tuple(
        channel.with_array(_as_type(canvas.array, channel.array))
        for channel, canvas in zip(channels, canvases, strict=True)
    )
    return SyntheticCase(painted, Volume(labels, first.geometry, "lesions"), lesions)


def _canvas(channel: Volume, first: Volume, free: Volume, tissue: BoolVolume) -> Canvas:
    check_intensities(channel)
    check_overlap(channel, first)
    array: Float32 = np.array(channel.array, dtype=np.float32)
    allowed = resample_mask(free, channel.geometry)
    whole = resample_mask(Volume(tissue.astype(np.uint8), first.geometry), channel.geometry)
    return Canvas(array, channel.geometry, allowed, measure_tissue(array, whole, channel.name))


def _strokes(
    recipe: LesionRecipe,
    placed: Placed,
    canvases: Sequence[Canvas],
    names: Sequence[str],
    blur_mm: float,
    random: np.random.Generator,
) -> list[Stroke]:
    """Draw what a lesion looks like in each channel."""
    seen = blurred_peak(placed.lesion.shape.radius_mm, blur_mm)
    push = draw(random, recipe.mass_effect)
    return [
        Stroke(placed.lesion, draw_brightness(recipe, name, canvas.levels, seen, random), push)
        for canvas, name in zip(canvases, names, strict=True)
    ]


def _described(label: int, placed: Placed, strokes: Sequence[Stroke], voxel_mm3: float) -> SyntheticLesion:
    shape, volume_mm3 = placed.lesion.shape, int(placed.outline.sum()) * voxel_mm3
    bright = tuple(stroke.bright for stroke in strokes)
    return SyntheticLesion(label, shape.kind, placed.lesion.centre_lps_mm, shape.radius_mm, volume_mm3, bright)


def _count(recipe: LesionRecipe, random: np.random.Generator) -> int:
    return int(random.integers(recipe.count[0], recipe.count[1] + 1))


def _place(ground: Ground, recipe: LesionRecipe, radius_mm: float, random: np.random.Generator, which: str) -> Placed:
    """Draw a shape and find it a place; where there is none, another shape, and a smaller one if the recipe allows."""
    least = recipe.radius_mm[0]
    if 4 / 3 * np.pi * least**3 > ground.tissue_mm3:
        raise SettingsError(
            f"Lesion {which} of at least {least:g} mm radius ({4 / 3 * np.pi * least**3:.0f} mm3) is larger than the "
            f"tissue ({ground.tissue_mm3:.0f} mm3). Lower radius_mm, or check the mask."
        )
    for _ in range(_DRAWS):
        placed = ground.place(draw_shape(recipe, radius_mm, random), random)
        if placed is not None:
            return placed
        radius_mm = draw_log(random, (least, radius_mm))
    raise SettingsError(
        f"No place is left for lesion {which} of {least:g} mm radius or more. "
        "Lower count, radius_mm, min_gap_mm or min_inside, or check the mask."
    )


def _as_type(array: Float32, like: Array) -> Array:
    """Values in another image's voxel type, rounded and held within it."""
    if not np.issubdtype(like.dtype, np.integer):
        return array.astype(like.dtype)
    limits = np.iinfo(str(like.dtype))
    return np.clip(np.rint(array), limits.min, limits.max).astype(like.dtype)
