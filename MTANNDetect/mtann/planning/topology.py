"""How often a patch can be halved along each axis, and with which kernels: nnU-Net's rules.

(Isensee et al., Nat Methods 18:203, 2021.) Axes are halved together once their spacings are within a factor of two, as
long as at least four voxels are left. A kernel leaves out an axis until its spacing is within a factor of two of the
finest.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

LEAST_EDGE = 4
"""Voxels that are left along each halved axis in the coarsest stage."""


@dataclass(frozen=True)
class Topology:
    """The stages of a U-Net.

    Attributes:
        patch_size: The patch, enlarged to what can be halved that often.
        strides: Downsampling into each stage; ones for the first.
        kernel_sizes: Convolution kernel of each stage.
        multiples: What the patch's size is a multiple of, along each axis.
    """

    patch_size: tuple[int, ...]
    strides: tuple[tuple[int, ...], ...]
    kernel_sizes: tuple[tuple[int, ...], ...]
    multiples: tuple[int, ...]

    @property
    def stages(self) -> int:
        """Number of stages."""
        return len(self.strides)


def make_topology(spacing: Sequence[float], size: Sequence[float]) -> Topology:
    """The stages for a patch of about a size on a grid of a spacing (any unit, the same axes)."""
    axes = range(len(spacing))
    spacings, sizes = [float(one) for one in spacing], [float(one) for one in size]
    kernel, multiples = [1] * len(axes), [1] * len(axes)
    strides, kernels = [(1,) * len(axes)], []
    while halved := _axes_to_halve(spacings, sizes):
        finest = min(spacings)
        kernel = [3 if kernel[axis] == 3 or spacings[axis] / finest < 2 else 1 for axis in axes]
        for axis in halved:
            spacings[axis] *= 2
            sizes[axis] = math.ceil(sizes[axis] / 2)
            multiples[axis] *= 2
        strides.append(tuple(2 if axis in halved else 1 for axis in axes))
        kernels.append(tuple(kernel))
    kernels.append((3,) * len(axes))
    patch_size = tuple(math.ceil(one / multiple) * multiple for one, multiple in zip(size, multiples, strict=True))
    return Topology(patch_size, tuple(strides), tuple(kernels), tuple(multiples))


def _axes_to_halve(spacings: Sequence[float], sizes: Sequence[float]) -> list[int]:
    """The axes that the next stage halves; none after the last stage."""
    large = [axis for axis, size in enumerate(sizes) if size >= 2 * LEAST_EDGE]
    if not large:
        return []
    finest = min(spacings[axis] for axis in large)
    alike = [axis for axis in large if spacings[axis] / finest < 2]
    # A single axis is halved only where more is left of it.
    return alike if len(alike) > 1 or sizes[alike[0]] >= 3 * LEAST_EDGE else []
