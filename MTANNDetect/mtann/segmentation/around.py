"""Only where it matters: the parts of an image about given candidates."""

from collections.abc import Sequence

import numpy as np

from mtann.geometry import Geometry
from mtann.preprocess.unet import CroppedCase
from mtann.sampling.lesions import DEFAULT_RADIUS_MM, Lesion
from mtann.segmentation.result import IndexBox

Box = tuple[slice, slice, slice]

MARGIN_MM = 10.0
"""How far beyond a candidate's own box labels are wanted."""


def boxes_around(places: Sequence[Lesion], grid: Geometry) -> tuple[Box, ...]:
    """The box of voxels (z, y, x) about each place, with a margin; those that lie outside of the image are left out."""
    boxes = []
    for place in places:
        low, high = _extent(place, grid)
        margin = MARGIN_MM / np.array(grid.spacing_zyx_mm)
        starts = np.maximum(np.floor(low - margin + 0.5), 0).astype(int)
        stops = np.minimum(np.ceil(high + margin + 0.5), grid.shape_zyx).astype(int)
        if np.all(starts < stops):
            z, y, x = (slice(int(start), int(stop)) for start, stop in zip(starts, stops, strict=True))
            boxes.append((z, y, x))
    return tuple(boxes)


def cut_boxes(boxes: Sequence[Box], case: CroppedCase) -> list[Box]:
    """Boxes of the first channel's voxels as boxes of the cropped case."""
    found = []
    for box in boxes:
        turned = [box[axis] for axis in case.plan.transpose_forward]
        starts = [max(0, part.start - cut.start) for part, cut in zip(turned, case.box, strict=True)]
        stops = [min(cut.stop, part.stop) - cut.start for part, cut in zip(turned, case.box, strict=True)]
        if all(start < stop for start, stop in zip(starts, stops, strict=True)):
            found.append((slice(starts[0], stops[0]), slice(starts[1], stops[1]), slice(starts[2], stops[2])))
    return disjoint(found)


def disjoint(boxes: Sequence[Box]) -> list[Box]:
    """Boxes that cover the same voxels, each voxel once: what overlaps with an earlier box is cut away."""
    found: list[Box] = []
    for box in boxes:
        rest = [box]
        for other in found:
            rest = [piece for part in rest for piece in _without(part, other)]
        found += rest
    return found


def _without(box: Box, other: Box) -> list[Box]:
    """What of a box lies outside of another one, as up to six boxes."""
    if any(a.stop <= b.start or b.stop <= a.start for a, b in zip(box, other, strict=True)):
        return [box]
    pieces: list[Box] = []
    rest = list(box)
    for axis, cut in enumerate(other):
        own = rest[axis]
        for start, stop in ((own.start, cut.start), (cut.stop, own.stop)):
            if start < stop:
                cut_out = [*rest[:axis], slice(start, stop), *rest[axis + 1 :]]
                pieces.append((cut_out[0], cut_out[1], cut_out[2]))
        rest[axis] = slice(max(own.start, cut.start), min(own.stop, cut.stop))
    return pieces


def as_indices(boxes: Sequence[Box]) -> tuple[IndexBox, ...]:
    """Boxes as plain numbers, which a result hands on."""
    return tuple(((z.start, z.stop), (y.start, y.stop), (x.start, x.stop)) for z, y, x in boxes)


def _extent(place: Lesion, grid: Geometry) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest index that a place reaches, voxels counted from their centres."""
    if place.outline is not None and np.any(place.outline.array):
        own = place.outline.geometry
        inside = np.argwhere(place.outline.array)
        corners = np.stack(np.meshgrid(*zip(inside.min(0) - 0.5, inside.max(0) + 0.5, strict=True)), -1).reshape(-1, 3)
        index = grid.index_from_lps(own.lps_from_index(corners))
        return index.min(axis=0), index.max(axis=0)
    centre = grid.index_from_lps(np.array([place.centre_lps_mm]))[0]
    reach = (place.radius_mm or DEFAULT_RADIUS_MM) / np.array(grid.spacing_zyx_mm)
    return centre - reach, centre + reach
