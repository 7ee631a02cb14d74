"""Connected regions of a volume, in the block about the place that they grow from."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mtann.geometry import FloatArray, Geometry

BoolVolume = npt.NDArray[np.bool_]
Index = tuple[int, ...]
Box = tuple[slice, ...]

_RING_SHARE = 1.1
"""A ring closes round a hole that adds a tenth to it."""
_CONNECTIVITY_26 = np.ones((3, 3, 3), dtype=bool)


@dataclass(frozen=True)
class Region:
    """A connected region in a block of a volume.

    Attributes:
        outline: Its voxels, holes left open.
        free: Those of the block's voxels that no other region has taken.
        box: The block's place in the volume.
    """

    outline: BoolVolume = field(repr=False)
    free: BoolVolume = field(repr=False)
    box: Box

    @property
    def touches_others(self) -> bool:
        """Whether another region is next to it (26 neighbours)."""
        return not self.free[ndimage.binary_dilation(self.outline, _CONNECTIVITY_26)].all()

    @cached_property
    def filled(self) -> BoolVolume:
        """Its voxels with holes filled; in an image of one slice, within the slice."""
        if 1 not in self.outline.shape:
            return np.asarray(ndimage.binary_fill_holes(self.outline))
        axis = self.outline.shape.index(1)
        return np.asarray(np.expand_dims(ndimage.binary_fill_holes(self.outline.squeeze(axis)), axis))

    @property
    def is_ring(self) -> bool:
        """Whether it closes round a hole of some size."""
        return bool(np.count_nonzero(self.filled) > _RING_SHARE * np.count_nonzero(self.outline))


class Surroundings:
    """The block of voxels about a place.

    Args:
        geometry: The volume's grid.
        place_lps_mm: The place.
        reach_mm: How far the surroundings reach.

    Attributes:
        reach_mm: As given.
        box: The block.
        distance_mm: Each voxel's distance from the place.
        neighbours: Which voxels are next to the place.
    """

    def __init__(self, geometry: Geometry, place_lps_mm: FloatArray, reach_mm: float) -> None:
        spacing = np.array(geometry.spacing_zyx_mm)
        centre = np.clip(geometry.index_from_lps(place_lps_mm), 0, np.array(geometry.shape_zyx) - 1)
        low = np.maximum(np.floor(centre - reach_mm / spacing), 0).astype(int)
        high = np.minimum(np.ceil(centre + reach_mm / spacing).astype(int) + 1, geometry.shape_zyx)
        steps = [np.abs(np.arange(a, b) - c) for a, b, c in zip(low, high, centre, strict=True)]
        z, y, x = np.ix_(*steps)
        dz, dy, dx = spacing
        self.reach_mm = reach_mm
        self.box: Box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
        self.distance_mm = np.sqrt((z * dz) ** 2 + (y * dy) ** 2 + (x * dx) ** 2)
        self.neighbours = (z < 1) & (y < 1) & (x < 1)
        self._geometry = geometry
        self._place_lps_mm = place_lps_mm

    def widened(self, reach_mm: float) -> "Surroundings":
        """The surroundings of the same place that reach further."""
        return Surroundings(self._geometry, self._place_lps_mm, reach_mm)

    def end_is_met_by(self, outline: BoolVolume) -> bool:
        """Whether a region comes within a voxel of where the surroundings end."""
        return bool(self.distance_mm[outline].max() >= self.reach_mm - max(self._geometry.spacing_zyx_mm))


def component(part: BoolVolume, start: Index) -> BoolVolume:
    """The connected part (26 neighbours) of a block's true voxels that holds the start, which always counts."""
    part = part.copy()
    part[start] = True
    components, _ = ndimage.label(part, structure=_CONNECTIVITY_26)
    return np.asarray(components == components[start])


def hull(first: Box, second: Box) -> Box:
    """The smallest block that holds both."""
    return tuple(slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(first, second, strict=True))


def within(index: Index, box: Box) -> Index:
    """A voxel of the volume as one of a box."""
    return tuple(i - part.start for i, part in zip(index, box, strict=True))


def whole(index: Index, box: Box) -> Index:
    """A voxel of a box as one of the volume."""
    return tuple(i + part.start for i, part in zip(index, box, strict=True))
