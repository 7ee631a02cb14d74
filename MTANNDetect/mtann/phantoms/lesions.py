"""The lesions of a synthetic head: their shapes, known analytically, and where they are put."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from mtann.geometry import Triple
from mtann.phantoms.brain import Brain, fissure_depth, outline, ventricle_depth
from mtann.phantoms.fields import FloatArray
from mtann.phantoms.sulcal_walk import as_coordinates
from mtann.phantoms.tissue import fluid_depth
from mtann.phantoms.vessels import Tube

LesionKind = Literal["solid", "ring", "lobulated"]

NUMBER = 8
_BASE_DIAMETERS_MM = (3.1, 5.2, 6.5, 7.9, 9.4, 11.0, 12.8, 14.7)
_MIN_GAP_MM = 4.5
_VESSEL_CLEARANCE_MM = 2.0
_SMALL_MM = 8.0
"""Lesions below this lie within grey or white matter, as metastases do; larger ones may push sulci aside."""
_CLEARANCE_MM = 1.8
"""Tissue left between a lesion and the ventricles or the brain's surface."""


def sphere_directions(count: int) -> FloatArray:
    """Unit vectors (count, 3) spread evenly over the sphere (Fibonacci lattice)."""
    k = np.arange(count) + 0.5
    z = 1 - 2 * k / count
    angle = np.pi * (1 + 5**0.5) * k
    ring = np.sqrt(1 - z * z)
    return np.stack([ring * np.cos(angle), ring * np.sin(angle), z], axis=1)


_DIRECTIONS = sphere_directions(2000)


@dataclass(frozen=True)
class LesionShape:
    """A star-shaped lesion about the origin, with its centroid there.

    Attributes:
        diameter_mm: Diameter of the sphere of the same volume.
        axes: 3x3 matrix that takes offsets from its ellipsoid to a ball, up to scale.
        lobe_directions: Unit vectors (n, 3) towards which it bulges.
        lobe_sizes: How far it bulges, relative to its radius.
    """

    diameter_mm: float
    axes: FloatArray
    lobe_directions: FloatArray
    lobe_sizes: FloatArray

    def depth(self, offsets_mm: FloatArray) -> FloatArray:
        """Signed depth (mm, to first order) at offsets (..., 3) from the centroid."""
        scale, shift = self._fit
        moved = offsets_mm + shift * scale
        distance = np.linalg.norm(moved, axis=-1)
        return np.asarray(scale * self._profile(moved / np.maximum(distance, 1e-9)[..., None]) - distance)

    @cached_property
    def extent_mm(self) -> float:
        """Largest distance of the surface from the centroid."""
        scale, shift = self._fit
        return float(scale * np.linalg.norm(_DIRECTIONS * self._profile(_DIRECTIONS)[:, None] - shift, axis=1).max())

    @cached_property
    def surface_mm(self) -> FloatArray:
        """Points (n, 3) of the surface, as offsets from the centroid."""
        scale, shift = self._fit
        return np.asarray(scale * (_DIRECTIONS * self._profile(_DIRECTIONS)[:, None] - shift)[::8])

    @cached_property
    def _fit(self) -> tuple[float, FloatArray]:
        """Scale that gives the diameter, and the raw shape's centroid; integrals over all directions."""
        radius = self._profile(_DIRECTIONS)
        mean_cube = float(np.mean(radius**3))
        shift = np.mean(_DIRECTIONS * radius[:, None] ** 4, axis=0) * 0.75 / mean_cube
        return self.diameter_mm / 2 / mean_cube ** (1 / 3), np.asarray(shift)

    def _profile(self, directions: FloatArray) -> FloatArray:
        radius = 1 / np.linalg.norm(directions @ self.axes.T, axis=-1)
        for lobe, size in zip(self.lobe_directions, self.lobe_sizes, strict=True):
            radius = radius * (1 + size * np.exp(5 * (directions @ lobe - 1)))
        return np.asarray(radius)


@dataclass(frozen=True)
class PlacedLesion:
    """A lesion's shape, place and look.

    Attributes:
        label: 1 upwards.
        shape: Its shape about its centroid.
        centre_lps_mm: Its centroid in the world.
        kind: What it looks like.
        touches_vessel: Whether a vessel runs along its surface.
        brightness: Of its enhancing part, white matter 1.
        core: For rings: brightness of the core and its radius as a share of the lesion's.
    """

    label: int
    shape: LesionShape
    centre_lps_mm: Triple
    kind: LesionKind
    touches_vessel: bool
    brightness: float
    core: tuple[float, float]


def place_lesions(brain: Brain, tubes: list[Tube], rng: np.random.Generator) -> tuple[PlacedLesion, ...]:
    """Eight lesions of 3 to 15 mm in the tissue, two of them touching a vessel, numbered at random."""
    diameters = np.array(_BASE_DIAMETERS_MM) * rng.uniform(0.96, 1.04, NUMBER)
    touching = set(rng.choice(np.arange(1, NUMBER - 1), 2, replace=False).tolist())
    order = rng.permutation(NUMBER)
    ground = _Ground(brain, tubes, rng)
    placed: list[PlacedLesion] = []
    # The largest first, while there is room.
    for k in reversed(range(NUMBER)):
        kind, shape = _random_shape(rng, float(diameters[k]))
        centre = ground.place(shape, k in touching)
        # Small lesions are seen only if they enhance well; blurring takes some of it again.
        brightness = float(rng.uniform(1.85, 2.1) if diameters[k] < 6 else rng.uniform(1.5, 1.95))
        core = (float(rng.uniform(0.45, 0.75)), float(rng.uniform(0.5, 0.68)))
        x, y, z = centre.tolist()
        placed.append(PlacedLesion(int(order[k]) + 1, shape, (x, y, z), kind, k in touching, brightness, core))
    return tuple(sorted(placed, key=lambda lesion: lesion.label))


