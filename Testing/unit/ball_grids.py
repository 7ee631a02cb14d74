"""Grids of every kind about the same lesions of 3 to 30 mm."""

import numpy as np

from mtann.phantoms.shapes import Sphere
from unit.grids import grid, turned

SPHERES = (
    Sphere((-24.0, -20.0, 0.0), 1.5, 1.0),
    Sphere((22.0, -22.0, 0.0), 3.0, 1.0),
    Sphere((-26.0, 20.0, 0.0), 6.0, 1.0),
    Sphere((14.0, 14.0, 0.0), 15.0, 1.0),
)
OBLIQUE = turned(20, -15, 35)
FLIPPED = np.diag([-1.0, 1.0, -1.0])
PERMUTED = np.array([[0.0, 0, -1], [1, 0, 0], [0, 1, 0]])


def centred(shape_zyx, spacing_xyz, axes=None):
    """A grid whose middle is the world's origin, but for a fraction of a voxel."""
    return grid(shape_zyx, spacing_xyz, axes, (0.1, 0.1, 0.1))


GRIDS = {
    "isotropic": centred((60, 100, 100), (1.0, 1.0, 1.0)),
    "oblique": centred((90, 100, 100), (1.0, 1.0, 1.0), OBLIQUE),
    "flipped": centred((60, 100, 100), (1.0, 1.0, 1.0), FLIPPED),
    "permuted": centred((100, 60, 100), (1.0, 1.0, 1.0), PERMUTED),
    "anisotropic": centred((13, 180, 180), (0.5, 0.5, 5.0)),
    "anisotropic and oblique": centred((19, 180, 180), (0.5, 0.5, 5.0), OBLIQUE),
    "one slice": centred((1, 180, 180), (0.5, 0.5, 1.0)),
}
