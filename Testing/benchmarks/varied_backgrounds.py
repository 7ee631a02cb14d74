"""The three post-contrast brains of `open_ms` as other scanners might have shown them, with synthetic lesions.

Three backgrounds of one scanner are next to nothing for a model that is to meet scans from anywhere. So each copy gets
another anatomy's size (voxels stretched by up to a tenth, sides swapped), another contrast (gamma), bias field, point
spread (also across slices, as of thick ones) and noise. Lesions are inserted first, so that it acts on them, too.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from real_scans import scans_folder
from scipy import ndimage

from mtann.cases import TrainingCase
from mtann.sampling.lesions import lesions_from_label_map
from mtann.synthetic.insert import insert_lesions
from mtann.synthetic.presets import recipe_named
from mtann.volume import Volume
from mtann.volume_io import read_volume

BACKGROUNDS = ("patient07", "patient19", "patient26")
RECIPES = ("metastasis", "glioma", "glioma")
"""Taken in turn: two copies with tumours of a glioma's kind for each with metastases."""

_STRETCH = 0.1
_GAMMA = 0.35
_BIAS = 0.25
_SHARP_VOXELS, _THICK_VOXELS, _THICK_SHARE = 0.7, 1.8, 0.35
_NOISE = 0.04
_INSIDE, _OUTSIDE = 1000.0, 50.0

Float32 = npt.NDArray[np.float32]


def training_case(background: str, seed: int) -> TrainingCase:
    """One copy of a background: its image and the lesions in it."""
    random = np.random.default_rng([seed, BACKGROUNDS.index(background)])
    volume = read_volume(scans_folder() / "open_ms" / background / "t1c.nii.gz")
    recipe = recipe_named(RECIPES[seed % len(RECIPES)])
    made = insert_lesions([volume], None, recipe, random, names=["t1c"])
    brain = ndimage.binary_fill_holes(volume.array != 0)
    image = vary_scanner(np.asarray(made.channels[0].array, dtype=np.float32), brain, random)
    labels = np.asarray(made.label_map.array)
    spacing = np.array(volume.geometry.spacing_xyz_mm) * np.exp(random.uniform(-_STRETCH, _STRETCH, 3))
    geometry = replace(volume.geometry, spacing_xyz_mm=tuple(spacing.tolist()))
    if random.random() < 0.5:
        # Array axis x runs between the patient's sides.
        image, labels = image[:, :, ::-1].copy(), labels[:, :, ::-1].copy()
    lesions = lesions_from_label_map(Volume(labels, geometry, "lesions"), keep_instances=True)
    return TrainingCase(f"{background} {seed}", background, (Volume(image, geometry, "t1c"),), lesions)


def vary_scanner(image: Float32, brain: npt.NDArray[np.bool_], random: np.random.Generator) -> Float32:
    """The image (z, y, x) as another scanner might show it; 0 outside the brain, as it was."""
    dark, bright = np.percentile(image[brain], [1, 99.5])
    shown = (image - dark) / (bright - dark)
    shown = np.sign(shown) * np.abs(shown) ** np.exp(random.uniform(-_GAMMA, _GAMMA))
    shown = shown * np.exp(random.uniform(0, _BIAS) * _smooth_field(image.shape, random))
    in_plane = random.uniform(0, _SHARP_VOXELS)
    across = random.uniform(_SHARP_VOXELS, _THICK_VOXELS) if random.random() < _THICK_SHARE else in_plane
    sigma = (across, in_plane, in_plane)
    # Only tissue is blurred into tissue.
    shown = ndimage.gaussian_filter(shown * brain, sigma) / np.maximum(
        ndimage.gaussian_filter(brain.astype(np.float32), sigma), 1e-3
    )
    noise = ndimage.gaussian_filter(random.normal(size=image.shape).astype(np.float32), random.uniform(0, 0.5))
    shown += random.uniform(0, _NOISE) * noise / noise.std()
    return np.where(brain, shown * _INSIDE + _OUTSIDE, 0).astype(np.float32)


def _smooth_field(shape: tuple[int, ...], random: np.random.Generator) -> Float32:
    """A smooth field between -1 and 1 from a coarse lattice of random values."""
    lattice = random.normal(size=(3, 3, 3))
    field = ndimage.zoom(lattice, [n / 3 for n in shape], order=3, mode="nearest", grid_mode=True)
    return np.asarray(field / np.abs(field).max(), dtype=np.float32)
