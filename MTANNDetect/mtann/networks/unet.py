"""The planned U-Net: plain, or with a residual encoder, in two or three dimensions.

The networks of nnU-Net v2 (Isensee et al., Nat Methods 18:203, 2021; residual encoder: Isensee et al., MICCAI 2024),
computing the same from the same weights. Strided convolutions go down, transposed convolutions come up. Under deep
supervision each stage of the decoder answers at its own resolution.

A parameter's name is that of nnU-Net's checkpoints, which hold some tensors two or three times: leave out the names
that contain ``all_modules`` or begin with ``decoder.encoder.``, and the rest are exactly these.
"""

import torch
from torch import nn

from mtann.errors import SettingsError
from mtann.networks.blocks import CONVOLUTIONS, TRANSPOSED, ConvStack, ResidualStack, initialise
from mtann.planning.plan import Architecture


class Encoder(nn.Module):
    """The way down: a stage of convolutions, or of residual blocks after a stem, for each resolution."""

    def __init__(self, architecture: Architecture, inputs: int, residual: bool) -> None:
        super().__init__()
        self.stem: ConvStack | None = None
        stages: list[nn.Module] = []
        if residual:
            kernel = architecture.kernel_sizes[0]
            self.stem = ConvStack(1, inputs, architecture.features[0], kernel, (1,) * len(kernel))
            inputs = architecture.features[0]
        shapes = zip(
            architecture.encoder_blocks,
            architecture.features,
            architecture.kernel_sizes,
            architecture.strides,
            strict=True,
        )
        for blocks, features, kernel, stride in shapes:
            if residual:
                stages.append(ResidualStack(blocks, inputs, features, kernel, stride))
            else:
                stages.append(nn.Sequential(ConvStack(blocks, inputs, features, kernel, stride)))
            inputs = features
        self.stages = nn.Sequential(*stages)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """The features of each stage, finest first."""
        if self.stem is not None:
            x = self.stem(x)
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features


class Decoder(nn.Module):
    """The way up. Its stages run from the coarsest to the finest; every one has an output layer of its own."""

    def __init__(self, architecture: Architecture, outputs: int) -> None:
        super().__init__()
        features, dimensions = architecture.features, len(architecture.strides[0])
        transposed, convolution = TRANSPOSED[dimensions], CONVOLUTIONS[dimensions]
        self.stages, self.transpconvs, self.seg_layers = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        ones = (1,) * dimensions
        for level, convolutions in zip(
            reversed(range(len(features) - 1)), architecture.decoder_convolutions, strict=True
        ):
            stride, kernel = architecture.strides[level + 1], architecture.kernel_sizes[level]
            self.transpconvs.append(transposed(features[level + 1], features[level], stride, stride))
            self.stages.append(ConvStack(convolutions, 2 * features[level], features[level], kernel, ones))
            self.seg_layers.append(convolution(features[level], outputs, ones))

    def forward(self, features: list[torch.Tensor], all_levels: bool) -> list[torch.Tensor]:
        """Logits, finest first; of the finest level alone unless all are asked for."""
        x, logits = features[-1], list[torch.Tensor]()
        last = len(self.stages) - 1
        for number, (up, stage, head) in enumerate(zip(self.transpconvs, self.stages, self.seg_layers, strict=True)):
            x = stage(torch.cat((up(x), features[-2 - number]), dim=1))
            if all_levels or number == last:
                logits.insert(0, head(x))
        return logits


class UNet(nn.Module):
    """A U-Net of a planned shape.

    Args:
        architecture: Its shape.
        inputs: Input channels.
        outputs: Output channels.
        residual: Whether the encoder has residual blocks.
        deep_supervision: Whether every level of the decoder answers in training.

    Raises:
        SettingsError: The plan has a single stage, which leaves nothing to come up from.
    """

    def __init__(
        self, architecture: Architecture, inputs: int, outputs: int, residual: bool, deep_supervision: bool
    ) -> None:
        super().__init__()
        if len(architecture.features) < 2:
            raise SettingsError(
                "A U-Net needs at least two stages; the plan has one, since the cases are smaller than eight voxels "
                "along each axis. Plan with finer spacing or larger images."
            )
        self.deep_supervision = deep_supervision
        self.encoder = Encoder(architecture, inputs, residual)
        self.decoder = Decoder(architecture, outputs)
        initialise(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        """Logits (batch, outputs, …); in training under deep supervision a list of them, finest first."""
        all_levels = self.deep_supervision and self.training
        logits: list[torch.Tensor] = self.decoder(self.encoder(x), all_levels)
        return logits if all_levels else logits[0]
