"""Where a lesion goes: within tissue, and clear of other lesions."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree

from mtann.geometry import FloatArray, Geometry
from mtann.preprocess.grid import resample_mask
from mtann.sampling.lesions import Lesion
from mtann.synthetic.paint import Box, Canvas, PlacedShape, crop, grid_box, outline_on
from mtann.synthetic.recipe import LesionRecipe
from mtann.synthetic.shape import LesionShape
from mtann.synthetic.tissue import BoolVolume

_TRIES = 400
_BATCH = 40
_BESIDE_MM = 6.0
_POINT_RADIUS_MM = 4.0
"""Of an annotated lesion that is a mere point."""
_VESSEL_DEVIATIONS = 6.0
_AT_WALL = (0.5, 0.95)
"""How far from the wall the middle of an attached lesion is, in radii."""


@dataclass(frozen=True)
class Placed:
    """A lesion at its place: its outline within the tissue (z, y, x), in a box of the first channel's grid."""

    lesion: PlacedShape
    box: Box
    outline: BoolVolume = field(repr=False)


def lesion_voxels(lesion: Lesion, geometry: Geometry) -> tuple[Box, BoolVolume] | None:
    """The voxels of a grid that an annotated lesion takes, in a box; None if it misses the grid.

    A lesion that is a mere point without a radius is taken as a ball of 4 mm.
    """
    middle, half_mm = np.array(lesion.centre_lps_mm), lesion.radius_mm or _POINT_RADIUS_MM
    if lesion.outline is not None:
        own = lesion.outline.geometry
        middle = own.lps_from_index((np.array(own.shape_zyx) - 1) / 2)
        half_mm = float(np.linalg.norm(np.array(own.shape_zyx) * own.spacing_zyx_mm)) / 2
    x, y, z = middle.tolist()
    box = grid_box(geometry, (x, y, z), half_mm)
    if box is None:
        return None
    part = crop(geometry, box)
    if lesion.outline is not None:
        return box, resample_mask(lesion.outline, part)
    points = part.lps_from_index(np.moveaxis(np.indices(part.shape_zyx), 0, -1))
    return box, np.asarray(np.linalg.norm(points - middle, axis=-1) <= half_mm)


def add_lesions(labels: npt.NDArray[np.uint8], lesions: Sequence[Lesion], geometry: Geometry) -> npt.NDArray[np.uint16]:
    """A label map (z, y, x) with annotated lesions added, each with the next value."""
    full = labels.astype(np.uint16)
    for value, lesion in enumerate(lesions, start=int(labels.max()) + 1):
        found = lesion_voxels(lesion, geometry)
        if found is not None:
            full[found[0]][found[1]] = value
    return full


