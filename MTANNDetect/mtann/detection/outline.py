"""Growing candidates' outlines from their peaks, and deciding which peaks are the same lesion.

Peaks are taken strongest first. A peak within an earlier outline is the same lesion if the likelihood between the two
does not dip: below the outline fraction where the earlier candidate's size explains the later peak (within 2.5 scoring
sigmas of its peak), or by a fifth beyond that, so that a small lesion beside a large one is kept. The same lesion takes
the higher of the scores; nothing that was found is dropped.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from mtann.detection.joining import Piece, join_pieces
from mtann.detection.peaks import Peak
from mtann.detection.region import Box, Index, Region, Surroundings, component, hull, whole, within
from mtann.geometry import FloatArray, Geometry
from mtann.progress import Run
from mtann.settings import DetectionSettings

FloatVolume = npt.NDArray[np.float32]
LabelVolume = npt.NDArray[np.uint16]
BoolVolume = npt.NDArray[np.bool_]

_REACH_SCALES = 5.0
"""An outline ends this many scoring sigmas from its peak. The sigma is near half of a lesion's radius, so this is over
twice the radius; without an end, the outline of a weak candidate would run through all that is faintly like it."""
_OWN_SCALES = 2.5
"""Within this many scoring sigmas of a candidate's peak lies the candidate itself."""
_DIPS = (0.6, 0.7, 0.8)
_RING_REACHES = (2.0, 4.0)
_LARGEST_MM = 40.0
"""An outline that runs into its end is followed two and four times as far, but no further than this."""


