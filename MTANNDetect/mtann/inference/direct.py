"""A first layer by direct convolution, in slabs that are small enough to stay near the processor."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import nn

from mtann.backends.computation import Computation
from mtann.backends.network import compile_network
from mtann.inference.layers import Place, ScanLayers

Strides = tuple[int, int, int]


class DirectConvolution:
    """Networks by torch's own convolution.

    Args:
        layers: The networks.
        slices: How many slices are evaluated at once.
        half: A shorter type of numbers for the convolution, or None for float32.
    """

    def __init__(self, layers: ScanLayers, slices: int, half: torch.dtype | None = None) -> None:
        self._layers, self._slices, self._type = layers, slices, half or torch.float32
        self._weights = [kernel.weight.to(self._type) for kernel in layers.kernels]
        self._bias = layers.bias[:, None]

    def suits(self, blocks: Sequence[torch.Tensor]) -> bool:
        """It suits every input."""
        return True

    def likelihoods(
        self, blocks: Sequence[torch.Tensor], tile_zyx: Sequence[int], strides: Strides
    ) -> Iterator[tuple[Place, torch.Tensor]]:
        """A tile's likelihoods, some slices at a time: which voxel comes first, and (members, slices, y, x)."""
        depth, halo = tile_zyx[0], 2 * self._layers.radius_zyx[0]
        typed = [block.to(self._type) for block in blocks]
        for first in range(0, depth, self._slices * strides[0]):
            last = min(first + self._slices * strides[0], depth)
            sums = self._sums([block[:, first : last + halo] for block in typed], strides).float()
            finished = self._layers.finish(sums.flatten(1).add_(self._bias))
            yield (first // strides[0], 0, 0), finished.view(self._layers.members, *sums.shape[1:])

    def _sums(self, blocks: Sequence[torch.Tensor], strides: Strides) -> torch.Tensor:
        return _convolve(self._layers, self._weights, blocks, strides)


class _Block(nn.Module):
    """Networks on one block (1, levels x channels, z, y, x) with the halo that they need, for a compiler."""

    def __init__(self, layers: ScanLayers) -> None:
        super().__init__()
        self._layers = layers
        for number, kernel in enumerate(layers.kernels):
            self.register_buffer(f"kernel_{number}", kernel.weight)
        self.register_buffer("bias", layers.bias[:, None])
        # What follows the sums is a function; its answers tell it from others.
        self.register_buffer("finished", layers.finish(torch.linspace(-2, 2, 7).repeat(layers.units, 1)))

    def extra_repr(self) -> str:
        return f"{[(kernel.level, kernel.dilation) for kernel in self._layers.kernels]}"

    def forward(self, block: torch.Tensor) -> torch.Tensor:
        levels = block[0].view(self._layers.levels, -1, *block.shape[2:])
        weights = [kernel.weight for kernel in self._layers.kernels]
        sums = _convolve(self._layers, weights, levels.unbind(0), (1, 1, 1))
        finished = self._layers.finish(sums.flatten(1) + self._layers.bias[:, None])
        return finished.view(self._layers.members, *sums.shape[1:])


class CompiledConvolution:
    """Networks compiled for tiles of one size; smaller tiles are filled up to it.

    Args:
        layers: The networks.
        tile_zyx: The largest tile.
        computation: What compiles them.
    """

    def __init__(self, layers: ScanLayers, tile_zyx: Sequence[int], computation: Computation) -> None:
        self._size = [n + 2 * radius for n, radius in zip(tile_zyx, layers.radius_zyx, strict=True)]
        shape = (1, layers.levels * layers.channels, *self._size)
        self._evaluate = compile_network(_Block(layers), shape, computation)

    def suits(self, blocks: Sequence[torch.Tensor]) -> bool:
        """It suits every input."""
        return True

    def likelihoods(
        self, blocks: Sequence[torch.Tensor], tile_zyx: Sequence[int], strides: Strides
    ) -> Iterator[tuple[Place, torch.Tensor]]:
        """A tile's likelihoods, all slices at once: the first voxel, and (members, slices, y, x)."""
        block = np.concatenate([one.numpy() for one in blocks])
        fill = [(0, whole - n) for whole, n in zip(self._size, block.shape[1:], strict=True)]
        answers = self._evaluate(np.pad(block, [(0, 0), *fill])[None])
        z, y, x = (slice(0, n, step) for n, step in zip(tile_zyx, strides, strict=True))
        yield (0, 0, 0), answers[:, z, y, x]


def _convolve(
    layers: ScanLayers, weights: Sequence[torch.Tensor], blocks: Sequence[torch.Tensor], strides: Strides
) -> torch.Tensor:
    """The units' sums (units, z, y, x): every kernel on its level, added up."""
    sums: torch.Tensor | None = None
    for kernel, weight in zip(layers.kernels, weights, strict=True):
        block = blocks[kernel.level]
        margins = [whole - own for whole, own in zip(layers.radius_zyx, kernel.radius_zyx, strict=True)]
        z, y, x = (slice(margin, n - margin) for margin, n in zip(margins, block.shape[1:], strict=True))
        more = torch.nn.functional.conv3d(block[None, :, z, y, x], weight, None, strides, 0, kernel.spread_zyx)[0]
        sums = more if sums is None else sums + more
    if sums is None:
        raise ValueError("Layers without a kernel cannot be scanned.")
    return sums
