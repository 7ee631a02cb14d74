"""The shape of an MTANN's input: which neighbours of a voxel it sees."""

import numpy as np
import numpy.typing as npt

_SPHERE_SQUARED_RADIUS = 11
"""7x7x7 grid points with z^2 + y^2 + x^2 <= 11: the 171 inputs of Suzuki's 3-D MTANN."""


def subvolume_offsets(dimensions: int) -> npt.NDArray[np.int64]:
    """Grid offsets (n, 3) in z, y, x of an MTANN's inputs at dilation 1: 171 in three dimensions, 9x9 = 81 in two."""
    if dimensions == 2:
        grid = np.mgrid[0:1, -4:5, -4:5]
        return grid.reshape(3, -1).T.astype(np.int64)
    grid = np.mgrid[-3:4, -3:4, -3:4].reshape(3, -1).T
    sphere: npt.NDArray[np.int64] = grid[(grid**2).sum(axis=1) <= _SPHERE_SQUARED_RADIUS].astype(np.int64)
    return sphere


def kernel_radius_zyx(dimensions: int) -> tuple[int, int, int]:
    """Half-width of the subvolume at dilation 1."""
    return (0, 4, 4) if dimensions == 2 else (3, 3, 3)
