"""Networks of MONAI on a planned patch: they take from a plan the width, and where they can the strides and kernels.

Each says which patches it can work on before it is built. They have one output, at full resolution.
"""

from collections.abc import Sequence
from math import gcd
from typing import Any

import torch
from torch import nn

from mtann.errors import SettingsError
from mtann.optional import require
from mtann.planning.plan import Architecture

MINIMUM_BOTTLENECK = 2  # voxels along an axis in the coarsest stage: instance normalisation needs more than one


class SingleOutput(nn.Module):
    """A network that answers at full resolution only; in training under deep supervision as a list of one."""

    def __init__(self, network: nn.Module, deep_supervision: bool) -> None:
        super().__init__()
        self.network = network
        self.deep_supervision = deep_supervision

    def forward(self, x: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        """Logits (batch, outputs, …); in training under deep supervision a list of one."""
        logits = self.network(x)
        if isinstance(logits, list):  # U-Net++ gives a list in any case
            logits = logits[-1]
        return [logits] if self.deep_supervision and self.training else logits


def attention_unet(architecture: Architecture, inputs: int, outputs: int, patch_size: Sequence[int]) -> nn.Module:
    """U-Net with attention gates (Oktay et al., MIDL 2018), on the plan's features and strides."""
    if len(architecture.features) < 2:
        raise SettingsError("The network 'attention_unet' needs at least two stages; the plan has one.")
    factors = [1] * len(patch_size)
    for stride in architecture.strides:
        factors = [factor * step for factor, step in zip(factors, stride, strict=True)]
    check_patch("attention_unet", patch_size, factors)
    network: nn.Module = _nets("attention_unet").AttentionUnet(
        spatial_dims=len(patch_size),
        in_channels=inputs,
        out_channels=outputs,
        channels=architecture.features,
        strides=architecture.strides[1:],
    )
    return network


def unet_plus_plus(architecture: Architecture, inputs: int, outputs: int, patch_size: Sequence[int]) -> nn.Module:
    """Nested U-Net (Zhou et al., DLMIA 2018): four levels below the finest, each half as fine along every axis."""
    check_patch("unet_plus_plus", patch_size, [16] * len(patch_size))
    given = architecture.features[:5]
    features = (*given, *(given[-1],) * (5 - len(given)), given[0])
    network: nn.Module = _nets("unet_plus_plus").BasicUNetPlusPlus(
        spatial_dims=len(patch_size), in_channels=inputs, out_channels=outputs, features=features
    )
    return network


def segresnet(architecture: Architecture, inputs: int, outputs: int, patch_size: Sequence[int]) -> nn.Module:
    """Residual encoder-decoder (Myronenko, BrainLes 2018): three levels below the finest, each half as fine."""
    check_patch("segresnet", patch_size, [8] * len(patch_size))
    width = architecture.features[0]
    network: nn.Module = _nets("segresnet").SegResNet(
        spatial_dims=len(patch_size),
        init_filters=width,
        in_channels=inputs,
        out_channels=outputs,
        norm=("GROUP", {"num_groups": gcd(8, width)}),
        blocks_down=(1, 2, 2, 4),
        blocks_up=(1, 1, 1),
    )
    return network


def swin_unetr(architecture: Architecture, inputs: int, outputs: int, patch_size: Sequence[int]) -> nn.Module:
    """Shifted-window transformer encoder (Hatamizadeh et al., BrainLes 2021)."""
    check_patch("swin_unetr", patch_size, [32] * len(patch_size))
    network: nn.Module = _nets("swin_unetr").SwinUNETR(
        in_channels=inputs,
        out_channels=outputs,
        feature_size=12 * -(-architecture.features[0] // 12),  # it takes multiples of twelve
        spatial_dims=len(patch_size),
    )
    return network


def unetr(architecture: Architecture, inputs: int, outputs: int, patch_size: Sequence[int]) -> nn.Module:
    """Vision-transformer encoder (Hatamizadeh et al., WACV 2022); it works on patches of the planned size alone."""
    check_patch("unetr", patch_size, [16] * len(patch_size), minimum=1)
    network: nn.Module = _nets("unetr").UNETR(
        in_channels=inputs,
        out_channels=outputs,
        img_size=tuple(patch_size),
        feature_size=architecture.features[0],
        spatial_dims=len(patch_size),
    )
    return network


def check_patch(
    name: str, patch_size: Sequence[int], factors: Sequence[int], minimum: int = MINIMUM_BOTTLENECK
) -> None:
    """See that a patch can be halved as often as a network does.

    Raises:
        SettingsError: It cannot; the message names the sizes that can.
    """
    if any(size % factor for size, factor in zip(patch_size, factors, strict=True)):
        wanted = " x ".join(map(str, factors))
        found = " x ".join(map(str, patch_size))
        raise SettingsError(
            f"The network '{name}' needs a patch whose size is a multiple of {wanted} voxels; the plan has {found}. "
            "Change patch_size in plan.json, or take another network ('mtann networks list')."
        )
    if all(size < minimum * factor for size, factor in zip(patch_size, factors, strict=True)):
        raise SettingsError(
            f"The network '{name}' needs a patch of at least {minimum * max(factors)} voxels along some axis; the plan "
            f"has {' x '.join(map(str, patch_size))}. Take another network ('mtann networks list')."
        )


def _nets(name: str) -> Any:
    require("einops", f"The network '{name}'")
    require("monai", f"The network '{name}'")
    from monai.networks import nets

    return nets
