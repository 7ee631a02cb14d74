"""A first layer by a short Fourier transform along z and matrix products in the planes.

Along z the correlation theorem leaves about two real products for each tap instead of one for each of the kernel's
slices; in the plane each voxel's inputs are laid out as a matrix column. So nearly all work is products of matrices,
which processors do fastest, and inputs that no unit uses, such as a sphere's corners, cost nothing. The
transforms themselves are matrix products, too; cosines about a tile's middle give the same below as above, sines the
opposite, so that half of the way back is enough. It is the cheapest way for kernels of a few voxels on one level.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from mtann.inference.boxes import evenly
from mtann.inference.layers import Place, ScanLayers, stays_exact

_ERROR = 1.6e-6
"""Largest rounding error of a sum in a tile, as a share of the sums' deviation over the tile (measured)."""
_AT_ONCE_BYTES = 6_000_000
"""Size of inputs and spectra that are held at a time: less makes too many small operations, more leaves the processor's
caches."""
_LEAST_AT_ONCE = 96
"""Fewer voxels of a plane at a time make the matrix products slow."""


@dataclass(frozen=True)
class _Taps:
    """A rectangle of a kernel's taps in the plane, and where its first input lies."""

    level: int
    first_yx: tuple[int, int]
    spread_yx: tuple[int, int]
    weight: torch.Tensor
    """(units, channels, z, y, x)"""
    offsets_z: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels and size along y and x of its inputs."""
        channels, _, y, x = self.weight.shape[1:]
        return channels, y, x


class DepthFourier:
    """A first layer for tiles of up to some depth.

    Args:
        layers: The networks.
        length: Length of the transforms along z; a tile and its halo must fit in. It is odd, so that only frequency 0
            is without a sine.
    """

    def __init__(self, layers: ScanLayers, length: int) -> None:
        if length % 2 == 0:
            raise ValueError(f"Transforms along z are of odd length; found {length}.")
        self._layers, self._length = layers, length
        self._taps = _rectangles(layers)
        spectra = torch.cat([_spectra(taps, length) for taps in self._taps], dim=2)
        self._columns = spectra.shape[2]
        self._pairs, self._real = _as_real_matrices(spectra[1:]), spectra[0].real.float()
        self._constant = layers.answers_to_ones()

    def suits(self, blocks: Sequence[torch.Tensor]) -> bool:
        """Whether rounding errors stay small on this input, or are no larger than by direct summation."""
        return stays_exact(self._layers, blocks, _ERROR)

    def likelihoods(
        self, blocks: Sequence[torch.Tensor], tile_zyx: Sequence[int], strides: tuple[int, int, int]
    ) -> Iterator[tuple[Place, torch.Tensor]]:
        """A tile's likelihoods, some lines at a time: which voxel comes first, and (members, z, y, x).

        Args:
            blocks: Each level's input (channels, z, y, x) under the tile, with a halo of the layers' radius.
            tile_zyx: The tile's size.
            strides: Give only each so manieth voxel along an axis.
        """
        depth, height, width = (-(-n // step) for n, step in zip(tile_zyx, strides, strict=True))
        forward, cosines, sines = _transforms(self._length, np.arange(depth) * strides[0])
        spectra, base = self._transformed(blocks, forward)
        # Of a sum, frequency 0 holds as many times what is the same everywhere; stays_exact says what that costs.
        base *= self._length
        lines = lines_at_once(self._length, self._columns, self._layers.units, height, width)
        half, units = len(cosines), self._layers.units
        rows = self._length * self._columns, self._length * units, depth * units, half * units
        # Used again and again: fresh memory costs a page fault for every page.
        memory = [torch.empty(count * lines * width) for count in rows]
        for first in range(0, height, lines):
            some = min(lines, height - first)
            n = some * width
            inputs, products, sums, odd = (
                one[: count * n].view(count, n) for one, count in zip(memory, rows, strict=True)
            )
            self._lay_out(inputs.view(self._length, self._columns, some, width), spectra, first, strides)
            self._multiply(inputs, base, products)
            _way_back(products.view(self._length, -1), cosines, sines, sums.view(depth, -1), odd.view(half, -1))
            answers = self._layers.finish(sums.view(depth, units, -1)).transpose(0, 1)
            answers = torch.cat([answers[:, :half], answers[:, half:].flip(1)], dim=1)
            yield (0, first, 0), answers.view(len(answers), depth, -1, width)

    def _transformed(
        self, blocks: Sequence[torch.Tensor], forward: torch.Tensor
    ) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Each level's spectra along z (frequencies, channels, y, x), and the units' bias with their sums of means."""
        spectra, base = [], self._layers.bias.clone()
        for block, constant in zip(blocks, self._constant, strict=True):
            # What is the same everywhere needs no transform, and would cost accuracy.
            mean = block.mean(dim=(1, 2, 3))
            base += constant @ mean
            away = (block - mean[:, None, None, None]).transpose(0, 1)
            spectra.append((forward[:, : len(away)] @ away.flatten(1)).view(-1, *away.shape[1:]))
        return spectra, base

    def _lay_out(
        self, target: torch.Tensor, spectra: Sequence[torch.Tensor], first: int, strides: tuple[int, int, int]
    ) -> None:
        """Write the inputs (frequencies, columns, y, x) of some lines."""
        lines, width = target.shape[2:]
        start = 0
        for taps in self._taps:
            spectrum = spectra[taps.level]
            channels, rows, columns = taps.shape
            along_y, along_x = spectrum.stride()[2:]
            origin = (taps.first_yx[0] + first * strides[1]) * along_y + taps.first_yx[1] * along_x
            shape = (self._length, channels, rows, columns, lines, width)
            apart = (along_y * taps.spread_yx[0], along_x * taps.spread_yx[1])
            steps = (*spectrum.stride()[:2], *apart, along_y * strides[1], along_x * strides[2])
            windows = spectrum.as_strided(shape, steps, spectrum.storage_offset() + origin)
            stop = start + channels * rows * columns
            target[:, start:stop].view(shape).copy_(windows)
            start = stop

    def _multiply(self, inputs: torch.Tensor, base: torch.Tensor, products: torch.Tensor) -> None:
        """The units' spectra (frequencies x units, voxels) from inputs (frequencies x columns, voxels).

        ``base`` (units,) is what is the same everywhere, times the transforms' length: frequency 0 holds it.
        """
        frequencies, units, voxels = self._length // 2, self._layers.units, inputs.shape[1]
        pairs, results = inputs[: -self._columns].view(frequencies, -1, voxels), products[:-units]
        torch.bmm(self._pairs, pairs, out=results.view(frequencies, -1, voxels))
        torch.addmm(base[:, None], self._real, inputs[-self._columns :], out=products[-units:])


