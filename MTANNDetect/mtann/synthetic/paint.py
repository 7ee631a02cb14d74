"""How a lesion changes an image: it pushes tissue aside, darkens or brightens what is about it, and takes its place."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from mtann.geometry import Geometry, IndexTriple, Triple
from mtann.phantoms.fields import coverage, smooth_step
from mtann.synthetic.recipe import LesionRecipe, draw, draw_log
from mtann.synthetic.shape import Lattice, LesionShape
from mtann.synthetic.tissue import BoolVolume, Float32, TissueLevels, local_level, scan_noise

Box = tuple[slice, slice, slice]
"""Part of an array, z, y, x."""

_FWHM_TO_SIGMA = 1 / 2.3548
_FINEST_MM = 0.35
_STEPS_PER_RADIUS = 5.0
_CONTEXT_MM = 6.0
"""Ordinary tissue is measured up to so far from the lesion."""
_SHOWN_DEVIATIONS = 2.0
_LONGEST_PUSH_MM = 15.0


@dataclass(frozen=True)
class PlacedShape:
    """A shape at its place."""

    shape: LesionShape
    centre_lps_mm: Triple

    def on(self, lattice: Lattice, grid: Geometry) -> Float32:
        """Values of one of the shape's lattices on a grid in the world."""
        return lattice.on_grid(grid, self.centre_lps_mm)


@dataclass(frozen=True)
class Brightness:
    """What was drawn for one lesion in one channel, above the tissue about it, in the image's unit."""

    contrast: float
    core: float
    halo: float
    transparency: float


def draw_brightness(
    recipe: LesionRecipe, channel: str, levels: TissueLevels, seen: float, random: np.random.Generator
) -> Brightness:
    """Draw a lesion's contrasts in a channel; the recipe's unit becomes the image's.

    Args:
        recipe: The ranges.
        channel: The channel's name.
        levels: What its tissue looks like.
        seen: Share of the contrast that the blur leaves of a lesion so small, see :func:`blurred_peak`. The least
            contrast holds after the blur, or the smallest lesions would be labelled but invisible.
        random: Source of every choice.
    """
    unit = levels.deviation if recipe.unit == "deviation" else 1.0
    look = recipe.look(channel)
    least, most = look.contrast
    return Brightness(
        unit * draw_log(random, (min(least / seen, most) if least > 0 else least, most)),
        unit * draw(random, look.core_contrast),
        unit * draw(random, look.halo_contrast),
        draw(random, recipe.transparency),
    )


def blurred_peak(radius_mm: float, blur_mm: float) -> float:
    """Value at the middle of a ball of value 1 after a Gaussian blur of a full width at half maximum.

    The integral of the Gaussian over the ball: erf(a / sqrt 2) - sqrt(2 / pi) a exp(-a^2 / 2), a = radius / sigma.
    """
    a = radius_mm / max(blur_mm * _FWHM_TO_SIGMA, 1e-6)
    return math.erf(a / math.sqrt(2)) - math.sqrt(2 / math.pi) * a * math.exp(-(a**2) / 2)


@dataclass(frozen=True)
class Canvas:
    """One channel while lesions are painted into it.

    Attributes:
        array: Values (z, y, x), changed in place.
        geometry: Their grid.
        tissue: The only voxels that change.
        levels: What the tissue looked like before.
    """

    array: Float32
    geometry: Geometry
    tissue: BoolVolume
    levels: TissueLevels


