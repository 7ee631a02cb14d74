"""Resolution levels: the same volume, smoothed to what each level's input grid can carry."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mtann.progress import Run
from mtann.settings import NetworkSettings

FloatVolume = npt.NDArray[np.float32]
Levels = list[list[FloatVolume]]
"""Volumes by level and channel."""

_SMOOTHING_PER_DILATION = 0.4
"""Width of the Gaussian before sampling at a dilation, in voxels per voxel of dilation; none at dilation 1."""
_TRUNCATE = 3.0


def level_volume(volume: FloatVolume, dilation: int, dimensions: int) -> FloatVolume:
    """A channel (z, y, x), or several (..., z, y, x), as the level with this dilation sees it.

    It is smoothed in-plane, and across slices in three dimensions. Outside the volume its edge is replicated.
    """
    if dilation == 1:
        return volume
    sigma = _SMOOTHING_PER_DILATION * dilation
    along = (*[0.0] * (volume.ndim - 3), 0.0 if dimensions == 2 else sigma, sigma, sigma)
    smooth: FloatVolume = ndimage.gaussian_filter(volume, along, mode="nearest", truncate=_TRUNCATE)
    return smooth


def smoothing_reach(dilation: int) -> int:
    """How many voxels away a voxel is still felt after the smoothing for this dilation."""
    return 0 if dilation == 1 else int(_TRUNCATE * _SMOOTHING_PER_DILATION * dilation + 0.5)


def level_volumes(channels: Sequence[FloatVolume], network: NetworkSettings, run: Run | None = None) -> Levels:
    """All channels as every level of a network sees them.

    Raises:
        CancelledError: The user asked to stop.
    """
    run = run or Run()
    levels: Levels = []
    for number, dilation in enumerate(network.dilations):
        run.report("scan", number / len(network.dilations), f"Smoothing for resolution level {number + 1}")
        smoothed = []
        for channel in channels:
            run.check()
            smoothed.append(level_volume(channel, dilation, network.dimensions))
        levels.append(smoothed)
    return levels
