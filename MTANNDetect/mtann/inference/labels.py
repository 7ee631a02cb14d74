"""From a U-Net's logits, row by row, to label values on the case's own voxels.

Nothing here ever holds logits of a whole case at its own resolution: they are interpolated, compared and dropped in
blocks.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mtann.inference.window import Rows
from mtann.planning.plan import Plan
from mtann.preprocess.resize import Resize

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
LabelArray = npt.NDArray[np.unsignedinteger]
Box = tuple[slice, slice, slice]

_BLOCK_NUMBERS = 1 << 24
"""Most numbers of a block (64 MB)."""


@dataclass(frozen=True)
class Block:
    """Logits, or probabilities, of a part of the cropped case.

    Attributes:
        box: Where.
        values: (output, z, y, x).
    """

    box: Box
    values: FloatArray = field(repr=False)

    def parts_within(self, wanted: Sequence[Box] | None) -> "list[Block]":
        """The parts of it within wanted boxes, itself if all is wanted. Beyond them its values mean nothing."""
        if wanted is None:
            return [self]
        parts = []
        for box in wanted:
            shared = [
                slice(max(own.start, other.start), min(own.stop, other.stop))
                for own, other in zip(self.box, box, strict=True)
            ]
            if all(part.start < part.stop for part in shared):
                z, y, x = shared
                own_z, own_y, own_x = (own.start for own in self.box)
                cut = self.values[
                    :,
                    z.start - own_z : z.stop - own_z,
                    y.start - own_y : y.stop - own_y,
                    x.start - own_x : x.stop - own_x,
                ]
                parts.append(Block((z, y, x), cut))
        return parts


def blocks(rows: Iterable[Rows], way: Resize, wanted: Sequence[Box] | None = None) -> Iterator[Block]:
    """Rows on a U-Net's grid, interpolated to blocks of the cropped case.

    Args:
        rows: All rows of the grid, in order.
        way: From the grid to the cropped case.
        wanted: Parts of the cropped case that matter; all of it if None. Only these are interpolated, a block each.
    """
    z_axis, y_axis, x_axis = way.axes
    held: FloatArray | None = None
    first = start = 0
    for more in rows:
        held = more.logits if held is None else np.concatenate([held, more.logits], axis=1)
        have = first + held.shape[1]
        step = max(1, _BLOCK_NUMBERS // (len(held) * way.shape[1] * way.shape[2]))
        while start < z_axis.new_size:
            stop = min(start + step, z_axis.new_size)
            low, high = z_axis.support(start, stop)
            if high > have:
                break
            held, first = held[:, low - first :], low
            for z, y, x in _parts(start, stop, way, wanted):
                first_y, last_y = y_axis.support(y.start, y.stop)
                first_x, last_x = x_axis.support(x.start, x.stop)
                part = held[:, : high - low, first_y:last_y, first_x:last_x]
                part = z_axis.apply(part, 1, z.start, z.stop, low)
                part = y_axis.apply(part, 2, y.start, y.stop, first_y)
                yield Block((z, y, x), x_axis.apply(part, 3, x.start, x.stop, first_x))
            start = stop


def probabilities_of(block: Block, plan: Plan, temperature: float = 1.0) -> Block:
    """A block of probabilities from one of logits: of each region by itself, or of background and labels together.

    Args:
        block: Logits.
        plan: What they are of.
        temperature: What the logits are divided by first, so that probabilities are calibrated.
    """
    values = block.values if temperature == 1 else block.values / np.float32(temperature)
    if plan.has_regions:
        with np.errstate(over="ignore"):
            return Block(block.box, np.float32(1) / (np.float32(1) + np.exp(-values)))
    raised = np.exp(values - values.max(axis=0))
    return Block(block.box, raised / raised.sum(axis=0))


def regions_of(block: Block, probabilities: bool) -> BoolArray:
    """Which voxels of a block belong to each region (region, z, y, x)."""
    found: BoolArray = block.values > (0.5 if probabilities else 0.0)
    return found


def labels_of(block: Block, plan: Plan, probabilities: bool) -> LabelArray:
    """Label values of a block."""
    result: LabelArray = np.zeros(block.values.shape[1:], dtype=label_type(plan))
    if plan.has_regions:
        for value, inside in zip(plan.region_order, regions_of(block, probabilities), strict=True):
            result[inside] = value
        return result
    # The first of equals wins, as with argmax, which is slower along the first axis.
    best = block.values[0].copy()
    for value, candidate in zip(output_values(plan)[1:], block.values[1:], strict=True):
        result[candidate > best] = value
        np.maximum(best, candidate, out=best)
    return result


def output_values(plan: Plan) -> tuple[int, ...]:
    """The label value that each output of a network without regions stands for; background first."""
    return 0, *(values[0] for values in plan.labels.values())


def label_type(plan: Plan) -> "np.dtype[np.unsignedinteger]":
    """The smallest type that holds every label value."""
    highest = max([*plan.region_order, *(value for values in plan.labels.values() for value in values)])
    return np.dtype(np.uint8 if highest <= np.iinfo(np.uint8).max else np.uint16)


def _parts(start: int, stop: int, way: Resize, wanted: Sequence[Box] | None) -> list[Box]:
    """The parts of some rows that matter."""
    if wanted is None:
        return [(slice(start, stop), slice(0, way.shape[1]), slice(0, way.shape[2]))]
    return [
        (slice(max(start, z.start), min(stop, z.stop)), y, x) for z, y, x in wanted if z.start < stop and z.stop > start
    ]
