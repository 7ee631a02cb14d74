"""Tensors of a trained U-Net under nnU-Net's names and under ours, which are the same but for nnU-Net's duplicates."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    Tensors = Mapping[str, torch.Tensor]

_SECOND_NAMES = ("conv", "norm")


def from_nnunet(weights: "Tensors") -> "dict[str, torch.Tensor]":
    """A checkpoint's tensors, each once."""
    return {
        name: tensor
        for name, tensor in weights.items()
        if ".all_modules." not in name and not name.startswith("decoder.encoder.")
    }


def to_nnunet(weights: "Tensors") -> "dict[str, torch.Tensor]":
    """A network's tensors under every name that nnU-Net stores them by."""
    named = dict(weights)
    for name, tensor in weights.items():
        *path, module, kind = name.split(".")
        # Each unit lists its convolution and its normalisation once more, by number.
        if module in _SECOND_NAMES and len(path) > 1:
            named[".".join([*path, "all_modules", str(_SECOND_NAMES.index(module)), kind])] = tensor
    named.update({f"decoder.{name}": tensor for name, tensor in named.items() if name.startswith("encoder.")})
    return named