class Outlines:
    """The label map of a case's candidates, growing one by one.

    Args:
        likelihood: On the image's grid (z, y, x).
        geometry: That grid.
        settings: Outline fraction.

    Attributes:
        labels: Value k is candidate k, counted from 1 in the order of their acceptance.
        kept: The accepted peaks, in that order.
    """

    def __init__(self, likelihood: FloatVolume, geometry: Geometry, settings: DetectionSettings) -> None:
        self.labels: LabelVolume = np.zeros(likelihood.shape, dtype=np.uint16)
        self.kept: list[Peak] = []
        self._likelihood = likelihood
        self._geometry = geometry
        self._fraction = settings.outline_fraction
        self._starts: list[Index] = []
        self._boxes: list[Box] = []
        self._places: list[FloatArray] = []

    def add(self, peak: Peak, place_lps_mm: FloatArray) -> None:
        """Take in a peak: as a new candidate, or as a part of the one whose outline it lies in.

        An outline is where the likelihood exceeds a fraction of its peak value, connected to it (26 neighbours), with
        holes filled, at most five scoring sigmas away.
        """
        around = Surroundings(self._geometry, place_lps_mm, _REACH_SCALES * peak.scale_mm)
        # On thick slices a peak may lie between two of them: those on either side are near, however far in millimetres.
        near = (around.distance_mm <= peak.scale_mm) | around.neighbours
        start = whole(_argmax(self._likelihood[around.box], near), around.box)
        owner, label = int(self.labels[start]), len(self.kept) + 1
        level = self._fraction
        if owner:
            dip = self._dip(owner, place_lps_mm, start)
            if dip is None:
                self._hand_over(owner, peak)
                return
            level, part = dip
            self.labels[self._boxes[owner - 1]][part] = label
            self._trim(owner)
        box = self._grow(peak, around, start, level, label)
        self._boxes.append(hull(box, self._boxes[owner - 1]) if owner else box)
        self.kept.append(peak)
        self._starts.append(start)
        self._places.append(place_lps_mm)

    @property
    def pieces(self) -> list[Piece]:
        """The accepted peaks with where their outlines started."""
        return [Piece(*one) for one in zip(self.kept, self._starts, self._places, strict=True)]

    def _grow(self, peak: Peak, around: Surroundings, start: Index, level: float, label: int) -> Box:
        """Write an outline into the label map; returns the block that holds it."""
        region = self._region(peak, around, start, level, label)
        if around.end_is_met_by(region.outline):
            # It may be a piece of a ring: then, further on, it closes round a hole.
            reaches = sorted({min(factor * around.reach_mm, _LARGEST_MM) for factor in _RING_REACHES})
            wider = (around.widened(reach) for reach in reaches if reach > around.reach_mm)
            further = (self._region(peak, surroundings, start, level, label) for surroundings in wider)
            region = next((region for region in further if region.is_ring), region)
        self.labels[region.box][region.filled & region.free] = label
        return region.box

    def _region(self, peak: Peak, around: Surroundings, start: Index, level: float, label: int) -> Region:
        """What is connected to a peak above a level, within some surroundings."""
        claimed, here = self.labels[around.box], within(start, around.box)
        above = self._likelihood[around.box] > level * self._likelihood[start]
        free = (claimed == 0) | (claimed == label)
        region = Region(component(above & free & (around.distance_mm <= around.reach_mm), here), free, around.box)
        if region.touches_others:
            # Beside another candidate, its faint surroundings are not this one's.
            near = around.distance_mm <= _OWN_SCALES * peak.scale_mm
            region = Region(component(above & free & near, here), free, around.box)
        return region

    def _dip(self, owner: int, place_lps_mm: FloatArray, start: Index) -> tuple[float, BoolVolume] | None:
        """Whether the likelihood dips between a peak and the candidate in whose outline it lies.

        Returns:
            The level, as a fraction of the peak's value, above which the two are apart, and the peak's part of the
            other's outline (on the other's box); None if they are one.
        """
        gap_mm = float(np.linalg.norm(place_lps_mm - self._places[owner - 1]))
        explained = gap_mm <= _OWN_SCALES * self.kept[owner - 1].scale_mm
        box = self._boxes[owner - 1]
        own, here = within(self._starts[owner - 1], box), within(start, box)
        values, mine = self._likelihood[box], self.labels[box] == owner
        for level in (self._fraction, *(() if explained else _DIPS)):
            part = component((values > level * values[here]) & mine, here)
            if not part[own]:
                return level, part
        return None

    def _hand_over(self, owner: int, peak: Peak) -> None:
        former = self.kept[owner - 1]
        if peak.score > former.score:
            self.kept[owner - 1] = replace(former, score=peak.score)

    def _trim(self, label: int) -> None:
        """Keep of an outline that lost voxels the part that its peak lies in."""
        box = self._boxes[label - 1]
        mine = self.labels[box] == label
        rest = mine & ~component(mine, within(self._starts[label - 1], box))
        self.labels[box][rest] = 0


def grow_outlines(
    likelihood: FloatVolume,
    geometry: Geometry,
    peaks: Sequence[Peak],
    peaks_lps_mm: FloatArray,
    settings: DetectionSettings,
    run: Run,
) -> tuple[LabelVolume, list[Peak]]:
    """Outline peaks one after the other, strongest first.

    Args:
        likelihood: On the image's grid (z, y, x).
        geometry: That grid.
        peaks: Strongest first.
        peaks_lps_mm: Their places (n, 3).
        settings: Outline fraction, how many candidates are kept, and which are joined.
        run: Cancellation.

    Returns:
        A label map in which value k is the k-th kept peak, and the kept peaks.

    Raises:
        CancelledError: The user asked to stop.
    """
    outlines = Outlines(likelihood, geometry, settings)
    for peak, place in zip(peaks, peaks_lps_mm, strict=True):
        run.check()
        if len(outlines.kept) == settings.max_candidates:
            break
        outlines.add(peak, place)
    return join_pieces(outlines.labels, outlines.pieces, likelihood, geometry, settings.join_fraction, run)


def _argmax(values: FloatVolume, where: BoolVolume) -> Index:
    return tuple(int(i) for i in np.unravel_index(np.argmax(np.where(where, values, -np.inf)), values.shape))
