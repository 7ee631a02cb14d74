"""Shapes of the enhancing test lesions: smooth unions of balls, bent by smooth noise, with rim, core and patches.

Written apart from the generator that training uses, and by other means, so that a model cannot pass by having learnt
how its own training lesions are made.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Field = npt.NDArray[np.float64]
Kind = Literal["nodule", "ring", "lobed", "cluster", "patchy"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_SHARES = (0.45, 0.2, 0.12, 0.1, 0.13)
DIAMETERS_MM: dict[Kind, tuple[float, float]] = {
    "nodule": (3.0, 20.0),
    "ring": (10.0, 60.0),
    "lobed": (10.0, 40.0),
    "cluster": (15.0, 45.0),
    "patchy": (12.0, 45.0),
}
_CONTRASTS: dict[Kind, tuple[float, float]] = {
    "nodule": (1.35, 2.2),
    "ring": (1.3, 2.0),
    "lobed": (1.2, 1.9),
    "cluster": (1.25, 2.0),
    "patchy": (1.25, 1.6),
}

_EDGE_MM = 1.0
"""Width over which a voxel goes from outside to inside: the partial volume of a voxel of a millimetre."""
_PATCHY_EDGE_MM = 3.0
_LEAST_BENT_RADIUS_MM = 4.0
"""Below it, bending would be finer than a voxel."""


@dataclass(frozen=True)
class LesionPlan:
    """What a lesion will be, before it has a place.

    Attributes:
        kind: Which of :data:`KINDS`.
        diameter_mm: Diameter of the ball of equal volume, rim and core together.
        contrast: Brightness of what enhances, as a multiple of the tissue's level.
        core: Brightness of necrosis, as a multiple of the tissue's level.
        oedema_mm: Reach of the dark halo; 0 for none.
    """

    kind: Kind
    diameter_mm: float
    contrast: float
    core: float
    oedema_mm: float

    @property
    def radius_mm(self) -> float:
        return self.diameter_mm / 2


@dataclass(frozen=True)
class Rendering:
    """A lesion on a grid.

    Attributes:
        distance_mm: Signed distance to its outer surface, negative inside (approximate away from the surface).
        weight: How much of each voxel is lesion, 0 to 1.
        factor: Brightness of the lesion there, as a multiple of the tissue's level.
    """

    distance_mm: Field
    weight: Field
    factor: Field


def draw_plan(random: np.random.Generator) -> LesionPlan:
    """A lesion of random kind; diameters are log-uniform within the kind's range."""
    kind = KINDS[int(random.choice(len(KINDS), p=_SHARES))]
    low, high = DIAMETERS_MM[kind]
    diameter = float(np.exp(random.uniform(np.log(low), np.log(high))))
    swollen = random.random() < (0.5 if diameter < 10 else 0.75)
    return LesionPlan(
        kind,
        diameter,
        contrast=float(random.uniform(*_CONTRASTS[kind])),
        core=float(random.uniform(0.45, 0.8)),
        oedema_mm=float(random.uniform(3, min(4 + diameter / 2, 16))) if swollen else 0.0,
    )


def smooth_noise(shape: tuple[int, ...], sigma_voxels: npt.ArrayLike, random: np.random.Generator) -> Field:
    """Gaussian noise of mean 0 and deviation 1, smooth over ``sigma_voxels``."""
    field = ndimage.gaussian_filter(random.standard_normal(shape), sigma_voxels, mode="wrap", truncate=3)
    return np.asarray((field - field.mean()) / field.std())


def union_distance(points: Field, centres: Field, radii: Field, softness: float) -> Field:
    """Signed distance (...,) of points (..., 3) to a union of balls whose seams are rounded off by ``softness``.

    The soft minimum of the balls' distances: -k log sum exp(-d_i / k). For one ball it is exact.
    """
    total = np.zeros(points.shape[:-1])
    for centre, radius in zip(centres, radii, strict=True):
        total += np.exp(np.clip((radius - np.linalg.norm(points - centre, axis=-1)) / softness, -60, 60))
    return np.asarray(-softness * np.log(np.maximum(total, 1e-26)))


def unit_balls(kind: Kind, random: np.random.Generator) -> tuple[Field, Field]:
    """Centres (n, 3) and radii (n,) of the balls of a lesion whose union has the volume of a ball of radius 1."""
    if kind == "cluster":
        count = int(random.integers(3, 7))
        # The first ball is the necrosis; the others sit on its surface and are what enhances.
        centres = np.concatenate([np.zeros((1, 3)), _directions(count, random)])
        radii = np.concatenate([[1.0], random.uniform(0.35, 0.65, count)])
    else:
        least, most, spread, small = {
            "nodule": (1, 3, 0.35, 0.8),
            "ring": (2, 5, 0.6, 0.6),
            "patchy": (3, 6, 0.9, 0.5),
            "lobed": (4, 8, 1.1, 0.45),
        }[kind]
        count = int(random.integers(least, most + 1))
        centres = _directions(count, random) * random.uniform(0.3, 1.0, (count, 1)) * spread
        radii = random.uniform(small, 1.0, count)
    scale = _equivalent_radius(centres, radii)
    return centres / scale, radii / scale