def grid_box(geometry: Geometry, centre_lps_mm: Triple, half_mm: float) -> Box | None:
    """The voxels of a grid that hold a ball, as slices z, y, x; None if it misses the grid."""
    centre = geometry.index_from_lps(centre_lps_mm)
    reach = half_mm / np.array(geometry.spacing_zyx_mm)
    start = np.clip(np.floor(centre - reach), 0, geometry.shape_zyx).astype(int)
    stop = np.clip(np.ceil(centre + reach) + 1, 0, geometry.shape_zyx).astype(int)
    if (start >= stop).any():
        return None
    z, y, x = (slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
    return z, y, x


def crop(geometry: Geometry, box: Box) -> Geometry:
    """The grid of a box."""
    return geometry.cropped([part.start for part in box], [part.stop for part in box])


@dataclass(frozen=True)
class Stroke:
    """One lesion to paint into one channel; it pushes tissue aside by a share of its volume."""

    lesion: PlacedShape
    bright: Brightness
    mass_effect: float


def paint(canvas: Canvas, strokes: Sequence[Stroke], blur_mm: float, noise: float, random: np.random.Generator) -> None:
    """Paint lesions into a channel, within its tissue.

    First every push, then every oedema, then the lesions, so that each lesion stays where its outline is.

    Args:
        canvas: The channel, changed in place.
        strokes: The lesions.
        blur_mm: Point spread of the scan, full width at half maximum.
        noise: Share of the scan's noise that goes on inside lesions.
        random: Source of that noise.
    """
    original = canvas.array.copy()
    shown = [(stroke, box) for stroke in strokes if (box := _box(canvas, stroke.lesion, _CONTEXT_MM)) is not None]
    tissue_levels = [local_level(original[box], canvas.tissue[box], canvas.levels) for _, box in shown]
    for stroke, _ in shown:
        if stroke.mass_effect > 0:
            _push_aside(canvas, stroke.lesion, stroke.mass_effect)
    for (stroke, _), level in zip(shown, tissue_levels, strict=True):
        if stroke.bright.halo != 0:
            _paint_halo(canvas, stroke.lesion, level, stroke.bright.halo)
    for (stroke, _), level in zip(shown, tissue_levels, strict=True):
        box = _box(canvas, stroke.lesion, 1.5 * blur_mm)
        if box is None:
            continue
        before = canvas.array[box]
        inside, opaque, signal = render(stroke.lesion, crop(canvas.geometry, box), stroke.bright, blur_mm)
        grain = noise * scan_noise(before.shape, canvas.levels, random)
        # What shows through is the tissue as it was before the push, less what stands out of it.
        limit = _SHOWN_DEVIATIONS * canvas.levels.deviation
        pattern = np.clip(original[box], level - limit, level + limit)
        after = (1 - inside) * before + (inside - opaque) * pattern + opaque * (level + grain) + signal
        canvas.array[box] = np.where(canvas.tissue[box], np.maximum(after, canvas.levels.least), before)


def _box(canvas: Canvas, lesion: PlacedShape, margin_mm: float) -> Box | None:
    """The voxels of a lesion and what is about it."""
    return grid_box(canvas.geometry, lesion.centre_lps_mm, lesion.shape.depth.half_mm + margin_mm)


def render(lesion: PlacedShape, grid: Geometry, bright: Brightness, blur_mm: float) -> tuple[Float32, Float32, Float32]:
    """A lesion on a grid as the scan would blur it: its share of each voxel, how opaque it is, and what it adds."""
    fine, factors = _refined(grid, lesion.shape.radius_mm)
    edge_mm = float(np.mean(fine.spacing_xyz_mm))
    soft_mm, core_soft_mm = lesion.shape.edges_mm
    cover = coverage(lesion.on(lesion.shape.depth, fine), max(edge_mm, soft_mm))
    core = coverage(lesion.on(lesion.shape.core, fine), max(edge_mm, core_soft_mm))
    strength = lesion.on(lesion.shape.strength, fine)
    signal = cover * (bright.contrast * strength * (1 - core) + bright.core * core * (0.7 + 0.3 * strength))
    opaque = cover * (1 - bright.transparency * (1 - core))
    # The border's ramp and the averaging below blur already: Gaussian what is left, in variances.
    spacing, fine_spacing = np.array(grid.spacing_zyx_mm), np.array(fine.spacing_zyx_mm)
    variance = (blur_mm * _FWHM_TO_SIGMA) ** 2 - edge_mm**2 / 12 - (spacing**2 - fine_spacing**2) / 12
    sigma = np.sqrt(np.maximum(variance, 0)) / fine_spacing
    blurred = [ndimage.gaussian_filter(part, sigma, mode="nearest", truncate=3.0) for part in (cover, opaque, signal)]
    inside, opaque, signal = (_averaged(part, factors) for part in blurred)
    return inside, opaque, signal


def outline_on(lesion: PlacedShape, grid: Geometry) -> BoolVolume:
    """Voxels of a grid of which at least half lies within the lesion's outline; at least one."""
    fine, factors = _refined(grid, lesion.shape.radius_mm)
    share = _averaged(coverage(lesion.on(lesion.shape.depth, fine), float(np.mean(fine.spacing_xyz_mm))), factors)
    return np.asarray(share >= min(0.5, float(share.max())))


def _refined(grid: Geometry, radius_mm: float) -> tuple[Geometry, IndexTriple]:
    """A grid whose voxels are small against the lesion, and how many of them make up one voxel (z, y, x)."""
    wanted = max(_FINEST_MM, radius_mm / _STEPS_PER_RADIUS)
    z, y, x = (max(1, int(np.ceil(spacing / wanted - 0.01))) for spacing in grid.spacing_zyx_mm)
    return grid.respaced([s / n for s, n in zip(grid.spacing_zyx_mm, (z, y, x), strict=True)]), (z, y, x)


def _averaged(array: Float32, factors: IndexTriple) -> Float32:
    """Means of blocks."""
    z, y, x = (n // factor for n, factor in zip(array.shape, factors, strict=True))
    blocks = array.reshape(z, factors[0], y, factors[1], x, factors[2])
    return np.asarray(blocks.mean(axis=(1, 3, 5)), dtype=np.float32)


def _paint_halo(canvas: Canvas, lesion: PlacedShape, level: float, contrast: float) -> None:
    """Move tissue about the lesion towards the oedema's level; what is beyond that already stays, as cortex does."""
    halo = lesion.shape.halo
    box = grid_box(canvas.geometry, lesion.centre_lps_mm, halo.half_mm) if halo is not None else None
    if halo is None or box is None:
        return
    before = canvas.array[box]
    weight = lesion.on(halo, crop(canvas.geometry, box))
    # Measured on the smoothed image, so that the scan's noise stays what it is.
    step = level + contrast - ndimage.gaussian_filter(before, 1.0, mode="nearest", truncate=3.0)
    # What stands out on the other side, such as a vessel, is moved no more than tissue is.
    after = before + weight * np.clip(step, min(contrast, 0.0), max(contrast, 0.0))
    canvas.array[box] = np.where(canvas.tissue[box], after, before)


def _push_aside(canvas: Canvas, lesion: PlacedShape, mass_effect: float) -> None:
    """Shift tissue away from the lesion's middle, as if a share of its volume had grown there.

    An incompressible medium takes a point at distance r from the middle of a growing ball of radius R to r' with
    r'^3 = r^3 + R^3. The shift fades out, since skull and falx hold on.
    """
    radius = lesion.shape.radius_mm
    end = radius + min(1.5 * radius, _LONGEST_PUSH_MM)
    box = grid_box(canvas.geometry, lesion.centre_lps_mm, end)
    if box is None:
        return
    grid = crop(canvas.geometry, box)
    spacing = np.array(grid.spacing_zyx_mm)
    # Distances are the same along the grid's own axes, whatever way they point.
    centre = grid.index_from_lps(lesion.centre_lps_mm)
    axes = [(np.arange(n) - c) * s for n, c, s in zip(grid.shape_zyx, centre, spacing, strict=True)]
    offset = np.meshgrid(*axes, indexing="ij", sparse=True)
    distance = np.sqrt(sum(part**2 for part in offset)) + 1e-6
    edge = np.maximum(distance, radius)
    shift = (edge - np.cbrt(edge**3 - mass_effect * radius**3)) * (1 - smooth_step(distance, radius, end))
    scale = np.maximum(1 - shift / distance, 0)
    source = [scale * part / s + c for part, s, c in zip(offset, spacing, centre, strict=True)]
    moved = ndimage.map_coordinates(canvas.array[box], source, order=3, mode="nearest")
    whole = ndimage.map_coordinates(canvas.tissue[box].astype(np.float32), source, order=1, mode="nearest") > 0.99
    canvas.array[box] = np.where(canvas.tissue[box] & whole, moved, canvas.array[box])
