"""An MTANN as a scan sees it: kernels over resolution levels, a bias, and what makes likelihoods of the sums."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from mtann.networks.mtann import MTANN

Radius = tuple[int, int, int]
Place = tuple[int, int, int]

_WORST_ERROR = 1e-5
_PEAKED = 4.0
"""How far an input's deviation may exceed its mean deviation before it counts as a few peaks on nothing. Transforms
spread the peaks' rounding errors over the tile, where direct summation keeps them to the peaks' surroundings."""


@dataclass(frozen=True)
class LevelKernel:
    """A part of a first layer: cross-correlation of one resolution level's volumes.

    Attributes:
        level: Which level's volumes it sees.
        dilation: Spacing of its grid points in voxels; an axis of one grid point has none.
        weight: (units, channels, kz, ky, kx), of odd sizes: the middle is the voxel itself.
    """

    level: int
    dilation: int
    weight: torch.Tensor

    @property
    def spread_zyx(self) -> Radius:
        """Spacing of the grid points along each axis."""
        z, y, x = (self.dilation if n > 1 else 1 for n in self.weight.shape[2:])
        return z, y, x

    @property
    def radius_zyx(self) -> Radius:
        """How far it reaches, in voxels."""
        z, y, x = (n // 2 * step for n, step in zip(self.weight.shape[2:], self.spread_zyx, strict=True))
        return z, y, x


@dataclass(frozen=True)
class ScanLayers:
    """Networks that are scanned together, sharing the input.

    Attributes:
        kernels: The first layer: the units' sums are the kernels' answers added up.
        units: First-layer units of all members together.
        members: How many likelihoods there are.
        bias: float32 (units,), a part of the sums.
        finish: Likelihoods (..., members, n) from sums (..., units, n), which it may overwrite.
        slope: How strongly a likelihood may follow an error of the sums, about.
    """

    kernels: tuple[LevelKernel, ...]
    units: int
    members: int
    bias: torch.Tensor
    finish: Callable[[torch.Tensor], torch.Tensor]
    slope: float = 1.0

    @cached_property
    def radius_zyx(self) -> Radius:
        """How far any of the kernels reaches, in voxels."""
        z, y, x = np.max([kernel.radius_zyx for kernel in self.kernels], axis=0)
        return int(z), int(y), int(x)

    def level_radius_zyx(self, level: int) -> Radius:
        """How far the kernels of one level reach, in voxels."""
        z, y, x = np.max([kernel.radius_zyx for kernel in self.kernels if kernel.level == level], axis=0)
        return int(z), int(y), int(x)

    @cached_property
    def strength(self) -> float:
        """How strongly a likelihood may follow an input's deviation, about."""
        squares = sum(float(kernel.weight.flatten(1).square().sum(dim=1).max()) for kernel in self.kernels)
        return self.slope * math.sqrt(squares)

    def answers_to_ones(self) -> torch.Tensor:
        """The units' sums (levels, units, channels) for an input of 1 in one channel of one level."""
        answers = torch.zeros(self.levels, self.units, self.channels)
        for kernel in self.kernels:
            answers[kernel.level] += kernel.weight.sum(dim=(2, 3, 4))
        return answers

    @property
    def channels(self) -> int:
        """Channels of every level."""
        return int(self.kernels[0].weight.shape[1])

    @property
    def levels(self) -> int:
        """How many resolution levels there are."""
        return 1 + max(kernel.level for kernel in self.kernels)


def stays_exact(layers: ScanLayers, blocks: Sequence[torch.Tensor], error: float) -> bool:
    """Whether a transform's rounding errors stay small on an input, or are no larger than by direct summation.

    Not looked at is what is the same everywhere, the units' bias with the sums of means: it costs a sum up to 4e-7 of
    itself, some three times what it costs by direct summation. Where it is much larger than the sums' deviation,
    sigmoids are saturated and pass no error on: with biases up to 200, likelihoods were as exact as by direct
    summation. Layers without sigmoids have no such help.

    Args:
        layers: The networks.
        blocks: Each level's input (channels, z, y, x).
        error: The transform's largest rounding error of a sum, as a share of the sums' deviation.
    """
    away = [block - block.mean(dim=(1, 2, 3), keepdim=True) for block in blocks]
    deviation = max(one.square().mean(dim=(1, 2, 3)).max().item() ** 0.5 for one in away)
    if error * layers.strength * deviation <= _WORST_ERROR:
        return True
    means = torch.stack([one.abs().mean(dim=(1, 2, 3)) for one in away])
    return bool(deviation <= _PEAKED * means.max().item())


def layers_of(network: MTANN) -> ScanLayers:
    """A network's layers for scanning; its weights are copied as they are now."""
    network = network.member(range(network.members)).requires_grad_(False)
    by_level, bias = network.convolution()
    dilations = network.settings.dilations
    kernels = tuple(
        LevelKernel(level, dilation, kernel.flatten(0, 1).contiguous())
        for level, (dilation, boxes) in enumerate(zip(dilations, by_level, strict=True))
        for _, kernel in boxes
    )
    # A sigmoid rises by a quarter at most, a tanh by one.
    outer = network.output_weight.abs()
    if network.second_weight is not None:
        outer = torch.einsum("mh,mhk->mk", outer, network.second_weight.abs())
    slope = 0.25 * float(outer.square().sum(dim=1).sqrt().max())
    return ScanLayers(kernels, bias.numel(), network.members, bias.flatten().clone(), network.finish_maps, slope)
