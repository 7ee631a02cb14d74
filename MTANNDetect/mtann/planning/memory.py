"""How much memory a U-Net takes in training, as nnU-Net estimates it: the number of values in its feature maps."""

import math
from collections.abc import Sequence

from mtann.planning.plan import Architecture


def feature_values(architecture: Architecture, outputs: int, patch_size: Sequence[int]) -> int:
    """Number of values in the feature maps of all convolutions of a plain or residual U-Net for one patch.

    Only the finest level's answer is counted, not those of deep supervision.
    """
    residual = architecture.network == "residual_unet"
    features = architecture.features
    sizes = _sizes(architecture, patch_size)
    total = features[0] * math.prod(patch_size) if residual else 0
    before, before_size = features[0], tuple(patch_size)
    for blocks, width, size in zip(architecture.encoder_blocks, features, sizes, strict=True):
        values = width * math.prod(size)
        total += blocks * values * (2 if residual else 1)
        if residual and (width != before or size != before_size):
            total += values  # the shortcut's projection
        before, before_size = width, size
    levels = reversed(range(len(features) - 1))
    for convolutions, level in zip(architecture.decoder_convolutions, levels, strict=True):
        total += (convolutions + 1) * features[level] * math.prod(sizes[level])
        total += outputs * math.prod(sizes[level]) if level == 0 else 0
    return total


def _sizes(architecture: Architecture, patch_size: Sequence[int]) -> list[tuple[int, ...]]:
    """The size of each stage's feature maps."""
    sizes, size = [], tuple(patch_size)
    for stride in architecture.strides:
        size = tuple(one // step for one, step in zip(size, stride, strict=True))
        sizes.append(size)
    return sizes
