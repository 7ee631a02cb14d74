"""The MTANN: a small regression network on a subvolume, giving one value for its centre voxel.

Suzuki et al., Med Phys 30:1602 (2003) and Med Phys 33:3814 (2006): f(x) = v . sigmoid(W x + b) + c with linear output.
Here x holds the subvolume at one or more resolution levels and in one or more channels. The first layer's weights are
kept one number an input, shape (hidden, levels, channels, offsets), so that the network can be evaluated on gathered
subvolumes (training) and by convolution (scanning) alike.
"""

from typing import cast

import numpy as np
import torch
from torch import nn

from mtann.sampling.kernel import kernel_radius_zyx, subvolume_offsets
from mtann.settings import NetworkSettings


class MTANN(nn.Module):
    """One or two hidden layers (sigmoid, then tanh) and a linear output.

    Args:
        settings: Subvolume and hidden layers.
        channels: Number of input channels.
    """

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, settings: NetworkSettings, channels: int) -> None:
        super().__init__()
        self.settings = settings
        self.channels = channels
        levels = len(settings.dilations)
        offsets = len(subvolume_offsets(settings.dimensions))
        inputs = levels * channels * offsets
        first = settings.hidden[0]
        self.first_weight = nn.Parameter(torch.randn(first, levels, channels, offsets) / inputs**0.5)
        self.first_bias = nn.Parameter(torch.zeros(first))
        self.second = nn.Linear(first, settings.hidden[1]) if len(settings.hidden) == 2 else None
        self.output = nn.Linear(settings.hidden[-1], 1)
        # One mean and one deviation a level and channel, measured on the training subvolumes.
        self.register_buffer("mean", torch.zeros(levels, channels))
        self.register_buffer("deviation", torch.ones(levels, channels))

    def forward(self, subvolumes: torch.Tensor, order: torch.Tensor | None = None) -> torch.Tensor:
        """Outputs (batch,) for subvolumes (batch, levels, channels, offsets) of normalised intensities.

        ``order`` (offsets,) turns the network about its centre voxel: far cheaper than turning a batch of subvolumes.
        """
        weight = self.first_weight if order is None else self.first_weight[..., order]
        standardised = (subvolumes - self.mean[..., None]) / self.deviation[..., None]
        summed = nn.functional.linear(standardised.flatten(1), weight.flatten(1), self.first_bias)
        return self.finish(summed)

    def finish(self, summed: torch.Tensor) -> torch.Tensor:
        """Outputs (...,) from the first layer's sums (..., hidden)."""
        hidden = torch.sigmoid(summed)
        if self.second is not None:
            hidden = torch.tanh(self.second(hidden))
        return cast(torch.Tensor, self.output(hidden)).squeeze(-1)

    def convolution(self) -> tuple[list[torch.Tensor], torch.Tensor]:
        """The first layer as convolution kernels on raw (not standardised) volumes.

        Returns:
            One kernel (hidden, channels, kz, ky, kx) a level, for torch's cross-correlation with the level's dilation,
            and the bias (hidden,) that takes up the standardisation.
        """
        offsets = subvolume_offsets(self.settings.dimensions)
        radius = np.array(kernel_radius_zyx(self.settings.dimensions))
        z, y, x = torch.as_tensor((offsets + radius).T, device=self.first_weight.device)
        scaled = self.first_weight / self.deviation[..., None]
        kernels = []
        for level in range(scaled.shape[1]):
            kernel = scaled.new_zeros(scaled.shape[0], self.channels, *(2 * radius + 1).tolist())
            kernel[:, :, z, y, x] = scaled[:, level]
            kernels.append(kernel)
        bias = self.first_bias - (scaled * self.mean[..., None]).sum(dim=(1, 2, 3))
        return kernels, bias
