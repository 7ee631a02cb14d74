"""Every network by name: an explicit table, nothing is looked up by a dotted path."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import nn

from mtann.errors import SettingsError
from mtann.networks import monai
from mtann.networks.unet import UNet
from mtann.planning.plan import Architecture

Builder = Callable[[Architecture, int, int, Sequence[int], bool], nn.Module]
"""Builds a network from its architecture, input channels, output channels, patch size, and deep supervision."""


@dataclass(frozen=True)
class NetworkEntry:
    """A network that a plan may name.

    Attributes:
        builder: Makes it.
        source: Whose code it is.
        summary: What it is, in one line.
        patches: What patch it can work on.
        deep_supervision: Whether it answers at several resolutions in training.
        convolutional: Whether it takes blocks of any size that its strides divide, and computes alike on all.
    """

    builder: Builder
    source: str
    summary: str
    patches: str
    deep_supervision: bool = False
    convolutional: bool = False


def _plain(
    architecture: Architecture, inputs: int, outputs: int, patch_size: Sequence[int], deep_supervision: bool
) -> nn.Module:
    return UNet(architecture, inputs, outputs, residual=False, deep_supervision=deep_supervision)


def _residual(
    architecture: Architecture, inputs: int, outputs: int, patch_size: Sequence[int], deep_supervision: bool
) -> nn.Module:
    return UNet(architecture, inputs, outputs, residual=True, deep_supervision=deep_supervision)


def _single(build: Callable[[Architecture, int, int, Sequence[int]], nn.Module]) -> Builder:
    def builder(
        architecture: Architecture, inputs: int, outputs: int, patch_size: Sequence[int], deep_supervision: bool
    ) -> nn.Module:
        return monai.SingleOutput(build(architecture, inputs, outputs, patch_size), deep_supervision)

    return builder


NETWORKS: dict[str, NetworkEntry] = {
    "plain_unet": NetworkEntry(_plain, "MTANNDetect", "nnU-Net's plain U-Net", "any planned", True, True),
    "residual_unet": NetworkEntry(
        _residual, "MTANNDetect", "nnU-Net's residual-encoder U-Net", "any planned", True, True
    ),
    "attention_unet": NetworkEntry(
        _single(monai.attention_unet), "MONAI", "U-Net with attention gates (Oktay 2018)", "any planned"
    ),
    "unet_plus_plus": NetworkEntry(
        _single(monai.unet_plus_plus), "MONAI", "nested U-Net, U-Net++ (Zhou 2018)", "multiples of 16"
    ),
    "segresnet": NetworkEntry(
        _single(monai.segresnet), "MONAI", "residual encoder-decoder (Myronenko 2018)", "multiples of 8"
    ),
    "swin_unetr": NetworkEntry(
        _single(monai.swin_unetr), "MONAI", "shifted-window transformer (Hatamizadeh 2021)", "multiples of 32"
    ),
    "unetr": NetworkEntry(
        _single(monai.unetr), "MONAI", "vision transformer (Hatamizadeh 2022)", "multiples of 16, one fixed size"
    ),
}


def find_network(name: str) -> NetworkEntry:
    """The network of a name.

    Raises:
        SettingsError: There is none; the message lists those there are.
    """
    if name not in NETWORKS:
        raise SettingsError(f"There is no network '{name}'. Use one of: {', '.join(NETWORKS)}.")
    return NETWORKS[name]


def smallest_block(architecture: Architecture, patch_size: Sequence[int]) -> tuple[int, ...]:
    """The smallest block to try a network on, two voxels wide at its coarsest; its patch, if it takes no other."""
    if not find_network(architecture.network).convolutional:
        return tuple(patch_size)
    steps = [math.prod(along) for along in zip(*architecture.strides, strict=True)]
    return tuple(min(size, 2 * step) for size, step in zip(patch_size, steps, strict=True))


def build_network(
    architecture: Architecture, inputs: int, outputs: int, patch_size: Sequence[int], deep_supervision: bool = False
) -> nn.Module:
    """Build the network that an architecture names, with weights drawn by torch's global generator.

    Called in training under deep supervision, it returns a list of logits from the finest resolution to the coarsest
    (of one, where the network answers at full resolution only); otherwise one tensor (batch, outputs, …).

    Args:
        architecture: Its name and shape.
        inputs: Input channels.
        outputs: Output channels.
        patch_size: Size of the patches that it will see, which also says whether it has two or three dimensions.
        deep_supervision: Whether it answers with a list in training.

    Raises:
        SettingsError: The name is unknown, or the network cannot work on such patches.
    """
    entry = find_network(architecture.network)
    if len(architecture.strides[0]) != len(patch_size):
        raise SettingsError(
            f"The architecture has {len(architecture.strides[0])} dimensions; its patch has {len(patch_size)}. "
            "Give both the same number in plan.json."
        )
    return entry.builder(architecture, inputs, outputs, tuple(patch_size), deep_supervision)
