"""The shape of one lesion, and what is where inside it, known at every point of the world.

Everything is computed once on a cubic lattice along the world's axes and read off by interpolation, so that a lesion is
the same on any grid, and in all channels. A *depth* is a signed distance in mm, positive inside, to first order.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial.transform import Rotation

from mtann.geometry import FloatArray, Geometry, Triple
from mtann.phantoms.fields import Float32, random_field, smooth_step
from mtann.preprocess.grid import restore
from mtann.synthetic.recipe import KINDS, Kind, LesionRecipe, draw

_REACH = 2.3
"""Half-width of the lattice, in radii."""
_STEPS = (8.0, 19.0)
"""Least and greatest number of lattice steps a radius; between them the step is fixed."""
_STEP_MM = 0.8
_HALO_STEPS = 20
_BALL = 4 / 3 * np.pi


@dataclass(frozen=True)
class Lattice:
    """Values on a cube along the world's axes, with its middle at the world's zero.

    Attributes:
        values: Axes z, y, x of LPS; as many along each.
        step_mm: Distance between values.
    """

    values: Float32 = field(repr=False)
    step_mm: float

    @property
    def half_mm(self) -> float:
        """From the middle to the outermost values."""
        return (int(self.values.shape[0]) - 1) / 2 * self.step_mm

    def on_grid(self, grid: Geometry, centre_lps_mm: Triple) -> Float32:
        """The values on a grid of any orientation, the middle at a place; beyond the cube its outermost go on."""
        x, y, z = (float(c) - self.half_mm for c in centre_lps_mm)
        size = self.values.shape[0]
        return restore(self.values, Geometry((size,) * 3, (self.step_mm,) * 3, (x, y, z)), grid)

    def at(self, offsets_mm: FloatArray) -> FloatArray:
        """Linear interpolation at offsets (..., 3; x, y, z) from the middle."""
        index = (offsets_mm[..., ::-1] + self.half_mm) / self.step_mm
        return np.asarray(
            ndimage.map_coordinates(self.values, np.moveaxis(index, -1, 0), order=1, mode="nearest", output=np.float64)
        )


@dataclass(frozen=True)
class LesionShape:
    """A lesion without a place.

    Attributes:
        kind: What it looks like.
        radius_mm: Of the ball of equal volume.
        depth: Depth below its outline.
        core: Depth below the border of its core; negative everywhere if it has none.
        edges_mm: Width over which the outline, and the rim towards the core, fade.
        strength: Contrast relative to the greatest asked for: 1 where it enhances fully.
        halo: Weight of the oedema, 1 at the outline falling to 0; None without.
    """

    kind: Kind
    radius_mm: float
    depth: Lattice
    core: Lattice
    edges_mm: tuple[float, float]
    strength: Lattice
    halo: Lattice | None

    @cached_property
    def points_mm(self) -> FloatArray:
        """Offsets (n, 3; x, y, z) of points spread evenly through the lesion."""
        axis = np.linspace(-self.depth.half_mm, self.depth.half_mm, self.depth.values.shape[0])
        inside = np.argwhere(self.depth.values > 0)
        chosen = inside[:: max(1, len(inside) // 500)]
        return np.asarray(axis[chosen][:, ::-1])


def draw_shape(recipe: LesionRecipe, radius_mm: float, random: np.random.Generator) -> LesionShape:
    """Draw a lesion of a size: its kind, outline, core, texture and halo."""
    weights = np.array(recipe.weights)
    if recipe.hollow_above_mm is not None and radius_mm > recipe.hollow_above_mm and weights[1:].any():
        weights[0] = 0
    kind = KINDS[int(random.choice(len(KINDS), p=weights / weights.sum()))]
    if radius_mm < recipe.solid_below_mm:
        kind = "solid"
    step_mm = float(np.clip(_STEP_MM, radius_mm / _STEPS[1], radius_mm / _STEPS[0]))
    count = int(np.ceil(_REACH * radius_mm / step_mm))
    inside = _Inside(recipe, radius_mm, np.asarray(np.arange(-count, count + 1) * (step_mm / radius_mm)), random)
    outline = _outline(inside)
    depth = radius_mm * outline
    core, strength = _interior(inside, kind, depth)
    lattice = Lattice(depth, step_mm)
    return LesionShape(
        kind,
        radius_mm,
        lattice,
        Lattice(core, step_mm),
        (min(draw(random, recipe.edge_mm), 0.5 * radius_mm), min(draw(random, recipe.core_edge_mm), 0.5 * radius_mm)),
        Lattice(strength, step_mm),
        _halo(lattice, draw(random, recipe.halo_mm), radius_mm, random),
    )


@dataclass(frozen=True)
class _Inside:
    """What all steps of drawing one lesion share; ``axis`` is a lattice axis in radii."""

    recipe: LesionRecipe
    radius_mm: float
    axis: FloatArray
    random: np.random.Generator

    @property
    def points(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Coordinates x, y, z in radii, ready to broadcast to (z, y, x)."""
        return self.axis[None, None, :], self.axis[None, :, None], self.axis[:, None, None]

    def noise(self, size: float) -> Float32:
        """A smooth random field of mean 0 and deviation 1 whose grains have a size in radii."""
        step = max(size, 3 * (self.axis[1] - self.axis[0])) / 2
        return random_field(self.random, step, _REACH).on_grid(self.axis, self.axis, self.axis)


