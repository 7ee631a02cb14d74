"""The largest connected parts of a segmentation's labels, and what other evaluations find of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import ndimage

BoolArray = npt.NDArray[np.bool_]
Box = tuple[slice, slice, slice]

MOST_PARTS = 200
"""Of all labels together, the largest: whoever has more has specks."""
_REACH, _LEAST_REACH = 0.75, 2
"""A part is looked for within its own box, grown by this share of its size, at least so many voxels, to each side."""
_NEIGHBOURS = np.ones((3, 3, 3), dtype=bool)


@dataclass(frozen=True)
class Part:
    """A connected part of a label (26 neighbours).

    Attributes:
        label: Number of the label, from 0.
        number: Of the part in its label, from 1, the largest first.
        box: Its own box, grown.
        own: Its voxels in the box.
        others: Voxels of the label's other parts in the box.
        voxels: How many it has.
        centre: Its centre, as an index.
    """

    label: int
    number: int
    box: Box
    own: BoolArray = field(repr=False)
    others: BoolArray = field(repr=False)
    voxels: int
    centre: tuple[float, ...]

    def count(self, inside: BoolArray) -> int:
        """How many voxels of another evaluation's label, cut to the box, hang together with this part."""
        numbered, _ = ndimage.label(inside & ~self.others, _NEIGHBOURS)
        met = np.unique(numbered[self.own])
        return int(np.count_nonzero(np.isin(numbered, met[met > 0])))


def parts_of(inside: Callable[[int, Box], BoolArray], labels: int, size: Sequence[int]) -> list[Part]:
    """The largest parts, label by label.

    Args:
        inside: Which voxels of a box are of a label, by its number.
        labels: How many labels.
        size: Of the array.
    """
    found: list[Part] = []
    whole: Box = (slice(0, size[0]), slice(0, size[1]), slice(0, size[2]))
    for label in range(labels):
        numbered, count = ndimage.label(inside(label, whole), _NEIGHBOURS)
        if not count:
            continue
        sizes = np.bincount(numbered.ravel())[1:]
        boxes = ndimage.find_objects(numbered)
        for place, at in enumerate(np.argsort(-sizes, kind="stable")[:MOST_PARTS].tolist(), start=1):
            box = _grown(boxes[at], size)
            cut = numbered[box]
            own = cut == at + 1
            centre = np.argwhere(own).mean(axis=0) + [part.start for part in box]
            found.append(Part(label, place, box, own, (cut > 0) & ~own, int(sizes[at]), tuple(centre.tolist())))
    largest = sorted(found, key=lambda part: -part.voxels)[:MOST_PARTS]
    return sorted(largest, key=lambda part: (part.label, part.number))


def _grown(box: Box, size: Sequence[int]) -> Box:
    parts = []
    for part, length in zip(box, size, strict=True):
        reach = max(_LEAST_REACH, round(_REACH * (part.stop - part.start)))
        parts.append(slice(max(0, part.start - reach), min(length, part.stop + reach)))
    return parts[0], parts[1], parts[2]
