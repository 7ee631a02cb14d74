"""Varying patches as nnU-Net does, from given random numbers.

Chances and ranges are those of its standard trainer (https://github.com/MIC-DKFZ/nnUNet, ``nnUNetTrainer.py``, version
2.8). In space: turning, scaling, mirroring. In intensity: noise, blur, brightness, contrast, low resolution, gamma.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch.nn import functional

_TURN, _SCALE = 0.2, 0.2
"""Chances of being turned and of being scaled."""
_SCALES = (0.7, 1.4)
_ANGLE, _ANGLE_LONG = np.pi / 6, np.pi / 12
"""Largest turn about each axis in three dimensions, and in the plane of patches far from square."""


@dataclass(frozen=True)
class Turn:
    """How a patch lies in its case.

    Attributes:
        size: Size of the patch.
        matrix: 3x3, takes an offset from the patch's middle to one in the case.
        mirrored: Axes along which the patch is mirrored in the end.
        is_plain: Whether the patch is a box of the case's own voxels, mirrored at most.
    """

    size: tuple[int, int, int]
    matrix: npt.NDArray[np.float64]
    mirrored: tuple[int, ...] = ()
    is_plain: bool = False

    @classmethod
    def none(cls, size: tuple[int, int, int]) -> "Turn":
        """A patch as it stands in its case."""
        return cls(size, np.eye(3), (), True)


def draw_turn(
    size: tuple[int, int, int], flat: bool, dimensions: int, mirror: bool, random: np.random.Generator
) -> Turn:
    """How a patch lies in its case.

    Args:
        size: Size of the patch.
        flat: Whether slices are turned and scaled each in its plane.
        dimensions: Of the network; a 2-D one has no third axis to mirror.
        mirror: Whether mirroring is allowed.
        random: Where the numbers come from; always the same count of them.
    """
    turned, scaled = random.random(2) < (_TURN, _SCALE)
    angles, scale = random.uniform(-1, 1, 3), random.uniform(*_SCALES)
    flipped = random.random(3) < 0.5
    matrix = np.eye(3)
    if turned and flat:
        wide = max(size[1:]) / min(size[1:]) > 1.5
        matrix = _rotation(0, angles[0] * (_ANGLE_LONG if wide and dimensions == 2 else np.pi))
    elif turned:
        matrix = _rotation(0, angles[0] * _ANGLE) @ _rotation(1, angles[1] * _ANGLE) @ _rotation(2, angles[2] * _ANGLE)
    if scaled:
        matrix = matrix * (np.array([1.0 if flat else scale, scale, scale]))
    axes = tuple(axis for axis in mirror_axes(dimensions) if mirror and flipped[axis])
    return Turn(size, matrix, axes, not (turned or scaled))


def mirror_axes(dimensions: int) -> tuple[int, ...]:
    """Axes, of the three of a case, along which patches are mirrored."""
    return (0, 1, 2) if dimensions == 3 else (1, 2)


def _rotation(axis: int, angle: float) -> npt.NDArray[np.float64]:
    a, b = [other for other in range(3) if other != axis]
    matrix = np.eye(3)
    matrix[a, a] = matrix[b, b] = np.cos(angle)
    matrix[a, b], matrix[b, a] = -np.sin(angle), np.sin(angle)
    return matrix


def vary_intensities(
    image: torch.Tensor, in_mask: Sequence[bool], flat: bool, random: np.random.Generator
) -> torch.Tensor:
    """A patch (channels, three axes) with varied intensities.

    Channels that were normalised within their non-zero voxels stay zero outside of them.
    """
    outside = image == 0
    channels = len(image)
    if random.random() < 0.1:
        image = image + float(np.sqrt(random.uniform(0, 0.1))) * _noise(image, random)
    if random.random() < 0.2:
        image = _each(image, random, 0.5, lambda one: _blur(one, random.uniform(0.5, 1), flat))
    if random.random() < 0.15:
        image = image * _column(random.uniform(0.75, 1.25, channels))
    if random.random() < 0.15:
        image = _each(image, random, 1.0, lambda one: _contrast(one, random.uniform(0.75, 1.25)))
    if random.random() < 0.25:
        image = _each(image, random, 0.5, lambda one: _low_resolution(one, random.uniform(0.5, 1), flat))
    if random.random() < 0.1:
        image = _each(image, random, 1.0, lambda one: -_gamma(-one, random.uniform(0.7, 1.5)))
    if random.random() < 0.3:
        image = _each(image, random, 1.0, lambda one: _gamma(one, random.uniform(0.7, 1.5)))
    keep = torch.tensor(list(in_mask), dtype=torch.bool)[:, None, None, None]
    return image.masked_fill(outside & keep, 0.0)


def _each(
    image: torch.Tensor, random: np.random.Generator, chance: float, change: Callable[[torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    """The image with each channel changed, or not, as chance has it."""
    return torch.stack([change(one) if random.random() < chance else one for one in image])


def _column(values: npt.NDArray[np.float64]) -> torch.Tensor:
    return torch.from_numpy(values).float()[:, None, None, None]


def _noise(image: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
    return torch.from_numpy(random.standard_normal(tuple(image.shape), dtype=np.float32))


def _blur(one: torch.Tensor, sigma: float, flat: bool) -> torch.Tensor:
    deviations = [0.0, sigma, sigma] if flat else [sigma] * 3
    return torch.from_numpy(ndimage.gaussian_filter(one.numpy(), deviations, truncate=3.0, mode="nearest"))


def _contrast(one: torch.Tensor, factor: float) -> torch.Tensor:
    mean = one.mean()
    return ((one - mean) * factor + mean).clamp(one.min(), one.max())


def _low_resolution(one: torch.Tensor, share: float, flat: bool) -> torch.Tensor:
    """Sampled at fewer voxels, and brought back: sharp edges are lost as in a thicker or coarser scan."""
    size = [max(1, round(n * (1.0 if flat and axis == 0 else share))) for axis, n in enumerate(one.shape)]
    coarse = functional.interpolate(one[None, None], size=size, mode="nearest-exact")
    return functional.interpolate(coarse, size=tuple(one.shape), mode="trilinear")[0, 0]


def _gamma(one: torch.Tensor, gamma: float) -> torch.Tensor:
    """Bent intensities, brought back to the mean and deviation that they had."""
    low, extent = one.min(), one.max() - one.min()
    bent = ((one - low) / extent.clamp(min=1e-7)).pow(gamma) * extent + low
    mean, deviation = one.mean(), one.std()
    return (bent - bent.mean()) / bent.std().clamp(min=1e-7) * deviation + mean
