"""The MTANN: a small regression network on a subvolume, giving one value for its centre voxel.

Suzuki et al., Med Phys 30:1602 (2003) and Med Phys 33:3814 (2006): f(x) = v . sigmoid(W x + b) + c with linear output.
Here x holds the subvolume in one or more channels and at one or more resolution levels. The first layer's weights are
kept one number an input, so that the network can be evaluated on gathered subvolumes (training) and by convolution
(scanning) alike.

Every parameter has a leading axis of members: networks of one shape that are trained and evaluated as one batched
computation, be they experts, folds or repetitions with other seeds. They share nothing.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from mtann.sampling.kernel import KernelBox, kernel_boxes, subvolume_offsets
from mtann.settings import NetworkSettings


class MTANN(nn.Module):
    """One or two hidden layers (sigmoid, then tanh) and a linear output.

    Args:
        settings: Subvolume and hidden layers.
        channels: Number of input channels.
        seeds: One member a seed, its weights drawn from that seed alone.

    Raises:
        ValueError: The settings name no resolution level; training chooses them before it makes a network.
    """

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, settings: NetworkSettings, channels: int, seeds: Sequence[int] = (0,)) -> None:
        super().__init__()
        if not settings.dilations:
            raise ValueError("An MTANN needs at least one resolution level; its settings have no dilations.")
        self.settings = settings
        self.channels = channels
        self.members = members = len(seeds)
        levels, first = len(settings.dilations), settings.hidden[0]
        offsets = len(subvolume_offsets(settings))
        self.first_weight = nn.Parameter(torch.empty(members, first, channels, levels, offsets))
        self.first_bias = nn.Parameter(torch.zeros(members, first))
        self.second_weight: nn.Parameter | None = None
        self.second_bias: nn.Parameter | None = None
        if len(settings.hidden) == 2:
            self.second_weight = nn.Parameter(torch.empty(members, settings.hidden[1], first))
            self.second_bias = nn.Parameter(torch.empty(members, settings.hidden[1]))
        self.output_weight = nn.Parameter(torch.empty(members, settings.hidden[-1]))
        self.output_bias = nn.Parameter(torch.empty(members))
        # One mean and one deviation a channel and level, measured on the training subvolumes.
        self.register_buffer("mean", torch.zeros(members, channels, levels))
        self.register_buffer("deviation", torch.ones(members, channels, levels))
        for member, seed in enumerate(seeds):
            self._initialise(member, torch.Generator().manual_seed(seed))

    @torch.no_grad()
    def _initialise(self, member: int, random: torch.Generator) -> None:
        first = self.first_weight[member]
        first.normal_(std=first[0].numel() ** -0.5, generator=random)
        for weight, bias in ((self.second_weight, self.second_bias), (self.output_weight, self.output_bias)):
            if weight is not None and bias is not None:
                limit = weight.shape[-1] ** -0.5
                weight[member].uniform_(-limit, limit, generator=random)
                bias[member].uniform_(-limit, limit, generator=random)

    def forward(self, subvolumes: torch.Tensor) -> torch.Tensor:
        """Outputs (members, batch) for normalised intensities (members or 1, batch, channels, levels, offsets)."""
        return self.finish(self.sums(subvolumes))

    def sums(
        self,
        subvolumes: torch.Tensor,
        order: torch.Tensor | None = None,
        scale: torch.Tensor | None = None,
        shift: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """The first layer's sums (members, batch, hidden) for normalised intensities.

        Args:
            subvolumes: (members, batch, channels, levels, offsets); a first axis of 1 gives all members one batch.
            order: (members, offsets), turns each network about its centre voxel: far cheaper than turning a batch.
            scale: (members, batch, channels), multiplies a sample's intensities in a channel.
            shift: The same, added after that, in standard deviations of the finest level.
        """
        weight = self.first_weight / self.deviation[:, None, :, :, None]
        if order is not None:
            weight = torch.take_along_dim(weight, order[:, None, None, None, :], dim=-1)
        bias = self.first_bias - torch.einsum("mhclo,mcl->mh", weight, self.mean)
        by_channel = weight.flatten(3)
        sums = bias[:, None, :]
        for channel in range(self.channels):
            # Intensities are varied on the sums, which are far fewer than the inputs.
            part = torch.matmul(subvolumes[:, :, channel].flatten(2), by_channel[:, :, channel].transpose(1, 2))
            if scale is not None:
                part = part * scale[:, :, channel, None]
            if shift is not None:
                moved = by_channel[:, :, channel].sum(-1) * self.deviation[:, channel, :1]
                part = part + shift[:, :, channel, None] * moved[:, None, :]
            sums = sums + part
        return sums

    def finish(self, sums: torch.Tensor) -> torch.Tensor:
        """Outputs (members, n) from the first layer's sums (members, n, hidden)."""
        return self.answer(self.activations(sums))

    def activations(self, sums: torch.Tensor) -> torch.Tensor:
        """The last hidden layer (members, n, hidden) from the first layer's sums."""
        hidden = torch.sigmoid(sums)
        if self.second_weight is not None and self.second_bias is not None:
            hidden = torch.baddbmm(self.second_bias[:, None, :], hidden, self.second_weight.transpose(1, 2)).tanh()
        return hidden

    def answer(self, hidden: torch.Tensor) -> torch.Tensor:
        """Outputs (members, n) from the last hidden layer (members, n, hidden)."""
        return torch.baddbmm(self.output_bias[:, None, None], hidden, self.output_weight[:, :, None]).squeeze(-1)

    def finish_maps(self, sums: torch.Tensor) -> torch.Tensor:
        """Outputs (..., members, n) from the first layer's sums (..., members x hidden, n), which it overwrites."""
        hidden = sums.sigmoid_().view(*sums.shape[:-2], self.members, -1, sums.shape[-1])
        if self.second_weight is not None and self.second_bias is not None:
            hidden = torch.matmul(self.second_weight, hidden).add_(self.second_bias[:, :, None]).tanh_()
        return torch.matmul(self.output_weight[:, None, :], hidden).squeeze(-2) + self.output_bias[:, None]

    def convolution(self) -> tuple[list[list[tuple[KernelBox, torch.Tensor]]], torch.Tensor]:
        """The first layer as convolution kernels on normalised (not standardised) volumes.

        Returns:
            For each level, the subvolume's boxes with their kernels (members, hidden, channels, kz, ky, kx) for torch's
            cross-correlation at the level's dilation; and the bias (members, hidden) that takes up the standardisation.
        """
        offsets = subvolume_offsets(self.settings)
        scaled = self.first_weight / self.deviation[:, None, :, :, None]
        levels = []
        for level in range(scaled.shape[3]):
            kernels = []
            for box in kernel_boxes(self.settings):
                radius = np.array(box.radius_zyx)
                z, y, x = torch.as_tensor((offsets[box.inputs] + radius).T, device=scaled.device)
                kernel = scaled.new_zeros(*scaled.shape[:3], *(2 * radius + 1).tolist())
                kernel[..., z, y, x] = scaled[:, :, :, level, box.inputs]
                kernels.append((box, kernel))
            levels.append(kernels)
        return levels, self.first_bias - torch.einsum("mhclo,mcl->mh", scaled, self.mean)

    def member(self, numbers: Sequence[int]) -> "MTANN":
        """A network of some of the members, with copies of their weights."""
        part = MTANN(self.settings, self.channels, [0] * len(numbers))
        part.load_state_dict({name: tensor[list(numbers)] for name, tensor in self.state_dict().items()})
        return part.to(self.first_bias.device).train(self.training)
