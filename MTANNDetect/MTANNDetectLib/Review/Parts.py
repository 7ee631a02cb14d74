"""Voxels of findings that a reader adds or splits."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mtann.geometry import Geometry

BoolVolume = npt.NDArray[np.bool_]
Box = tuple[slice, ...]

_CONNECTIVITY_26 = np.ones((3, 3, 3), dtype=bool)
_LEAST_LIKELIHOOD = 0.05
_WAIST_SHARE = 0.25
"""A waist is sought where at least this share of the voxels lies on either side."""


def halves(inside: BoolVolume, geometry: Geometry) -> tuple[BoolVolume, BoolVolume]:
    """A region of two or more voxels in two: its largest connected part and the rest, or both sides of its waist.

    The waist is the plane across the longest axis that cuts fewest voxels, not too near to either end.
    """
    labels, count = ndimage.label(inside, structure=_CONNECTIVITY_26)
    if count > 1:
        sizes = np.bincount(labels.ravel())[1:]
        largest = labels == int(sizes.argmax()) + 1
        return largest, inside & ~largest
    voxels = np.argwhere(inside)
    points = geometry.lps_from_index(voxels)
    centred = points - points.mean(axis=0)
    along = centred @ np.linalg.svd(centred, full_matrices=False)[2][0]
    cut = _waist(along, max(geometry.spacing_xyz_mm))
    first, second = np.zeros_like(inside), np.zeros_like(inside)
    first[tuple(voxels[along < cut].T)] = True
    second[tuple(voxels[along >= cut].T)] = True
    return (first, second) if first.sum() >= second.sum() else (second, first)


def _waist(along: npt.NDArray[np.float64], thicknessMm: float) -> float:
    """Where to cut: the least crowded place among those that leave a quarter of the voxels on either side."""
    ordered = np.sort(along)
    low, high = np.quantile(ordered, (_WAIST_SHARE, 1 - _WAIST_SHARE))
    places = (ordered[1:] + ordered[:-1]) / 2
    # Both sides must hold a voxel, and equal places would leave one empty.
    places = places[(places > ordered[0]) & (places <= ordered[-1])]
    allowed = places[(places >= low) & (places <= high)]
    places = allowed if len(allowed) else places
    crowd = np.searchsorted(ordered, places + thicknessMm / 2) - np.searchsorted(ordered, places - thicknessMm / 2)
    # Of equally narrow places, the one nearest to the middle.
    fewest = places[crowd == crowd.min()]
    return float(fewest[np.abs(fewest - np.median(ordered)).argmin()])


def ball(geometry: Geometry, centreLpsMm: Sequence[float], radiusMm: float) -> tuple[Box, BoolVolume]:
    """The block about a place and which of its voxels lie within a radius; the nearest voxel always does."""
    centre = geometry.index_from_lps(centreLpsMm)
    reach = radiusMm / np.array(geometry.spacing_zyx_mm) + 1
    nearest = np.clip(np.round(centre).astype(int), 0, np.array(geometry.shape_zyx) - 1)
    low = np.clip(np.floor(centre - reach).astype(int), 0, nearest)
    high = np.clip(np.ceil(centre + reach).astype(int) + 1, nearest + 1, geometry.shape_zyx)
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    index = np.moveaxis(np.indices(tuple(high - low)), 0, -1) + low
    inside = np.linalg.norm(geometry.lps_from_index(index) - np.asarray(centreLpsMm), axis=-1) <= radiusMm
    inside[tuple(nearest - low)] = True
    return box, inside


def grown(
    likelihood: npt.NDArray[Any],
    geometry: Geometry,
    centreLpsMm: Sequence[float],
    radiusMm: float,
    fraction: float,
) -> tuple[Box, BoolVolume]:
    """The connected region about a place where the likelihood exceeds a fraction of its peak within the radius.

    It reaches twice as far as the radius at most; where the likelihood is nil, it is a ball of the radius.
    """
    box, near = ball(geometry, centreLpsMm, radiusMm)
    values = likelihood[box]
    peak = float(values[near].max())
    if peak < _LEAST_LIKELIHOOD:
        return box, near
    start = np.unravel_index(int(np.where(near, values, -np.inf).argmax()), near.shape)
    place = tuple(int(index) + part.start for index, part in zip(start, box, strict=True))
    box, reach = ball(geometry, centreLpsMm, 2 * radiusMm)
    labels, _count = ndimage.label(reach & (likelihood[box] >= fraction * peak), structure=_CONNECTIVITY_26)
    seed = tuple(index - part.start for index, part in zip(place, box, strict=True))
    return box, labels == labels[seed]