def _outline(inside: _Inside) -> Float32:
    """Level set in radii, positive in a volume of 4/3 pi: an ellipsoid or lobes, made irregular, in one piece."""
    recipe, random = inside.recipe, inside.random
    level = _lobes(inside) if random.random() < recipe.lobed else _ellipsoid(inside)
    roughness = draw(random, recipe.irregularity)
    if roughness > 0:
        level += np.float32(roughness) * (np.float32(0.8) * inside.noise(1.2) + np.float32(0.6) * inside.noise(0.5))
    strands = int(random.integers(recipe.spicules[0], recipe.spicules[1] + 1))
    if strands:
        np.maximum(level, _spicules(inside, strands), out=level)
    return _in_one_piece(level, inside.axis[1] - inside.axis[0])


def _ellipsoid(inside: _Inside) -> Float32:
    stretch = draw(inside.random, inside.recipe.ellipticity)
    logs = inside.random.uniform(-stretch, stretch, 3)
    axes = np.exp(logs.mean() - logs)[:, None] * Rotation.random(random_state=inside.random).as_matrix()
    x, y, z = inside.points
    squared = sum((row[0] * x + row[1] * y + row[2] * z) ** 2 for row in axes)
    return np.asarray(1 - np.sqrt(squared), dtype=np.float32)


def _lobes(inside: _Inside) -> Float32:
    """Balls that touch, about their common middle."""
    random = inside.random
    while True:
        sizes = random.uniform(0.5, 1.0, int(random.integers(2, 6)))
        middles = np.zeros((len(sizes), 3))
        for k in range(1, len(sizes)):
            other = int(random.integers(k))
            direction = random.standard_normal(3)
            apart = (sizes[k] + sizes[other]) * random.uniform(0.55, 0.85)
            middles[k] = middles[other] + apart * direction / np.linalg.norm(direction)
        cloud = random.uniform(-1, 1, (4000, 3)) * (np.abs(middles).max() + 1)
        hit = (np.linalg.norm(cloud[:, None] - middles, axis=2) < sizes).any(axis=1)
        scale = (_BALL / (hit.mean() * (2 * (np.abs(middles).max() + 1)) ** 3)) ** (1 / 3)
        middles, sizes = scale * (middles - cloud[hit].mean(axis=0)), scale * sizes
        if (np.abs(middles).max(axis=1) + sizes).max() < 0.95 * _REACH:
            break
    x, y, z = inside.points
    parts = [
        size - np.sqrt((x - a) ** 2 + (y - b) ** 2 + (z - c) ** 2)
        for size, (a, b, c) in zip(sizes, middles, strict=True)
    ]
    return np.asarray(np.max(parts, axis=0), dtype=np.float32)


def _spicules(inside: _Inside, count: int) -> Float32:
    """Level set of strands that leave the middle and taper to a point."""
    x, y, z = inside.points
    level = np.full((len(inside.axis),) * 3, -np.inf, dtype=np.float32)
    for _ in range(count):
        a, b, c = Rotation.random(random_state=inside.random).as_matrix()[0]
        length, width = inside.random.uniform(1.3, 1.9), inside.random.uniform(0.08, 0.16)
        along = np.clip(a * x + b * y + c * z, 0, length)
        off = np.sqrt((x - along * a) ** 2 + (y - along * b) ** 2 + (z - along * c) ** 2)
        np.maximum(level, width * (1 - along / length) - off, out=level, casting="same_kind")
    return level


