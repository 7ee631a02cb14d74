"""Outlines of two origins on one voxel grid: how much they share."""

import numpy as np
from scipy import ndimage

from mtann.errors import CasesError
from mtann.geometry import TOLERANCE_MM, Triple
from mtann.volume import Volume

NEIGHBOURS_18 = ndimage.generate_binary_structure(3, 2)
_WORST_OFFSET = 0.01
_THICK = 2.0
"""Slices thicker than this many times a pixel rarely show the caps that would close a rim above and below."""


def voxel_count(outline: Volume) -> int:
    """How many voxels lie within an outline."""
    return int(np.count_nonzero(outline.array))


def shared_voxels(first: Volume, second: Volume) -> int:
    """How many voxels lie within both outlines, each cropped from the same grid.

    Raises:
        CasesError: They are of different grids.
    """
    offset = grid_offset(first, second)
    low = np.maximum(offset, 0)
    high = np.minimum(offset + np.array(first.array.shape), second.array.shape)
    if np.any(high <= low):
        return 0
    theirs = second.array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    ours = first.array[tuple(slice(a, b) for a, b in zip(low - offset, high - offset, strict=True))]
    return int(np.count_nonzero((ours != 0) & (theirs != 0)))


def in_a_hole(place_lps_mm: Triple, outline: Volume) -> bool:
    """Whether a place lies in a hole of an outline, as the dark core of a lesion of which only the rim is outlined.

    A hole is enclosed on all sides (6 neighbours). Of an outline in a single slice, or in thick slices, along whichever
    axis, it is one that is enclosed within its slice (4 neighbours).
    """
    inside = outline.array != 0
    place = np.round(outline.geometry.index_from_lps(place_lps_mm)).astype(np.int64)
    if np.any(place < 0) or np.any(place >= inside.shape) or inside[tuple(place)]:
        return False
    spacing = outline.geometry.spacing_zyx_mm
    for axis in range(3):
        occupied = np.count_nonzero(inside.any(axis=tuple({0, 1, 2} - {axis})))
        if occupied == 1 or spacing[axis] > _THICK * min(spacing):
            slice_filled = ndimage.binary_fill_holes(inside.take(place[axis], axis))
            if slice_filled[tuple(np.delete(place, axis))]:
                return True
    return bool(ndimage.binary_fill_holes(inside)[tuple(place)])


def dilated(outline: Volume, voxels: int) -> Volume:
    """An outline grown by some voxels of 18 neighbours."""
    if not voxels:
        return outline
    array = ndimage.binary_dilation(np.pad(outline.array != 0, voxels), NEIGHBOURS_18, iterations=voxels)
    shape = np.array(outline.array.shape)
    geometry = outline.geometry.cropped([-voxels] * 3, (shape + voxels).tolist())
    return Volume(array.astype(np.uint8), geometry, outline.name)


def grid_offset(first: Volume, second: Volume) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Where the first outline's first voxel lies in the second's array.

    Raises:
        CasesError: They are of different grids.
    """
    ours, theirs = first.geometry, second.geometry
    alike = np.allclose(ours.spacing_xyz_mm, theirs.spacing_xyz_mm, atol=TOLERANCE_MM) and np.allclose(
        ours.direction, theirs.direction, atol=1e-4
    )
    exact = theirs.index_from_lps(ours.origin_lps_mm)
    offset = np.round(exact).astype(np.int64)
    if not alike or np.abs(exact - offset).max() > _WORST_OFFSET:
        raise CasesError(
            f"'{first.name}' and '{second.name}' lie on different voxel grids, so their voxels cannot be compared. "
            "Resample one onto the other's grid, or use the criterion centre or luna16 and leave the voxel level out."
        )
    return offset
