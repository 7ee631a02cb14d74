"""``plan.json``: every decision about a U-Net that was derived from a data set, with the reasons.

The vocabulary is that of nnU-Net (Isensee et al., Nat Methods 18:203, 2021), so that its own plans can be read into the
same values. Axes of sizes, spacings, kernels and strides are the network's: an image's ``zyx`` in the order of
``Plan.transpose_forward``; a 2-D configuration leaves the first out.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mtann.errors import ModelError
from mtann.settings import Positive, Settings

PLAN_SCHEMA_VERSION = 1

Count = Annotated[int, Field(ge=1)]
Sizes = Annotated[tuple[Count, ...], Field(min_length=2, max_length=3)]
Spacing = Annotated[tuple[Positive, ...], Field(min_length=2, max_length=3)]
Normalisation = Literal["ct", "z_score", "none", "rescale_0_1", "rgb_0_1"]


class Architecture(Settings):
    """A network by its registered name, and its shape. Networks that are no plain U-Net read from it what they can."""

    network: str = Field("plain_unet", description="name in the registry of networks")
    features: tuple[Count, ...] = Field(min_length=1, description="feature maps of each stage, finest first")
    kernel_sizes: tuple[Sizes, ...] = Field(description="convolution kernel of each stage")
    strides: tuple[Sizes, ...] = Field(description="downsampling into each stage; ones for the first")
    encoder_blocks: tuple[Count, ...] = Field(description="convolutions (plain) or residual blocks of each stage")
    decoder_convolutions: tuple[Count, ...] = Field(description="convolutions of each decoder stage; one fewer")

    @model_validator(mode="after")
    def _stages_agree(self) -> "Architecture":
        stages = len(self.features)
        found = (
            len(self.kernel_sizes),
            len(self.strides),
            len(self.encoder_blocks),
            len(self.decoder_convolutions) + 1,
        )
        if set(found) != {stages}:
            raise ValueError(
                f"features name {stages} stages; kernel_sizes, strides, encoder_blocks and decoder_convolutions + 1 "
                f"name {found}"
            )
        return self


class Intensities(Settings):
    """A channel's intensities in the foreground of all cases."""

    mean: float
    std: float = Field(ge=0)
    median: float
    percentile_00_5: float
    percentile_99_5: float
    minimum: float
    maximum: float


class Configuration(Settings):
    """One of the planned variants."""

    name: str = Field(description="2d, 3d_fullres, 3d_lowres or 3d_cascade_fullres")
    spacing: Spacing = Field(description="of the network's grid, in mm")
    median_size: Sizes = Field(description="median size of the cases on that grid, in voxels")
    patch_size: Sizes
    batch_size: Count
    normalisation: tuple[Normalisation, ...] = Field(min_length=1, description="of each channel")
    normalise_in_mask: tuple[bool, ...] = Field(description="whether a channel is measured in its non-zero voxels only")
    batch_dice: bool = Field(description="whether the Dice loss is taken over the batch as one image")
    architecture: Architecture
    previous: str | None = Field(None, description="the configuration whose segmentation is an additional input")

    @property
    def dimensions(self) -> int:
        """2 or 3."""
        return len(self.patch_size)


class Plan(Settings):
    """The content of ``plan.json``.

    ``labels`` maps a name to the label values that belong to it: one value for ordinary labels, several for regions,
    which may overlap. Background is not listed. With regions, ``region_order`` gives the value that each region is
    written with, later ones over earlier ones.
    """

    schema_version: Literal[1] = 1
    name: str
    channels: tuple[str, ...] = Field(min_length=1, description="channel names, in order")
    labels: dict[str, tuple[int, ...]]
    region_order: tuple[int, ...] = Field((), description="label value of each region, if there are regions")
    ignore_label: int | None = Field(None, description="label value of voxels that are not annotated")
    transpose_forward: tuple[int, int, int] = Field((0, 1, 2), description="which of the axes z, y, x come first")
    intensities: tuple[Intensities, ...] = Field(description="of each channel, from the fingerprint")
    configurations: tuple[Configuration, ...] = Field(min_length=1)
    reasons: tuple[str, ...] = Field((), description="why each decision was made, in words")

    @model_validator(mode="after")
    def _parts_agree(self) -> "Plan":
        if len(self.intensities) != len(self.channels):
            raise ValueError(f"{len(self.channels)} channels but intensities of {len(self.intensities)}")
        if self.region_order and len(self.region_order) != len(self.labels):
            raise ValueError(f"{len(self.labels)} labels but a region order of {len(self.region_order)}")
        if sorted(self.transpose_forward) != [0, 1, 2]:
            raise ValueError(
                f"transpose_forward must name each of the axes 0, 1, 2 once, found {self.transpose_forward}"
            )
        known = [configuration.name for configuration in self.configurations]
        for configuration in self.configurations:
            if len(configuration.normalisation) != len(self.channels):
                raise ValueError(
                    f"configuration '{configuration.name}' does not normalise {len(self.channels)} channels"
                )
            if configuration.previous is not None and configuration.previous not in known:
                raise ValueError(
                    f"configuration '{configuration.name}' follows '{configuration.previous}', not planned"
                )
        return self

    @property
    def has_regions(self) -> bool:
        """Whether labels may overlap, so that each has a sigmoid of its own instead of one softmax for all."""
        return bool(self.region_order)

    @property
    def transpose_backward(self) -> tuple[int, ...]:
        """The way back from the network's order of axes to z, y, x."""
        return tuple(self.transpose_forward.index(axis) for axis in range(3))

    @property
    def outputs(self) -> int:
        """The network's output channels: a region each, or background and each label."""
        return len(self.labels) + (0 if self.has_regions else 1)

    def configuration(self, name: str) -> Configuration:
        """The configuration of a name.

        Raises:
            ModelError: There is none.
        """
        for configuration in self.configurations:
            if configuration.name == name:
                return configuration
        known = ", ".join(configuration.name for configuration in self.configurations)
        raise ModelError(f"The plan '{self.name}' has no configuration '{name}'. Use one of: {known}.")