def _in_one_piece(level: Float32, step: float) -> Float32:
    """Shift a level set to the volume of the unit ball, after leaving only its largest piece, without holes."""
    wanted = round(_BALL / step**3)
    for _ in range(2):
        rest = level.size - wanted
        # Between the last value outside and the first inside.
        level = level - np.partition(level, (rest - 1, rest), axis=None)[rest - 1 : rest + 1].mean()
        labels, count = ndimage.label(level > 0)
        if count > 1:
            main = labels == np.bincount(labels.ravel())[1:].argmax() + 1
            level = np.where((level > 0) & ~main, -step, level).astype(np.float32)
    holes = ndimage.binary_fill_holes(level > 0) & (level <= 0)
    return np.where(holes, step, level).astype(np.float32)


def _interior(inside: _Inside, kind: Kind, depth_mm: Float32) -> tuple[Float32, Float32]:
    """Depth of the core, and strength of the contrast."""
    recipe, random, radius = inside.recipe, inside.random, inside.radius_mm
    grain = draw(random, recipe.texture_mm) / radius
    texture = draw(random, recipe.texture)
    broad = inside.noise(1.5)
    # Log-normal with mean 1: enhancement is uneven but never negative.
    uneven = 0.5 * broad + 0.87 * inside.noise(min(grain, 1.0))
    strength = np.exp(texture * uneven - texture**2 / 2)
    core = np.full_like(depth_mm, -radius)
    if kind in ("ring", "part_solid"):
        thickness = np.clip(draw(random, recipe.rim_fraction) * radius, *recipe.rim_mm)
        uneven_rim = draw(random, recipe.rim_irregularity)
        deep = depth_mm - thickness * np.exp(uneven_rim * (0.8 * broad + 0.6 * inside.noise(0.7)))
        if kind == "ring":
            core = deep
            strength = strength * _patches(inside, 1 - draw(random, recipe.rim_gap), 0.8, 0.1, depth_mm > 0)
        else:
            edge = smooth_step(deep, -0.1 * radius, 0.1 * radius)
            strength = strength * (draw(random, recipe.veil) * (1 - edge) + edge)
    elif kind == "patchy":
        share, floor = draw(random, recipe.patch_share), draw(random, recipe.patch_floor)
        strength = strength * _patches(inside, share, min(2 * grain, 1.0), floor, depth_mm > 0)
    return core.astype(np.float32), strength.astype(np.float32)


def _patches(inside: _Inside, share: float, size: float, floor: float, where: npt.NDArray[np.bool_]) -> Float32:
    """1 in patches that fill a share of ``where``, ``floor`` between them, with soft borders."""
    if share >= 1:
        return np.ones(where.shape, dtype=np.float32)
    field_values = inside.noise(size)
    border = float(np.quantile(field_values[where], 1 - share))
    return floor + (1 - floor) * smooth_step(field_values, border - 0.3, border + 0.3)


def _halo(depth: Lattice, reach_mm: float, radius_mm: float, random: np.random.Generator) -> Lattice | None:
    """Oedema of an uneven reach, 1 at the lesion's outline and 0 at its end."""
    if reach_mm < 1.0:
        return None
    half = depth.half_mm + 2 * reach_mm
    axis = np.linspace(-half, half, 2 * _HALO_STEPS + 1)
    offsets = np.stack(np.meshgrid(axis, axis, axis, indexing="ij")[::-1], axis=-1)
    near = np.clip(offsets, -depth.half_mm, depth.half_mm)
    outside = np.linalg.norm(offsets - near, axis=-1) - depth.at(near)
    uneven = random_field(random, 0.5 * (radius_mm + reach_mm), half).on_grid(axis, axis, axis)
    reach = reach_mm * np.clip(np.exp(0.5 * uneven), 0.3, 2.0)
    return Lattice(1 - smooth_step(outside / reach, 0.4, 1.0), float(axis[1] - axis[0]))