def render(plan: LesionPlan, points_mm: Field, spacing_mm: npt.ArrayLike, random: np.random.Generator) -> Rendering:
    """The lesion at points (z, y, x, 3) given in millimetres from its centre."""
    spacing, radius = np.asarray(spacing_mm, dtype=float), plan.radius_mm
    shape = points_mm.shape[:-1]

    def noise(sigma_mm: float) -> Field:
        return smooth_noise(shape, sigma_mm / spacing, random)

    if radius >= _LEAST_BENT_RADIUS_MM:
        bend = np.stack([noise(max(0.4 * radius, 2.0)) for _ in range(3)], axis=-1)
        points_mm = points_mm + 0.15 * radius * bend
    centres, radii = unit_balls(plan.kind, random)
    softness = 0.12 * radius
    distance = union_distance(points_mm, centres * radius, radii * radius, softness)
    edge = _PATCHY_EDGE_MM if plan.kind == "patchy" else _EDGE_MM
    weight = _inside(distance, edge)
    if plan.kind == "cluster":
        core = union_distance(points_mm, centres[:1] * radius, radii[:1] * radius, softness)
        parts = union_distance(points_mm, centres[1:] * radius, radii[1:] * radius, softness)
        enhancing = _cluster(core, parts, noise)
    else:
        enhancing = {"nodule": _solid, "ring": _ring, "lobed": _lobed, "patchy": _patchy}[plan.kind](
            distance, plan, noise, random
        )
    # Tumour tissue between patches is nearly as bright as brain; elsewhere what does not enhance is necrosis.
    rest = random.uniform(0.94, 1.04) if plan.kind == "patchy" else plan.core * (1 + 0.06 * noise(2.0))
    bright = 1 + (plan.contrast - 1) * (1 + 0.15 * np.clip(noise(1.8), -2, 2))
    return Rendering(distance, weight, rest + enhancing * (bright - rest))


def _solid(distance: Field, plan: LesionPlan, noise: Callable[[float], Field], random: np.random.Generator) -> Field:
    return np.ones_like(distance)


def _ring(distance: Field, plan: LesionPlan, noise: Callable[[float], Field], random: np.random.Generator) -> Field:
    """A rim of uneven thickness, bright in places and thin to vanishing in others."""
    thickness = random.uniform(1.5, min(4.5, max(1.6, 0.45 * plan.radius_mm)))
    uneven = thickness * np.exp(0.55 * np.clip(noise(max(0.5 * plan.radius_mm, 2.5)), -2, 2))
    return _inside(-distance - uneven, _EDGE_MM) * np.clip(1 + 0.25 * noise(4.0), 0.3, 1.4)


def _lobed(distance: Field, plan: LesionPlan, noise: Callable[[float], Field], random: np.random.Generator) -> Field:
    """Solid, with small necrotic pockets at depth."""
    pockets = _inside(random.uniform(0.6, 1.6) - noise(max(0.15 * plan.radius_mm, 1.5)), 0.4)
    return np.asarray(1 - pockets * _inside(distance + 3.0, 2.0))


def _patchy(distance: Field, plan: LesionPlan, noise: Callable[[float], Field], random: np.random.Generator) -> Field:
    """Patches and strands that enhance, here more and there less."""
    patches = _inside(random.uniform(-0.9, -0.1) - noise(random.uniform(1.8, 3.2)), 0.8)
    return np.asarray(patches * np.clip(1 + 0.35 * noise(4.0), 0.3, 2.0))


def _cluster(core_mm: Field, parts_mm: Field, noise: Callable[[float], Field]) -> Field:
    """Nodules on the surface of one necrosis, joined by a thin, faint, broken rim."""
    nodules = _inside(parts_mm, _EDGE_MM)
    rim = _inside(np.abs(core_mm) - 1.0, _EDGE_MM) * np.clip(0.35 + 0.25 * noise(3.0), 0.0, 0.8)
    outside = 1 - _inside(core_mm, _EDGE_MM)
    return np.maximum(np.maximum(nodules, rim), outside)


def _inside(distance: Field, width: float) -> Field:
    """1 well inside a surface, 0 well outside, with a linear edge of the given width between."""
    return np.asarray(np.clip(0.5 - distance / width, 0, 1))


def _directions(count: int, random: np.random.Generator) -> Field:
    vectors = random.standard_normal((count, 3))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def _equivalent_radius(centres: Field, radii: Field) -> float:
    """Radius of the ball with the volume of the union, counted on a lattice."""
    reach = float((np.linalg.norm(centres, axis=1) + radii).max()) + 0.3
    ticks, step = np.linspace(-reach, reach, 48, retstep=True)
    points = np.stack(np.meshgrid(ticks, ticks, ticks, indexing="ij"), axis=-1)
    volume = np.count_nonzero(union_distance(points, centres, radii, 0.12) <= 0) * float(step) ** 3
    return float((3 * volume / (4 * np.pi)) ** (1 / 3))