def lines_at_once(length: int, columns: int, units: int, height: int, width: int) -> int:
    """How many lines of a tile are worked on at a time: what fits into the caches, but no fewer than make sense."""
    fitting = _AT_ONCE_BYTES // (4 * length * (columns + units))
    return evenly(height, max(1, fitting // width, -(-_LEAST_AT_ONCE // width)))


def depth_columns(layers: ScanLayers) -> int:
    """How many inputs each slice has a voxel: a matrix column's length."""
    return sum(math.prod(taps.shape) for taps in _rectangles(layers))


def _rectangles(layers: ScanLayers) -> list[_Taps]:
    """All kernels' taps in as few rectangles as leave nothing in that no unit uses."""
    found = []
    deep, middle_y, middle_x = layers.radius_zyx
    for kernel in layers.kernels:
        radius, spread = kernel.radius_zyx, kernel.spread_zyx
        offsets = tuple(deep - radius[0] + number * spread[0] for number in range(kernel.weight.shape[2]))
        used = kernel.weight.ne(0).flatten(0, 2).any(dim=0)
        spans = [_span(line) for line in used]
        for (left, right), group in itertools.groupby(range(len(spans)), key=lambda line: spans[line]):
            lines = list(group)
            if left < right:
                first = (middle_y - radius[1] + lines[0] * spread[1], middle_x - radius[2] + left * spread[2])
                weight = kernel.weight[..., lines[0] : lines[-1] + 1, left:right]
                found.append(_Taps(kernel.level, first, spread[1:], weight, offsets))
    # Without any weight at all the sums are 0 all the same.
    return found or [_Taps(0, (0, 0), (1, 1), layers.kernels[0].weight[:, :, :1, :1, :1], (0,))]


def _span(used: torch.Tensor) -> tuple[int, int]:
    """From the first to behind the last that is used; (0, 0) if none is."""
    places = used.nonzero().flatten().tolist()
    return (places[0], places[-1] + 1) if places else (0, 0)


def _transforms(length: int, places: npt.NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The real discrete Fourier transform as a matrix, and the way back to the upper half of evenly spread places.

    Returns:
        The transform about the places' middle: cosine and negative sine of each frequency follow each other, and the
        sum comes last; then the way back at the places down to the middle, from cosines and the sum, and from sines.
    """
    middle, upper = places.mean(), places[: -(-len(places) // 2)]
    turns = 2 * np.pi * np.arange(1, length // 2 + 1) / length
    angle = np.outer(turns, np.arange(length) - middle)
    forward = np.stack([np.cos(angle), -np.sin(angle)], axis=1).reshape(-1, length)
    angle = np.outer(upper - middle, turns)
    cosines, sines = 2 * np.cos(angle) / length, -2 * np.sin(angle) / length
    forward, cosines = np.vstack([forward, np.ones(length)]), np.hstack([cosines, np.full((len(upper), 1), 1 / length)])
    return torch.from_numpy(forward).float(), torch.from_numpy(cosines).float(), torch.from_numpy(sines).float()


def _way_back(
    spectra: torch.Tensor, cosines: torch.Tensor, sines: torch.Tensor, sums: torch.Tensor, odd: torch.Tensor
) -> None:
    """Sums (depth, n) from spectra (frequencies, n): those down to the middle, then the others from the last one up.

    Every entry of ``odd`` (rows down to the middle, n) is overwritten, too.
    """
    half = len(cosines)
    below = len(sums) - half
    torch.mm(cosines, spectra[0::2], out=sums[:half])
    torch.mm(sines, spectra[1::2], out=odd)
    torch.sub(sums[:below], odd[:below], out=sums[half:])
    sums[:half] += odd


def _spectra(taps: _Taps, length: int) -> torch.Tensor:
    """Filters (frequencies, units, inputs), complex; frequency 0 comes first.

    They are conjugated: the kernel is not turned round, as it would be in a convolution.
    """
    frequencies = torch.arange(length // 2 + 1, dtype=torch.float64)
    angle = 2 * torch.pi / length * torch.outer(frequencies, torch.tensor(taps.offsets_z, dtype=torch.float64))
    waves = torch.polar(torch.ones_like(angle), angle)
    return torch.einsum("uczyx,fz->fucyx", taps.weight.to(torch.complex128), waves).flatten(2)


def _as_real_matrices(spectra: torch.Tensor) -> torch.Tensor:
    """Complex matrices (frequencies, units, columns) as real ones of twice the size, for stacked parts."""
    real, imaginary = spectra.real, spectra.imag
    upper, lower = torch.cat([real, -imaginary], dim=2), torch.cat([imaginary, real], dim=2)
    return torch.cat([upper, lower], dim=1).float()
