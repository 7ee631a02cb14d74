"""The vessels of a synthetic head: dural sinuses, arteries, deep veins, surface veins, vessels in the sulci.

Vessels are what a lesion detector confuses with lesions, so they are drawn as they are: bright, winding, branching, and
never shorter than about 15 mm.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import interpolate

from mtann.phantoms import courses
from mtann.phantoms.brain import HEMISPHERE_CENTRE_MM, HEMISPHERE_RADII_MM, Brain, forehead_factor
from mtann.phantoms.fields import FloatArray
from mtann.phantoms.sulcal_walk import sulcal_paths

STEP_MM = 0.5
"""Distance between the points that a vessel is made of."""

_SULCAL_VESSELS = 46
_TAPER_MM = 6.0

Line = tuple[FloatArray, float]
"""Rows of x, y, z, radius (mm, template space) along a vessel, and its brightness."""


@dataclass(frozen=True)
class Tube:
    """One vessel in the world.

    Attributes:
        points_lps_mm: Centre line, (n, 3), about ``STEP_MM`` apart.
        radii_mm: Radius at each point.
        brightness: Of its blood, white matter 1.
    """

    points_lps_mm: FloatArray
    radii_mm: FloatArray
    brightness: float


def vessel_tree(brain: Brain, rng: np.random.Generator) -> list[Tube]:
    """All vessels of one head, in world space."""
    lines = [*_sinuses(rng), *_arteries(rng), *_deep_veins(rng), *_surface_veins(rng), *_sulcal_vessels(brain, rng)]
    world = brain.to_world(np.concatenate([nodes[:, :3] for nodes, _ in lines]))
    stops = np.cumsum([len(nodes) for nodes, _ in lines])
    parts = np.split(world, stops[:-1])
    return [
        Tube(points, np.clip(nodes[:, 3], 0.4, None), brightness)
        for points, (nodes, brightness) in zip(parts, lines, strict=True)
    ]


def _curve(rng: np.random.Generator, nodes: npt.ArrayLike, wiggle_mm: float = 1.0) -> FloatArray:
    """A smooth curve of points x, y, z, radius through the nodes, each shifted a little; ``STEP_MM`` apart."""
    rows = np.array(nodes, dtype=np.float64)
    rows[1:-1, :3] += rng.normal(0, wiggle_mm, (len(rows) - 2, 3))
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(rows[:, :3], axis=0), axis=1))])
    curve = interpolate.CubicSpline(length, rows)(np.arange(0, length[-1], STEP_MM))
    # Vessels vary in calibre, and bulge a little where they bend and branch.
    bulge = interpolate.CubicSpline(np.linspace(0, 1, 8), rng.normal(1, 0.12, 8))(np.linspace(0, 1, len(curve)))
    curve[:, 3] = np.maximum(rows[:, 3].min() * 0.8, curve[:, 3] * bulge)
    return np.asarray(curve, dtype=np.float64)


def _tapered(curve: FloatArray, start: bool, stop: bool) -> FloatArray:
    """The curve with its free ends running out thin."""
    position = np.arange(len(curve)) * STEP_MM
    share = np.ones(len(curve))
    if start:
        share = np.minimum(share, 0.35 + 0.65 * position / _TAPER_MM)
    if stop:
        share = np.minimum(share, 0.35 + 0.65 * position[::-1] / _TAPER_MM)
    return np.asarray(curve * np.stack([np.ones_like(share)] * 3 + [share], axis=1))


def _sided(course: courses.Course, side: float, size: float = 1.0) -> FloatArray:
    """A left-sided course on the given side (1 left, -1 right), its radii times ``size``."""
    return np.array(course) * [side, 1, 1, size]


def _on_midline(angle_degrees: float, below_mm: float) -> tuple[float, float, float]:
    """Point of the midline, at an angle from straight up (positive backwards), below the cerebral hull."""
    cx, cy, cz = HEMISPHERE_CENTRE_MM
    rx, ry, above, beneath = HEMISPHERE_RADII_MM
    angle = np.deg2rad(angle_degrees)
    up, back = float(np.cos(angle)), float(np.sin(angle))
    # The two hemispheres' ellipsoids meet the midline a little below their tops.
    reach = np.sqrt(1 - (cx / rx) ** 2) / np.hypot(up / (above if up > 0 else beneath), back / ry) - below_mm
    return (0.0, cy + reach * back, cz + reach * up)


def _sinuses(rng: np.random.Generator) -> list[Line]:
    angles = np.linspace(-58, 98, 9)
    sagittal = [(*_on_midline(a, 1.5), r) for a, r in zip(angles, np.linspace(1.2, 3.3, 9), strict=True)]
    lines = [(_curve(rng, [*sagittal, (*courses.TORCULA, 3.6)], 0.5), rng.uniform(1.55, 1.9))]
    dominant = rng.choice([-1.0, 1.0])
    for side in (-1.0, 1.0):
        size = rng.uniform(2.7, 3.4) if side == dominant else rng.uniform(1.7, 2.5)
        lines.append((_curve(rng, _sided(courses.TRANSVERSE_SINUS, side, size), 0.6), rng.uniform(1.5, 1.85)))
    lines.append((_curve(rng, courses.STRAIGHT_SINUS, 0.5), rng.uniform(1.5, 1.85)))
    return lines


def _arteries(rng: np.random.Generator) -> list[Line]:
    bright = rng.uniform(1.5, 2.0)
    lines = [(_curve(rng, courses.BASILAR_ARTERY), bright)]
    for side in (-1.0, 1.0):
        for course in courses.PAIRED_ARTERIES:
            free = course[-1][3] < 1
            curve = _tapered(_curve(rng, _sided(course, side), 1.2), start=False, stop=free)
            lines.append((curve, bright * rng.uniform(0.85, 1.0)))
    return lines


def _deep_veins(rng: np.random.Generator) -> list[Line]:
    return [
        (_curve(rng, _sided(course, side), 0.8), rng.uniform(1.4, 1.8))
        for side in (-1.0, 1.0)
        for course in courses.PAIRED_DEEP_VEINS
    ]


def _hull_point(direction: FloatArray, side: float) -> FloatArray:
    """Where rays from a hemisphere's centre leave the hull; directions (n, 3) in template axes."""
    rx, ry, above, beneath = HEMISPHERE_RADII_MM
    rz = np.where(direction[:, 2] > 0, above, beneath)
    radii = np.stack([np.full(len(direction), rx), np.full(len(direction), ry), rz], axis=1)
    reach = 1 / np.linalg.norm(direction / radii, axis=1, keepdims=True)
    points = np.asarray(HEMISPHERE_CENTRE_MM) * [side, 1, 1] + direction * reach
    points[:, 0] /= forehead_factor(points[:, 1])
    return np.asarray(points, dtype=np.float64)


