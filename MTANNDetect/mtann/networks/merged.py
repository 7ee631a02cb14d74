"""A trained U-Net for use: each transposed convolution and the convolution behind it made one.

Nothing stands between them, so they are one linear map. Going up by a stride s and then convolving with a kernel of
size k is a transposed convolution with the same stride and a kernel of size s + k - 1. It takes fewer products, since
most taps of a fine voxel fall on the same coarse ones (8 times the coarse features in place of 27 times half as many,
for s = 2 and k = 3), and the features that came up are never laid out. The convolution keeps the skipped features.
"""

from collections.abc import Sequence
from itertools import product
from typing import cast

import torch
from torch import nn

from mtann.networks.blocks import CONVOLUTIONS, TRANSPOSED, ConvStack, ConvUnit
from mtann.networks.unet import UNet


def merged(network: nn.Module, shape: Sequence[int]) -> nn.Module:
    """A network that answers as the given one does, faster; itself if it is no U-Net of ours, or blocks are too small.

    Args:
        network: In evaluation mode.
        shape: The smallest block that it will be given (batch, channels, …).
    """
    if not isinstance(network, UNet) or not _is_large_enough(network, shape[2:]):
        return network
    return _MergedUNet(network).eval()


class _MergedUNet(nn.Module):
    def __init__(self, network: UNet) -> None:
        super().__init__()
        decoder = network.decoder
        pairs = zip(decoder.transpconvs, decoder.stages, strict=True)
        self.encoder = network.encoder
        self.stages = nn.ModuleList(_MergedStage(up, cast(ConvStack, stack)) for up, stack in pairs)
        self.head = decoder.seg_layers[-1]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        *skipped, features = self.encoder(x)
        for stage, skip in zip(self.stages, reversed(skipped), strict=True):
            features = stage(features, skip)
        return cast(torch.Tensor, self.head(features))


class _MergedStage(nn.Module):
    """A stage of the decoder: up, together with the skipped features, and the convolutions."""

    def __init__(self, transposed: nn.Module, stack: ConvStack) -> None:
        super().__init__()
        up = cast(nn.ConvTranspose3d, transposed)
        unit, *others = cast(list[ConvUnit], list(stack.convs))
        conv = cast(nn.Conv3d, unit.conv)
        dimensions, risen = len(up.stride), up.out_channels
        kernel = _composed(up.weight.detach().double(), conv.weight.detach()[:, :risen].double())
        padding = tuple(int(n) for n in cast(tuple[int, ...], conv.padding))
        self.up = TRANSPOSED[dimensions](
            up.in_channels, conv.out_channels, tuple(kernel.shape[2:]), tuple(up.stride), padding, bias=False
        )
        self.skip = CONVOLUTIONS[dimensions](
            conv.in_channels - risen, conv.out_channels, tuple(conv.kernel_size), 1, padding, bias=conv.bias is not None
        )
        self.after = nn.Sequential(unit.norm, unit.nonlin, *others)
        self.up.load_state_dict({"weight": kernel.float()})
        bias = {} if conv.bias is None else {"bias": conv.bias}
        self.skip.load_state_dict({"weight": conv.weight[:, risen:], **bias})
        self._reach = padding
        self.register_buffer("edges", _edges(up, conv), persistent=False)

    def forward(self, x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        sums = self.skip(skip) + self.up(x)
        constant = cast(torch.Tensor, self.edges)
        for axis, reach in enumerate(self._reach, start=2):
            length = sums.shape[axis]
            index = torch.arange(length, device=sums.device)
            # From each border as far as the kernel reaches a place of its own, and one for all between.
            place = index.clamp(max=reach) + (index - (length - 1 - reach)).clamp(min=0)
            constant = constant.index_select(axis, place)
        return cast(torch.Tensor, self.after(sums + constant))


def _composed(rising: torch.Tensor, convolving: torch.Tensor) -> torch.Tensor:
    """Weights (inputs, outputs, …) of the transposed convolution that does both.

    Args:
        rising: Weights (inputs, features, …) of a transposed convolution as large as its stride.
        convolving: Weights (outputs, features, …) of the convolution.
    """
    steps, sizes = rising.shape[2:], convolving.shape[2:]
    shape = [step + size - 1 for step, size in zip(steps, sizes, strict=True)]
    result = rising.new_zeros(len(rising), len(convolving), *shape)
    places = product(*(range(size) for size in sizes))
    for at, tap in zip(places, convolving.flatten(2).unbind(2), strict=True):
        # Tap d of the convolution looks d further on: seen from the coarse voxel, it lies so far back.
        back = (slice(size - 1 - d, size - 1 - d + step) for d, size, step in zip(at, sizes, steps, strict=True))
        result[(slice(None), slice(None), *back)] += torch.einsum("cm...,om->co...", rising, tap)
    return result


def _edges(up: nn.ConvTranspose3d, conv: nn.Conv3d) -> torch.Tensor:
    """What the convolution makes of the transposed convolution's bias, near each border (1, outputs, …).

    Beyond the border it sees zeros in place of the bias.
    """
    weight = conv.weight.detach()[:, : up.out_channels].double()
    bias = weight.new_zeros(up.out_channels) if up.bias is None else up.bias.detach().double()
    weights = torch.einsum("om...,m->o...", weight, bias)[:, None]
    padding = cast(tuple[int, ...], conv.padding)
    ones = weights.new_ones(1, 1, *(2 * reach + 1 for reach in padding))
    convolve = torch.nn.functional.conv3d if len(padding) == 3 else torch.nn.functional.conv2d
    return convolve(ones, weights, padding=padding).float()


def _is_large_enough(network: UNet, size: Sequence[int]) -> bool:
    """Whether the two borders of every stage are apart, so that each voxel is near one of them at most."""
    lengths = list(size)
    for up, stack in zip(reversed(network.decoder.transpconvs), reversed(network.decoder.stages), strict=True):
        conv = cast(nn.Conv3d, cast(ConvUnit, cast(ConvStack, stack).convs[0]).conv)
        reach = cast(tuple[int, ...], conv.padding)
        if any(length < 2 * far for length, far in zip(lengths, reach, strict=True)):
            return False
        lengths = [length // step for length, step in zip(lengths, cast(nn.ConvTranspose3d, up).stride, strict=True)]
    return True
