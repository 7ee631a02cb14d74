"""The pieces of a U-Net: convolution with normalisation, and the residual block.

Module names follow the tree of nnU-Net v2's networks (package ``dynamic_network_architectures``), so that a tensor has
the same name here and in its checkpoints. They are part of the file format: renaming one breaks trained models.
"""

from collections.abc import Sequence
from typing import cast

import torch
from torch import nn

SLOPE = 0.01  # of the leaky ReLU, below zero
EPSILON = 1e-5  # added to the variance in instance normalisation

CONVOLUTIONS: dict[int, type[nn.Module]] = {2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED: dict[int, type[nn.Module]] = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
NORMS: dict[int, type[nn.Module]] = {2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}
POOLS: dict[int, type[nn.Module]] = {2: nn.AvgPool2d, 3: nn.AvgPool3d}


class ConvUnit(nn.Module):
    """Convolution, instance normalisation and, unless left out, leaky ReLU. It keeps sizes, but for the stride."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: Sequence[int],
        stride: Sequence[int],
        bias: bool = True,
        activation: bool = True,
    ) -> None:
        super().__init__()
        dimensions = len(kernel)
        padding = tuple((size - 1) // 2 for size in kernel)
        self.conv = CONVOLUTIONS[dimensions](inputs, outputs, tuple(kernel), tuple(stride), padding, bias=bias)
        self.norm = NORMS[dimensions](outputs, eps=EPSILON, affine=True)
        self.nonlin = nn.LeakyReLU(SLOPE, inplace=True) if activation else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features (batch, outputs, …) of features (batch, inputs, …)."""
        return cast(torch.Tensor, self.nonlin(self.norm(self.conv(x))))


class ConvStack(nn.Module):
    """Convolution units in a row; the first takes the stride."""

    def __init__(self, units: int, inputs: int, outputs: int, kernel: Sequence[int], stride: Sequence[int]) -> None:
        super().__init__()
        ones = (1,) * len(kernel)
        self.convs = nn.Sequential(
            *(ConvUnit(outputs if unit else inputs, outputs, kernel, ones if unit else stride) for unit in range(units))
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features (batch, outputs, …) of features (batch, inputs, …)."""
        return cast(torch.Tensor, self.convs(x))


class ResidualBlock(nn.Module):
    """Two convolutions beside a shortcut, which takes the mean where there is a stride (ResNet-D, He et al. 2019)."""

    def __init__(self, inputs: int, outputs: int, kernel: Sequence[int], stride: Sequence[int]) -> None:
        super().__init__()
        ones = (1,) * len(kernel)
        self.conv1 = ConvUnit(inputs, outputs, kernel, stride)
        self.conv2 = ConvUnit(outputs, outputs, kernel, ones, activation=False)
        self.nonlin2 = nn.LeakyReLU(SLOPE, inplace=True)
        shortcut: list[nn.Module] = []
        if any(step != 1 for step in stride):
            shortcut.append(POOLS[len(kernel)](tuple(stride), tuple(stride)))
        if inputs != outputs:
            shortcut.append(ConvUnit(inputs, outputs, ones, ones, bias=False, activation=False))
        self.skip = nn.Sequential(*shortcut)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features (batch, outputs, …) of features (batch, inputs, …)."""
        return cast(torch.Tensor, self.nonlin2(self.conv2(self.conv1(x)) + self.skip(x)))


class ResidualStack(nn.Module):
    """Residual blocks in a row; the first takes the stride."""

    def __init__(self, blocks: int, inputs: int, outputs: int, kernel: Sequence[int], stride: Sequence[int]) -> None:
        super().__init__()
        ones = (1,) * len(kernel)
        self.blocks = nn.Sequential(
            *(
                ResidualBlock(outputs if block else inputs, outputs, kernel, ones if block else stride)
                for block in range(blocks)
            )
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features (batch, outputs, …) of features (batch, inputs, …)."""
        return cast(torch.Tensor, self.blocks(x))


def initialise(network: nn.Module) -> None:
    """Draw a network's first weights: He for the leaky ReLU, no bias; a residual block begins as its shortcut."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.ConvTranspose3d):
            nn.init.kaiming_normal_(module.weight, a=SLOPE)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for module in network.modules():
        if isinstance(module, ResidualBlock):
            nn.init.zeros_(cast(nn.InstanceNorm3d, module.conv2.norm).weight)
