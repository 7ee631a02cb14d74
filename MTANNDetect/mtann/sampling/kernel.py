"""The shape of an MTANN's input: which neighbours of a voxel it sees.

A subvolume is made of one or more boxes of grid points, each of which a scan can evaluate by one convolution: a slice's
9x9 square (2-D), three such squares at right angles (2.5-D), or a 7x7x7 cube of which a sphere is used (3-D).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtann.settings import NetworkSettings

Offsets = npt.NDArray[np.int64]

_SPHERE_SQUARED_RADIUS = 11
"""7x7x7 grid points with z^2 + y^2 + x^2 <= 11: the 171 inputs of Suzuki's 3-D MTANN."""


_PAST_THE_RIM = 1.25
_WIDEST, _MOST_LEVELS = 16, 4


@dataclass(frozen=True)
class KernelBox:
    """A box of grid points about the centre voxel, at dilation 1.

    Attributes:
        radius_zyx: Its half-width.
        inputs: Which of the subvolume's inputs lie in it; every input belongs to one box.
    """

    radius_zyx: tuple[int, int, int]
    inputs: slice


def subvolume_offsets(network: NetworkSettings) -> Offsets:
    """Grid offsets (n, 3) in z, y, x of an MTANN's inputs at dilation 1.

    171 within a sphere, 217 in three orthogonal planes that share their axes, 81 in one plane.
    """
    if network.dimensions == 2:
        return _grid((0, 4, 4))
    if network.subvolume == "sphere":
        cube = _grid((3, 3, 3))
        sphere: Offsets = cube[(cube**2).sum(axis=1) <= _SPHERE_SQUARED_RADIUS]
        return sphere
    axial, coronal, sagittal = _grid((0, 4, 4)), _grid((4, 0, 4)), _grid((4, 4, 0))
    # Each input once: a later plane leaves out what an earlier one holds.
    coronal = coronal[coronal[:, 0] != 0]
    sagittal = sagittal[(sagittal[:, 0] != 0) & (sagittal[:, 1] != 0)]
    return np.concatenate([axial, coronal, sagittal])


def kernel_boxes(network: NetworkSettings) -> tuple[KernelBox, ...]:
    """The boxes that a subvolume is made of, in the order of its inputs."""
    if network.dimensions == 2:
        return (KernelBox((0, 4, 4), slice(0, 81)),)
    if network.subvolume == "sphere":
        return (KernelBox((3, 3, 3), slice(0, 171)),)
    return (
        KernelBox((0, 4, 4), slice(0, 81)),
        KernelBox((4, 0, 4), slice(81, 153)),
        KernelBox((4, 4, 0), slice(153, 217)),
    )


def kernel_radius_zyx(network: NetworkSettings) -> tuple[int, int, int]:
    """Half-width of the whole subvolume at dilation 1."""
    z, y, x = np.max([box.radius_zyx for box in kernel_boxes(network)], axis=0)
    return int(z), int(y), int(x)


def _grid(radius_zyx: tuple[int, int, int]) -> Offsets:
    z, y, x = radius_zyx
    grid: Offsets = np.mgrid[-z : z + 1, -y : y + 1, -x : x + 1].reshape(3, -1).T.astype(np.int64)
    return grid


def dilations_for(radii_mm: Sequence[float], spacing_mm: float, network: NetworkSettings) -> tuple[int, ...]:
    """Resolution levels that suit lesions of these radii.

    The finest level's grid points are no further apart than the radius of the small ones (10th percentile) divided by
    the subvolume's half-width; the widest level's subvolume reaches a quarter past the rim of the large ones (90th
    percentile). Between them the spacing doubles, or is stretched evenly where that would take more than four levels.
    """
    half = max(kernel_radius_zyx(network))
    small, large = np.percentile(np.asarray(radii_mm, dtype=np.float64) / spacing_mm, (10, 90))
    finest = 2 ** int(np.log2(max(1.0, small / half)))
    widest = min(_WIDEST, max(finest, 2 ** int(np.ceil(np.log2(max(1.0, _PAST_THE_RIM * large / half))))))
    count = min(_MOST_LEVELS, int(np.log2(widest / finest)) + 1)
    levels = np.round(np.geomspace(finest, widest, count)).astype(int)
    return tuple(int(level) for level in np.unique(levels))
