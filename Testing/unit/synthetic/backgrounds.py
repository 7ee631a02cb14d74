"""Plain scans to insert lesions into, and recipes that leave nothing to chance but what a test asks about."""

import numpy as np
from grids import grid

from mtann.synthetic.recipe import LesionRecipe
from mtann.volume import Volume

LEVEL = 1000.0


def even_scan(geometry=None, noise=2.0, seed=0):
    """Tissue of one level with white noise."""
    geometry = geometry or grid((60, 60, 60))
    values = LEVEL + noise * np.random.default_rng(seed).standard_normal(geometry.shape_zyx)
    values[0, 0, 0] = 0.0  # Nothing is painted darker than the darkest tissue.
    return Volume(values.astype(np.float32), geometry, "even.nii.gz")


def plain(**changes):
    """A recipe of even balls with sharp edges in the image's own unit; nothing else changes."""
    values = {
        "unit": "image",
        "tissue": "everything",
        "count": 1,
        "radius_mm": 8.0,
        "contrast": 300.0,
        "core_contrast": -200.0,
        "halo_contrast": 0.0,
        "ellipticity": 0.0,
        "irregularity": 0.0,
        "lobed": 0.0,
        "ring": 0.0,
        "patchy": 0.0,
        "rim_irregularity": 0.0,
        "rim_gap": 0.0,
        "texture": 0.0,
        "transparency": 0.0,
        "edge_mm": 0.0,
        "core_edge_mm": 0.0,
        "halo_mm": 0.0,
        "mass_effect": 0.0,
        "blur_mm": 1.0,
        "noise": 0.0,
        "min_inside": 1.0,
        "fluid_deviations": None,
        "beside": 0.0,
    }
    return LesionRecipe(**{**values, **changes})


def distance_mm(geometry, centre_lps_mm):
    """Distance of every voxel from a point (z, y, x)."""
    points = geometry.lps_from_index(np.moveaxis(np.indices(geometry.shape_zyx), 0, -1))
    return np.linalg.norm(points - np.array(centre_lps_mm), axis=-1)
