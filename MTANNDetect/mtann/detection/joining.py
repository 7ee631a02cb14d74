"""Joining the pieces of one lesion into one candidate.

The rim of a necrotic tumour, or the patches of one that enhances here and there, answer in pieces with valleys between
them. So do two lesions that touch, and vessels. What tells them apart is the shape of the whole: two or three balls
that touch fill most of their convex hull; the pieces of a rim do not, or they close round a hole, and they lie round a
middle, where vessels run past it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.sparse.csgraph import connected_components
from scipy.spatial import ConvexHull

from mtann.detection.measure import extreme_corners
from mtann.detection.peaks import Peak
from mtann.detection.region import Index, Region, Surroundings, component, hull, within
from mtann.detection.surrounding import circle_through
from mtann.geometry import FloatArray, Geometry
from mtann.progress import Run

FloatVolume = npt.NDArray[np.float32]
LabelVolume = npt.NDArray[np.uint16]
BoolMatrix = npt.NDArray[np.bool_]

NOTHING_JOINED = 1.0
_REACH_MM = 20.0
"""How far from a piece the next piece may lie. A larger lesion is joined piece by piece. A piece of a coarser scale
reaches as far as that, since its outline may start so far from its peak."""
_SOLID = 0.5
"""What fills more of its convex hull is no rim: two balls that touch fill 0.7 to 0.8 of theirs, three 0.58 to 0.74."""
_LOOSE = 0.1
"""What fills less of it is a web of vessels: those that were chained filled 0.03 to 0.05. A shell a tenth as thick as
wide of which half answers fills 0.2."""
_CLOSER = 1.25
"""Where a set is no lesion, it is sought among its pieces that are connected at so many times the fraction."""
_MANY = 500
"""So many places of a piece, or a little more, show its shape."""


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
    connected, one by one, become one candidate if together they close round a hole or are far from convex, and lie
    round their middle; its outline is that of all its pieces, with holes filled. If they do not, the largest part is
    joined that does so once one piece is left out, as a rim without the vessel that it touches; or else parts that are
    connected more closely.

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
    gone: set[int] = set()
    joining = _Joining(labels, pieces, likelihood, geometry, fraction, run)
    for group in joining.lesions():
        best = max(group, key=lambda number: peaks[number].score)
        joining.write(group, best + 1)
        gone |= set(group) - {best}
    kept = [number for number in range(len(pieces)) if number not in gone]
    return _renumbered(labels, kept, len(pieces)), [peaks[number] for number in kept]


class _Joining:
    """Which pieces of a case belong together."""

    def __init__(
        self,
        labels: LabelVolume,
        pieces: Sequence[Piece],
        likelihood: FloatVolume,
        geometry: Geometry,
        fraction: float,
        run: Run,
    ) -> None:
        self._labels, self._likelihood, self._geometry = labels, likelihood, geometry
        self._pieces, self._fraction, self._run = pieces, fraction, run
        self._strengths = np.array([_strength(piece, likelihood) for piece in pieces])
        self._boxes = ndimage.find_objects(labels, max_label=len(pieces))

    def lesions(self) -> Iterator[list[int]]:
        """The sets of two and more pieces that are one lesion each."""
        waiting = [([number for number, box in enumerate(self._boxes) if box is not None], self._fraction)]
        while waiting:
            self._run.check()
            numbers, fraction = waiting.pop()
            connected = self._connections(numbers, fraction)
            for group in _parts(numbers, connected):
                lesion = self._lesion_in(group, connected)
                if lesion:
                    yield lesion
                rest = sorted(set(group) - set(lesion))
                # What a lesion is taken from may hold another; of a set that holds none, closer parts are tried.
                closer = fraction if lesion else fraction * _CLOSER
                if len(rest) > 1 and closer < NOTHING_JOINED:
                    waiting.append((rest, closer))

    def write(self, group: Sequence[int], value: int) -> None:
        """Write the outline of a group into the label map, with the holes that it closes round."""
        joined, closed = self._whole(group)
        holes = closed.filled & ~closed.outline
        self._labels[joined.box][(joined.outline | holes) & joined.free] = value

    def _connections(self, numbers: Sequence[int], fraction: float) -> BoolMatrix:
        """Between which of some pieces the likelihood stays above a fraction of the weaker one's peak."""
        connected = np.zeros((len(self._pieces),) * 2, dtype=bool)
        for number in numbers:
            self._run.check()
            piece, strength = self._pieces[number], self._strengths[number]
            around = Surroundings(self._geometry, piece.place_lps_mm, max(_REACH_MM, piece.peak.scale_mm))
            owners = self._labels[around.box]
            if np.isin(owners, (0, number + 1)).all():
                continue
            above = self._likelihood[around.box] > fraction * strength
            inside = component(above & (around.distance_mm <= around.reach_mm), within(piece.start, around.box))
            reached = np.unique(owners[inside]).astype(int) - 1
            reached = reached[(reached >= 0) & (self._strengths[reached] >= strength)]
            connected[number, reached] = True
        return connected

    def _lesion_in(self, group: Sequence[int], connected: BoolMatrix) -> list[int]:
        """A connected group or, if it is no lesion, the largest lesion that it holds without one of its pieces."""
        if self._is_lesion(group):
            return list(group)
        found: list[int] = []
        for number in group:
            self._run.check()
            for part in _parts([other for other in group if other != number], connected):
                if len(part) > len(found) and self._is_lesion(part):
                    found = part
        return found

    def _is_lesion(self, group: Sequence[int]) -> bool:
        """Whether pieces lie round a middle, and close round a hole or are far from convex."""
        if not circle_through(np.concatenate([self._places[number] for number in group])).is_surrounded:
            return False
        joined, closed = self._whole(group)
        above = self._likelihood[joined.box] > self._level(group)
        solidity = _solidity(replace(joined, outline=joined.outline & above), self._geometry)
        return solidity >= _LOOSE and (solidity < _SOLID or closed.is_ring)

    @cached_property
    def _places(self) -> list[FloatArray]:
        """Some places (n, 3) of each piece's outline."""
        found = []
        for number, box in enumerate(self._boxes):
            start = [part.start for part in box or ()]
            voxels = np.argwhere(self._labels[box] == number + 1) + start if box else np.zeros((0, 3))
            found.append(self._geometry.lps_from_index(voxels[:: 1 + len(voxels) // _MANY]))
        return found

    def _level(self, group: Sequence[int]) -> float:
        return self._fraction * float(self._strengths[list(group)].min())

    def _whole(self, group: Sequence[int]) -> tuple[Region, Region]:
        """The outlines of a group's pieces, and what closes round a hole with what lies between them.

        The second is without holes that were filled when a piece was outlined.
        """
        box = reduce(hull, [self._boxes[number] for number in group])
        own = np.isin(self._labels[box], [number + 1 for number in group])
        joined = Region(own, own | (self._labels[box] == 0), box)
        return joined, replace(joined, outline=joined.free & (self._likelihood[box] > self._level(group)))


def _parts(group: Sequence[int], connected: BoolMatrix) -> list[list[int]]:
    """The parts of a group that are connected, one by one, and have two and more pieces."""
    numbers = np.array(group, dtype=int)
    _, part_of = connected_components(connected[np.ix_(numbers, numbers)], directed=False)
    parts = [numbers[part_of == part].tolist() for part in np.unique(part_of)]
    return [part for part in parts if len(part) > 1]


def _strength(piece: Piece, likelihood: FloatVolume) -> float:
    """A piece's highest likelihood; of one found in a hollow between responses, their mean."""
    return max(float(likelihood[piece.start]), piece.peak.score)


def _solidity(region: Region, geometry: Geometry) -> float:
    """The share of its convex hull that a region fills."""
    corners = extreme_corners(np.argwhere(region.outline), geometry)
    filled_mm3 = np.count_nonzero(region.outline) * geometry.voxel_volume_mm3
    return float(filled_mm3 / ConvexHull(corners).volume)


def _renumbered(labels: LabelVolume, kept: Sequence[int], count: int) -> LabelVolume:
    values = np.zeros(count + 1, dtype=labels.dtype)
    values[[number + 1 for number in kept]] = np.arange(1, len(kept) + 1)
    return values[labels]
