"""A small network, small cases and plans: enough to teach a U-Net in seconds."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from mtann.planning.plan import Architecture, Configuration, Intensities, Plan
from mtann.training.unet.labels import LabelTable
from mtann.training.unet.store import store_case

INTENSITIES = Intensities(mean=0, std=1, median=0, percentile_00_5=-1, percentile_99_5=1, minimum=-2, maximum=2)


class TwoLevels(nn.Module):
    """Answers at full and half resolution."""

    def __init__(self, channels: int = 1, outputs: int = 2, dimensions: int = 3) -> None:
        super().__init__()
        convolution = nn.Conv3d if dimensions == 3 else nn.Conv2d
        self.first = convolution(channels, 6, 3, padding=1)
        self.down = convolution(6, 8, 3, stride=2, padding=1)
        self.coarse = convolution(8, outputs, 1)
        self.fine = convolution(14, outputs, 1)

    def forward(self, images: torch.Tensor):
        first = functional.leaky_relu(self.first(images))
        down = functional.leaky_relu(self.down(first))
        back = functional.interpolate(down, size=first.shape[2:], mode="nearest")
        fine = self.fine(torch.cat([first, back], dim=1))
        return [fine, self.coarse(down)] if self.training else fine


def two_levels(channels: int = 1, outputs: int = 2, dimensions: int = 3, seed: int = 0) -> TwoLevels:
    torch.manual_seed(seed)
    return TwoLevels(channels, outputs, dimensions)


def small_plan(patch=(8, 8, 8), batch_size: int = 2, channels: int = 1, **values) -> Plan:
    dimensions = len(patch)
    ones, twos, threes = (1,) * dimensions, (2,) * dimensions, (3,) * dimensions
    shape = Architecture(
        features=(4, 6),
        kernel_sizes=(threes, threes),
        strides=(ones, twos),
        encoder_blocks=(1, 1),
        decoder_convolutions=(1,),
    )
    configuration = Configuration(
        name="2d" if dimensions == 2 else "3d_fullres",
        spacing=(1.0,) * dimensions,
        median_size=(16,) * dimensions,
        patch_size=patch,
        batch_size=batch_size,
        normalisation=("z_score",) * channels,
        normalise_in_mask=(False,) * channels,
        batch_dice=True,
        architecture=shape,
    )
    names = tuple(f"channel{number}" for number in range(channels))
    return Plan(
        **{
            "name": "small",
            "channels": names,
            "labels": {"ball": (1,)},
            "intensities": (INTENSITIES,) * channels,
            "configurations": (configuration,),
            **values,
        }
    )


def ball_image(shape=(16, 14, 12), seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A bright ball in noise, and its label map."""
    random = np.random.default_rng(seed)
    centre = random.uniform(4, np.array(shape) - 5)
    distance = np.sqrt(((np.indices(shape).T - centre) ** 2).sum(-1).T)
    labels = (distance < 3).astype(np.uint8)
    return (random.normal(0, 0.3, shape) + 2 * labels).astype(np.float32), labels


def ball_cases(folder, count: int = 3, plan: Plan | None = None, shape=(16, 14, 12)):
    table = LabelTable.of(plan or small_plan())
    cases = []
    for number in range(count):
        image, labels = ball_image(shape, number)
        cases.append(store_case(folder / f"key{number}", f"case{number}", image[None], table.index(labels, "c"), table))
    return cases
