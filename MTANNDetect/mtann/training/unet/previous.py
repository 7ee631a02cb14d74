"""What the previous stage of a cascade found, as further input channels: one a label value."""

import numpy as np
import torch
from scipy import ndimage

from mtann.training.unet.labels import LabelTable

_RESHAPED, _LOST = 0.4, 0.2
"""Chances that a label's outline is moved, and that one of its components is lost."""


def as_channels(indices: torch.Tensor, table: LabelTable) -> torch.Tensor:
    """One channel (labels, ...) for each label value, ascending: 1 where it was found."""
    known = [index for index in range(1, len(table.values)) if index != table.ignored]
    return torch.stack([indices == index for index in known]).float()


def vary_previous(channels: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
    """What was found with other mistakes than the previous stage happened to make, as nnU-Net's cascade learns."""
    varied = channels.clone()
    for number, channel in enumerate(channels):
        reshaped, lost = random.random(2) < (_RESHAPED, _LOST)
        if reshaped:
            radius, grow = int(random.integers(1, 5)), random.random() < 0.5
            change = ndimage.binary_dilation if grow else ndimage.binary_erosion
            varied[number] = torch.from_numpy(change(varied[number].numpy() > 0, iterations=radius)).float()
        if lost:
            components, count = ndimage.label(channel.numpy() > 0)
            if count > 1:
                gone = components == int(random.integers(1, count + 1))
                varied[number][torch.from_numpy(gone)] = 0
    return varied
