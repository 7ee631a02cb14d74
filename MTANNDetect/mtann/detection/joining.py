"""Joining the pieces of one lesion into one candidate.

The rim of a necrotic tumour, or the patches of one that enhances here and there, answer in pieces with valleys between
them. So do two lesions that touch. What tells them apart is the shape of the whole: two or three balls that touch fill
most of their convex hull, the pieces of a rim do not, or they close round a hole.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.sparse.csgraph import connected_components
from scipy.spatial import ConvexHull

from mtann.detection.measure import extreme_corners
from mtann.detection.peaks import Peak
from mtann.detection.region import Box, Index, Region, Surroundings, component, hull, within
from mtann.geometry import FloatArray, Geometry
from mtann.progress import Run

FloatVolume = npt.NDArray[np.float32]
LabelVolume = npt.NDArray[np.uint16]

NOTHING_JOINED = 1.0
_REACH_MM = 20.0
"""How far from a piece the next piece may lie. A larger lesion is joined piece by piece."""
_SOLID = 0.5
"""What fills more of its convex hull is no rim: two balls that touch fill 0.7 to 0.8 of theirs, three 0.58 to 0.74."""


@dataclass(frozen=True)
class Piece:
    """A candidate as it was outlined.

    Attributes:
        peak: Where and how strongly it was found.
        start: Its voxel of the highest likelihood, on the image's grid.
        place_lps_mm: Its peak's place.
    """

    peak: Peak
    start: Index
    place_lps_mm: FloatArray


def join_pieces(
    labels: LabelVolume,
    pieces: Sequence[Piece],
    likelihood: FloatVolume,
    geometry: Geometry,
    fraction: float,
    run: Run,
) -> tuple[LabelVolume, list[Peak]]:
    """Join candidates that are pieces of one lesion.

    Two are connected where the likelihood between them stays above a fraction of the weaker one's peak. Those that are
    connected, one by one, become one candidate if together they close round a hole or are far from convex; its outline
    is that of all its pieces, with holes filled.

    Args:
        labels: Value k is the k-th piece; changed where pieces are joined.
        pieces: The candidates.
        likelihood: On the image's grid (z, y, x).
        geometry: That grid.
        fraction: Of the weaker one's peak; 1 joins nothing.
        run: Cancellation.

    Returns:
        The label map with new values, and a peak for each: of joined ones that of the highest score.

    Raises:
        CancelledError: The user asked to stop.
    """
    peaks = [piece.peak for piece in pieces]
    if fraction >= NOTHING_JOINED or len(pieces) < 2:
        return labels, peaks
    boxes = ndimage.find_objects(labels, max_label=len(pieces))
    gone: set[int] = set()
    for group in _groups(labels, pieces, likelihood, geometry, fraction, run):
        run.check()
        joined = _whole(labels, group, boxes)
        level = fraction * min(_strength(pieces[number], likelihood) for number in group)
        above = likelihood[joined.box] > level
        # Without holes that were filled when a piece was outlined, and with what lies between the pieces.
        closed = replace(joined, outline=joined.free & above)
        if not (closed.is_ring or _solidity(replace(joined, outline=joined.outline & above), geometry) < _SOLID):
            continue
        best = max(group, key=lambda number: peaks[number].score)
        holes = closed.filled & ~closed.outline
        labels[joined.box][(joined.outline | holes) & joined.free] = best + 1
        gone |= set(group) - {best}
    kept = [number for number in range(len(pieces)) if number not in gone]
    return _renumbered(labels, kept, len(pieces)), [peaks[number] for number in kept]


def _groups(
    labels: LabelVolume,
    pieces: Sequence[Piece],
    likelihood: FloatVolume,
    geometry: Geometry,
    fraction: float,
    run: Run,
) -> list[list[int]]:
    """The sets of two and more pieces that are connected, one by one."""
    values = np.array([_strength(piece, likelihood) for piece in pieces])
    connected = np.eye(len(pieces), dtype=bool)
    for number, piece in enumerate(pieces):
        run.check()
        around = Surroundings(geometry, piece.place_lps_mm, _REACH_MM)
        owners = labels[around.box]
        if np.isin(owners, (0, number + 1)).all():
            continue
        above = (likelihood[around.box] > fraction * values[number]) & (around.distance_mm <= _REACH_MM)
        reached = np.unique(owners[component(above, within(piece.start, around.box))]).astype(int) - 1
        reached = reached[reached >= 0]
        connected[number, reached[values[reached] >= values[number]]] = True
    _, group_of = connected_components(connected, directed=False)
    groups = [np.flatnonzero(group_of == group).tolist() for group in np.unique(group_of)]
    return [group for group in groups if len(group) > 1]


def _strength(piece: Piece, likelihood: FloatVolume) -> float:
    """A piece's highest likelihood; of one found in a hollow between responses, their mean."""
    return max(float(likelihood[piece.start]), piece.peak.score)


def _whole(labels: LabelVolume, group: Sequence[int], boxes: Sequence[Box | None]) -> Region:
    """The outlines of a group's pieces."""
    found = [box for number in group if (box := boxes[number]) is not None]
    box = reduce(hull, found)
    own = np.isin(labels[box], [number + 1 for number in group])
    return Region(own, own | (labels[box] == 0), box)


def _solidity(region: Region, geometry: Geometry) -> float:
    """The share of its convex hull that a region fills."""
    corners = extreme_corners(np.argwhere(region.outline), geometry)
    filled_mm3 = np.count_nonzero(region.outline) * geometry.voxel_volume_mm3
    return float(filled_mm3 / ConvexHull(corners).volume)


def _renumbered(labels: LabelVolume, kept: Sequence[int], count: int) -> LabelVolume:
    values = np.zeros(count + 1, dtype=labels.dtype)
    values[[number + 1 for number in kept]] = np.arange(1, len(kept) + 1)
    return values[labels]
