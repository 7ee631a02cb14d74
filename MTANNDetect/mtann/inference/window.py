"""A U-Net over a whole volume: overlapping patches, blended, and handed on in finished rows.

Patches are run in rows along the volume's first axis. Once a row is done, everything before the next row's start is
final and is handed on, so that logits of the whole volume never exist at once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch

from mtann.inference.answers import Answers
from mtann.inference.tiles import TileGrid, Triple, importance_map
from mtann.progress import Run

FloatArray = npt.NDArray[np.float32]

_SLICES = 16
"""Rows of single slices that are gathered, so that 2-D patches can be evaluated together."""


@dataclass(frozen=True)
class Rows:
    """Finished logits of consecutive rows along the first axis, on the volume's grid without padding.

    Attributes:
        start: First row.
        logits: (output, rows, y, x).
    """

    start: int
    logits: FloatArray = field(repr=False)


@dataclass(frozen=True)
class SlidingWindow:
    """What is to be run over a volume.

    Attributes:
        grid: The patches.
        outputs: Logits a voxel.
        device: Where patches are evaluated and blended.
        chosen: Starts of the patches to run; all of the grid if None. Where none runs, logits are 0.
    """

    grid: TileGrid
    outputs: int
    device: torch.device
    chosen: Sequence[Triple] | None = None

    @property
    def tiles(self) -> list[Triple]:
        """The patches to run."""
        return self.grid.tiles if self.chosen is None else list(self.chosen)

    def run(self, data: FloatArray, answers: Answers, run: Run | None = None) -> Iterator[Rows]:
        """Blended logits of a volume (channel, z, y, x), row by row.

        Raises:
            CancelledError: The user asked to stop; noticed before each batch of patches.
        """
        run = run or Run()
        grid, patch = self.grid, self.grid.patch
        importance = torch.from_numpy(importance_map(patch)).to(self.device)
        z_weights, y_weights, x_weights = (torch.from_numpy(axis).to(self.device) for axis in grid.weights())
        tiles, done, filled = self.tiles, 0, 0
        y, x = self._reached(tiles)
        plane = (y_weights[:, None] * x_weights)[y, x]
        groups = _groups(grid)
        kept: torch.Tensor | None = None
        for number, group in enumerate(groups):
            first = group[0]
            after = groups[number + 1][0] if number + 1 < len(groups) else grid.padded[0]
            members = [tile for tile in tiles if tile[0] in group]
            if not members and kept is None:
                yield from self._rows(first, after, None, y, x)
                continue
            blended = torch.zeros((self.outputs, group[-1] + patch[0] - first, *plane.shape), device=self.device)
            if kept is not None:
                blended[:, : kept.shape[1]] = kept
            for start in range(0, len(members), answers.batch):
                part = members[start : start + answers.batch]
                run.report("segment", done / max(1, len(tiles)), f"Segmenting patch {done + 1} of {len(tiles)}")
                found = answers.logits([self._patch(data, tile) for tile in part])
                for tile, logits in zip(part, found, strict=True):
                    place = _place(tile, patch, (first, y.start, x.start))
                    blended[(slice(None), *place)].addcmul_(logits, importance)
                done += len(part)
            filled = group[-1] + patch[0] if members else filled
            kept = blended[:, after - first :].clone() if filled > after else None
            final = blended[:, : after - first]
            final /= z_weights[first:after, None, None] * plane
            yield from self._rows(first, after, final, y, x)

    def _reached(self, tiles: Sequence[Triple]) -> tuple[slice, slice]:
        """The part of each row, in the padded volume, that the patches reach."""
        if not tiles:
            return slice(0, 0), slice(0, 0)
        lows, highs = np.min(tiles, axis=0), np.max(tiles, axis=0) + self.grid.patch
        y, x = (slice(int(lows[axis]), int(highs[axis])) for axis in (1, 2))
        return y, x

    def _patch(self, data: FloatArray, tile: Triple) -> torch.Tensor:
        """A patch of the data, zeros where it reaches into the padding."""
        patch, padding = self.grid.patch, self.grid.padding
        low = [start - before for start, before in zip(tile, padding, strict=True)]
        inside = tuple(
            slice(max(0, first), min(n, first + p)) for first, p, n in zip(low, patch, data.shape[1:], strict=True)
        )
        cut = data[(slice(None), *inside)]
        if cut.shape[1:] != patch:
            whole = np.zeros((len(data), *patch), dtype=np.float32)
            there = tuple(slice(part.start - first, part.stop - first) for part, first in zip(inside, low, strict=True))
            whole[(slice(None), *there)] = cut
            cut = whole
        return torch.from_numpy(np.ascontiguousarray(cut)).to(self.device)

    def _rows(self, first: int, after: int, final: torch.Tensor | None, y: slice, x: slice) -> Iterator[Rows]:
        """Rows without padding, of logits where patches reach, and of zeros elsewhere and where there are none."""
        before, size = self.grid.padding, self.grid.size
        low, high = max(first, before[0]), min(after, before[0] + size[0])
        if low >= high:
            return
        shape = (self.outputs, high - low, *size[1:])
        if final is None:
            yield Rows(low - before[0], np.zeros(shape, dtype=np.float32))
            return
        (own_y, there_y), (own_x, there_x) = (
            _shared(part, before[axis], size[axis]) for axis, part in ((1, y), (2, x))
        )
        rows = final[:, low - first : high - first, own_y, own_x].cpu().numpy()
        if rows.shape != shape:
            whole = np.zeros(shape, dtype=np.float32)
            whole[:, :, there_y, there_x] = rows
            rows = whole
        yield Rows(low - before[0], rows)


def _shared(part: slice, padding: int, size: int) -> tuple[slice, slice]:
    """What a part of the padded axis shares with the axis itself: counted from the part's start, and from the axis'."""
    low, high = max(part.start, padding), min(part.stop, padding + size)
    return slice(low - part.start, high - part.start), slice(low - padding, high - padding)


def _groups(grid: TileGrid) -> list[list[int]]:
    """Starts along the first axis that are run together."""
    starts = list(grid.starts[0])
    together = _SLICES if grid.patch[0] == 1 else 1
    return [starts[first : first + together] for first in range(0, len(starts), together)]


def _place(tile: Triple, patch: Triple, origin: Triple) -> tuple[slice, slice, slice]:
    z, y, x = (slice(start - first, start - first + n) for start, first, n in zip(tile, origin, patch, strict=True))
    return z, y, x