def _random_shape(rng: np.random.Generator, diameter_mm: float) -> tuple[LesionKind, LesionShape]:
    kinds: tuple[LesionKind, ...] = (
        ("solid", "lobulated") if diameter_mm < 8 else ("solid", "ring", "ring", "lobulated")
    )
    kind = kinds[int(rng.integers(len(kinds)))]
    rotation, _ = np.linalg.qr(rng.normal(0, 1, (3, 3)))
    # The smallest lesions keep near the sphere: on a voxel grid their shape is lost anyhow.
    stretch = 0.07 if diameter_mm < 5 else 0.16
    axes = np.diag(np.exp(rng.uniform(-stretch, stretch, 3))) @ rotation
    lobes = rng.normal(0, 1, (3 if kind == "lobulated" else 2, 3))
    lobes /= np.linalg.norm(lobes, axis=1, keepdims=True)
    size = 0.35 if kind == "lobulated" and diameter_mm >= 5 else 0.08
    return kind, LesionShape(diameter_mm, axes, lobes, rng.uniform(0.5, 1.0, len(lobes)) * size)


class _Ground:
    """Where lesions can still go."""

    def __init__(self, brain: Brain, tubes: list[Tube], rng: np.random.Generator) -> None:
        self._brain, self._rng = brain, rng
        self._vessels = np.concatenate([tube.points_lps_mm for tube in tubes])
        self._radii = np.concatenate([tube.radii_mm for tube in tubes])
        self._taken: list[tuple[FloatArray, float]] = []

    def place(self, shape: LesionShape, touching: bool) -> FloatArray:
        """Centre (x, y, z) of a place for the shape, which is then taken.

        Raises:
            RuntimeError: There is no room, which does not happen with a brain's volume and these sizes.
        """
        for _ in range(60):
            centres = self._beside_vessels(shape) if touching else self._anywhere()
            for centre in self._free(centres, shape)[:40]:
                if self._fits(centre, shape, touching):
                    self._taken.append((centre, shape.extent_mm))
                    return np.asarray(centre)
        raise RuntimeError(f"No place for a lesion of {shape.diameter_mm:.1f} mm in the synthetic brain.")

    def _anywhere(self) -> FloatArray:
        return np.asarray(self._rng.uniform([-64, -80, -58], [64, 80, 62], (300, 3)))

    def _beside_vessels(self, shape: LesionShape) -> FloatArray:
        """Centres such that a vessel's wall lies about 0.6 mm inside the lesion's surface."""
        chosen = self._rng.integers(len(self._vessels), size=300)
        surface = shape.surface_mm[self._rng.integers(len(shape.surface_mm), size=300)]
        length = np.linalg.norm(surface, axis=1, keepdims=True)
        return np.asarray(self._vessels[chosen] - surface / length * (length + self._radii[chosen, None] - 0.6))

    def _free(self, centres: FloatArray, shape: LesionShape) -> FloatArray:
        """The centres that are deep enough in tissue and far enough from the other lesions."""
        depth, ventricles = self._depths(centres)
        half = shape.diameter_mm / 2
        good = (depth > 0.8 * half + _CLEARANCE_MM) & (ventricles < -0.8 * half - _CLEARANCE_MM)
        for other, extent in self._taken:
            good &= np.linalg.norm(centres - other, axis=1) > extent + shape.extent_mm + _MIN_GAP_MM
        return np.asarray(centres[good])

    def _fits(self, centre: FloatArray, shape: LesionShape, touching: bool) -> bool:
        if shape.diameter_mm < _SMALL_MM and self._fluid(centre) > -shape.diameter_mm / 2:
            return False
        depth, ventricles = self._depths(centre + shape.surface_mm)
        if depth.min() < _CLEARANCE_MM or ventricles.max() > -_CLEARANCE_MM:
            return False
        gap = vessel_gap_mm(shape, centre, self._vessels, self._radii)
        return -1.2 < gap < -0.3 if touching else gap > _VESSEL_CLEARANCE_MM

    def _fluid(self, centre: FloatArray) -> float:
        """Depth of a point in the fluid of sulci and fissures; negative in tissue."""
        coordinates = as_coordinates(self._brain.to_template(centre[None]))
        variation = self._brain.gradual.at(centre[None]).astype(np.float32)
        return float(fluid_depth(self._brain, coordinates, outline(coordinates), variation)[0])

    def _depths(self, points_lps_mm: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Depth in cerebral or cerebellar tissue, and in the ventricles."""
        coordinates = as_coordinates(self._brain.to_template(points_lps_mm))
        shape = outline(coordinates)
        # A lesion may lie close to a great fissure but not bridge it.
        tissue = np.minimum(np.maximum(shape.cerebrum, shape.cerebellum), 1.2 - fissure_depth(coordinates))
        return tissue.astype(np.float64), ventricle_depth(coordinates, self._brain.ventricle_size).astype(np.float64)


def vessel_gap_mm(shape: LesionShape, centre: npt.ArrayLike, vessels_lps_mm: FloatArray, radii_mm: FloatArray) -> float:
    """Smallest distance between the lesion's surface and a vessel's wall; negative where they overlap."""
    offsets = vessels_lps_mm - np.asarray(centre)
    near = np.linalg.norm(offsets, axis=1) < shape.extent_mm + 8
    if not near.any():
        return 8.0
    return float((-shape.depth(offsets[near]) - radii_mm[near]).min())
