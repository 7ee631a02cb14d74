"""The networks of a U-Net model."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from mtann.models.bundle import ModelBundle, complete_bundle
from mtann.models.unet_card import UNetCard, prefix

if TYPE_CHECKING:
    import torch

State = Mapping[str, "torch.Tensor"]


def make_unet_bundle(card: UNetCard, states: Mapping[tuple[str, str], State]) -> ModelBundle[UNetCard]:
    """Put trained networks and their description together.

    Args:
        card: The description.
        states: The ``state_dict`` of each network by its configuration and fold.
    """
    weights = {
        f"{prefix(configuration, fold)}.{key}": np.ascontiguousarray(tensor.detach().cpu().numpy(), dtype=np.float32)
        for configuration in card.stages
        for fold in card.folds
        for key, tensor in states[configuration, fold].items()
    }
    return complete_bundle(card, weights)
