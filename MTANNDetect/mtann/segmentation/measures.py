"""What a reader is told of each label of a segmentation: its components, and the slices that hold most of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mtann.geometry import Geometry, Triple, canonical_order
from mtann.segmentation.colours import Colour, label_colour
from mtann.segmentation.result import Segmentation, SegmentedLabel
from mtann.volume import Array, Volume

Box = tuple[slice, slice, slice]
BoolArray = npt.NDArray[np.bool_]

_NEIGHBOURS = np.ones((3, 3, 3), dtype=bool)


@dataclass(frozen=True)
class LabelMeasures:
    """One label as it was found.

    Attributes:
        number: From 1, in the model's order.
        label: What it is.
        colour: How it is drawn, here and in Slicer.
        components: How many connected components it has (26 neighbours).
        largest_mm3: Volume of the largest.
        voxels: An image of which the values are its own; its mask, or the label map.
        values: The values that are its own.
        box: The part of the image that holds it; None where it is empty.
        places: A point in the slice with most of it: sagittal, coronal, axial; none where it is empty.
    """

    number: int
    label: SegmentedLabel
    colour: Colour
    components: int = 0
    largest_mm3: float = 0.0
    voxels: Volume | None = field(default=None, repr=False)
    values: tuple[int, ...] = (1,)
    box: Box | None = None
    places: tuple[Triple, ...] = ()

    def inside(self, part: Array) -> npt.NDArray[np.uint8]:
        """Which voxels of a part of its image are its own, as 1."""
        found = part == self.values[0] if len(self.values) == 1 else np.isin(part, self.values)
        return found.view(np.uint8)


def measure_labels(result: Segmentation) -> tuple[LabelMeasures, ...]:
    """Measure every label, within the part that holds it; regions may overlap."""
    boxes = ndimage.find_objects(result.label_map.array)
    measured = []
    for number, label in enumerate(result.labels, start=1):
        voxels, values = (result.label_map, label.values) if label.mask is None else (label.mask, (1,))
        colour = label_colour(label.name, number - 1)
        found = LabelMeasures(number, label, colour, voxels=voxels, values=values)
        own = boxes if label.mask is None else ndimage.find_objects(label.mask.array)
        box = _union([own[value - 1] for value in values if value <= len(own) and own[value - 1] is not None])
        measured.append(found if box is None else _measured(found, voxels, box))
    return tuple(measured)


def _union(boxes: Sequence[Box]) -> Box | None:
    if not boxes:
        return None
    z, y, x = (slice(min(p.start for p in parts), max(p.stop for p in parts)) for parts in zip(*boxes, strict=True))
    return z, y, x


def _measured(label: LabelMeasures, voxels: Volume, box: Box) -> LabelMeasures:
    inside = label.inside(voxels.array[box])
    numbered, count = ndimage.label(inside, _NEIGHBOURS)
    largest = int(np.bincount(numbered.ravel())[1:].max())
    return LabelMeasures(
        label.number,
        label.label,
        label.colour,
        count,
        largest * voxels.geometry.voxel_volume_mm3,
        voxels,
        label.values,
        box,
        _places(inside, box, voxels.geometry),
    )


def _places(inside: npt.NDArray[np.uint8], box: Box, geometry: Geometry) -> tuple[Triple, ...]:
    """The middle of what the fullest slice holds, of the slices nearest to sagittal, coronal and axial ones."""
    order, _ = canonical_order(geometry)
    places = []
    for world in range(3):
        axis = 2 - order[world]
        others = tuple(other for other in range(3) if other != axis)
        counts = inside.sum(axis=others, dtype=np.int64)
        fullest = np.flatnonzero(counts == counts.max())
        # Of slices with equally many voxels the middle one: a cylinder is shown in its middle, not at its end.
        slab = int(fullest[len(fullest) // 2])
        plane = np.argwhere(inside.take(slab, axis=axis)).mean(axis=0)
        index = np.insert(plane, axis, slab) + [part.start for part in box]
        x, y, z = geometry.lps_from_index(index).tolist()
        places.append((x, y, z))
    return tuple(places)