class Ground:
    """Where lesions can still go in an image.

    Args:
        canvas: The first channel, before any lesion was painted; its tissue is where lesions may be.
        recipe: Distances and shares to keep.
        taken: Voxels of annotated lesions.
    """

    def __init__(self, canvas: Canvas, recipe: LesionRecipe, taken: BoolVolume) -> None:
        self._geometry, self._recipe, self._inside = canvas.geometry, recipe, canvas.tissue
        self._solid = canvas.tissue.copy()
        levels = canvas.levels
        if recipe.fluid_deviations is not None:
            self._solid &= canvas.array >= levels.median - recipe.fluid_deviations * levels.deviation
        vessel = canvas.array > levels.median + _VESSEL_DEVIATIONS * levels.deviation
        self._centres = np.flatnonzero(self._solid & ~vessel)
        self._walls = np.flatnonzero(_walls(canvas.tissue & ~vessel)) if recipe.attached else self._centres[:0]
        self._trees = [cKDTree(self._points(np.argwhere(_walls(taken))))] if taken.any() else []
        self._placed: list[Placed] = []

    @property
    def tissue_mm3(self) -> float:
        """Volume in which a lesion's middle can lie."""
        return len(self._centres) * self._geometry.voxel_volume_mm3

    def place(self, shape: LesionShape, random: np.random.Generator) -> Placed | None:
        """Find a place for a shape, which is then taken; None if there seems to be none."""
        choose = random.random()
        for _ in range(_TRIES // _BATCH):
            centres = self._proposals(shape, choose, random)
            points = centres[:, None] + shape.points_mm
            share = self._share(self._solid, points)
            good = share >= self._recipe.min_inside
            for centre, own_points in zip(centres[good], points[good], strict=True):
                placed = None if self._crowds(own_points) else self._fits(shape, centre)
                if placed is not None:
                    self._placed.append(placed)
                    self._trees.append(cKDTree(self._border(placed)))
                    return placed
        return None

    def _proposals(self, shape: LesionShape, choose: float, random: np.random.Generator) -> FloatArray:
        """Points (n, 3) in tissue, in LPS; ``choose`` (0 to 1) decides between the ways to propose."""
        recipe = self._recipe
        direction = random.standard_normal((_BATCH, 3))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        if self._placed and choose < recipe.beside:
            other = self._placed[int(random.integers(len(self._placed)))].lesion
            apart = shape.radius_mm + other.shape.radius_mm + recipe.min_gap_mm
            centres = other.centre_lps_mm + direction * (apart + random.uniform(0, _BESIDE_MM, (_BATCH, 1)))
        elif len(self._walls) and choose > 1 - recipe.attached:
            walls = self._from_flat(random.choice(self._walls, _BATCH))
            centres = walls + direction * shape.radius_mm * random.uniform(*_AT_WALL, (_BATCH, 1))
        else:
            # Anywhere within a voxel, so that lesions are not tied to the grid.
            spread = random.uniform(-0.5, 0.5, (_BATCH, 3)) * self._geometry.spacing_zyx_mm
            centres = self._from_flat(random.choice(self._centres, _BATCH)) + spread[:, ::-1] @ self._geometry.axes.T
        return np.asarray(centres[self._share(self._solid, centres[:, None]) == 1])

    def _fits(self, shape: LesionShape, centre: FloatArray) -> Placed | None:
        x, y, z = centre.tolist()
        lesion = PlacedShape(shape, (x, y, z))
        box = grid_box(self._geometry, lesion.centre_lps_mm, shape.depth.half_mm)
        if box is None:
            return None
        whole = outline_on(lesion, crop(self._geometry, box))
        outline = whole & self._inside[box]
        if not outline.any() or outline.sum() < self._recipe.min_inside * whole.sum():
            return None
        placed = Placed(lesion, box, outline)
        return None if self._crowds(self._border(placed)) else placed

    def _crowds(self, points_lps_mm: FloatArray) -> bool:
        """Whether a point (n, 3) is too near a lesion."""
        gap = self._recipe.min_gap_mm
        return any(np.isfinite(tree.query(points_lps_mm, distance_upper_bound=gap)[0]).any() for tree in self._trees)

    def _border(self, placed: Placed) -> FloatArray:
        start = [part.start for part in placed.box]
        return self._points(np.argwhere(_walls(placed.outline)) + start)

    def _share(self, where: BoolVolume, points_lps_mm: FloatArray) -> FloatArray:
        """Share of points (n, m, 3) that lie in voxels of a mask, over m."""
        index = np.round(self._geometry.index_from_lps(points_lps_mm)).astype(int)
        inside = ((index >= 0) & (index < self._geometry.shape_zyx)).all(axis=-1)
        z, y, x = np.moveaxis(np.clip(index, 0, np.array(self._geometry.shape_zyx) - 1), -1, 0)
        return np.asarray((where[z, y, x] & inside).mean(axis=1))

    def _from_flat(self, voxels: npt.NDArray[np.intp]) -> FloatArray:
        return self._points(np.stack(np.unravel_index(voxels, self._geometry.shape_zyx), axis=-1))

    def _points(self, index_zyx: npt.NDArray[np.intp]) -> FloatArray:
        return self._geometry.lps_from_index(index_zyx)


def _walls(mask: BoolVolume) -> BoolVolume:
    """The outermost voxels of a mask."""
    return np.asarray(mask & ~ndimage.binary_erosion(mask, border_value=0))