def _surface_veins(rng: np.random.Generator) -> list[Line]:
    """Cortical veins that climb the convexity and bend forward into the sagittal sinus, with a tributary or two."""
    lines: list[Line] = []
    for side in (-1.0, 1.0):
        centre = np.asarray(HEMISPHERE_CENTRE_MM) * [side, 1, 1]
        for angle in np.linspace(-42, 78, 7) + rng.uniform(-7, 7, 7):
            stop = np.asarray(_on_midline(float(angle), 1.5)) - centre
            lean = np.sin(np.deg2rad(angle)) + rng.uniform(-0.25, 0.45)
            start = np.array([side * rng.uniform(0.7, 1.0), lean, rng.uniform(-0.1, 0.55)])
            main = _surface_vein(rng, start, stop, side, rng.uniform(0.8, 1.7))
            bright = rng.uniform(1.35, 1.9)
            lines.append((main, bright))
            for joint in main[rng.integers(len(main) // 5, len(main) // 2, int(rng.integers(1, 4)))]:
                from_centre = joint[:3] - centre
                away = from_centre / np.linalg.norm(from_centre) + rng.normal(0, 0.35, 3)
                lines.append((_surface_vein(rng, away, from_centre, side, 0.75 * float(joint[3])), bright))
    return lines


def _surface_vein(
    rng: np.random.Generator, start: FloatArray, stop: FloatArray, side: float, radius_mm: float
) -> FloatArray:
    """A winding course on the hull between two directions from the hemisphere's centre, wider towards its end."""
    share = np.linspace(0, 1, 7)[:, None]
    way = (1 - share) * start / np.linalg.norm(start) + share * stop / np.linalg.norm(stop)
    way[1:-1] += rng.normal(0, 0.06, (5, 3))
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    points = _hull_point(way, side) - way * rng.uniform(0.8, 2.5, (7, 1))
    radii = radius_mm * np.linspace(0.6, 1.0, 7)[:, None]
    return _tapered(_curve(rng, np.hstack([points, radii]), 0.0), start=True, stop=False)


def _sulcal_vessels(brain: Brain, rng: np.random.Generator) -> list[Line]:
    """Vessels that wind along the sulci, of differing length, calibre and brightness."""
    side = np.repeat([-1.0, 1.0], _SULCAL_VESSELS // 2)
    direction = rng.normal(0, 1, (len(side), 3))
    direction[:, 0] = np.abs(direction[:, 0]) * side
    direction[:, 2] += 0.35
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    half = len(side) // 2
    hull = np.concatenate([_hull_point(direction[:half], -1.0), _hull_point(direction[half:], 1.0)])
    lines: list[Line] = []
    for path in sulcal_paths(brain, rng, hull - 6 * direction):
        kept = path[10 : int(rng.integers(45, len(path))) : 4]
        radius = rng.choice([0.55, 0.7, 0.9, 1.2, 1.5], p=[0.28, 0.34, 0.26, 0.1, 0.02])
        radii = np.linspace(1.1, 0.8, len(kept))[:, None] * radius
        curve = _tapered(_curve(rng, np.hstack([kept, radii]), 0.0), start=True, stop=True)
        # Most small vessels are fainter than a lesion, some as bright.
        lines.append((curve, 1.25 + 0.7 * float(rng.beta(1.2, 2.0))))
    return lines
