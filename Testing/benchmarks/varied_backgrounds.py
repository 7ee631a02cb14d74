"""The three post-contrast brains of `open_ms` as other scanners might have shown them, with synthetic lesions.

Three backgrounds of one scanner are next to nothing for a model that is to meet scans from anywhere. So each copy gets
another anatomy (turned, bent, stretched, sides swapped), vessels and dura that enhance more or less, things that are
no lesions (`distractors`), and after the lesions another contrast, bias field, point spread, thick slices and noise.
Copies of one background differ in everything but the course of its vessels and folds.

Run, it draws slices of a few copies, to be looked at:

    python Testing/dev.py bench varied_backgrounds --output look.png
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from distractors import add_distractors, smooth_field
from real_scans import scans_folder
from scipy import ndimage
from scipy.spatial.transform import Rotation

from mtann.cases import TrainingCase
from mtann.sampling.lesions import lesions_from_label_map
from mtann.synthetic.insert import SyntheticCase, insert_lesions
from mtann.synthetic.presets import RECIPES
from mtann.volume import Volume
from mtann.volume_io import read_volume

BACKGROUNDS = ("patient07", "patient19", "patient26")

_WHITE = {
    "unit": "image",
    "core_contrast": (-0.65, 0.05),
    "halo_contrast": (-0.25, 0.0),
    "fluid_deviations": 2.5,
    "blur_mm": (0.5, 2.0),
}
_SMALL = {"count": (15, 25), "radius_mm": (1.5, 10.0), "contrast": (0.32, 1.8), "rim_fraction": (0.15, 0.6)}
_RINGS = {**_SMALL, "count": (12, 20), "radius_mm": (3.0, 12.0), "rim_fraction": (0.1, 0.5), "ring": 0.7}
_LARGE = {"count": (3, 5), "radius_mm": (4.0, 32.0), "contrast": (0.28, 1.6), "rim_fraction": (0.06, 0.6)}
_HUGE = {**_LARGE, "count": (2, 3), "radius_mm": (10.0, 32.0), "rim_fraction": (0.06, 0.45), "ring": 0.7}
_TINY = {**_SMALL, "count": (20, 30), "radius_mm": (1.25, 3.0), "contrast": (0.32, 1.4)}
_SHARP = {**_SMALL, "patchy": 0.0, "blur_mm": (0.4, 1.4)}
_RIMS = {**_SHARP, "count": (10, 18), "radius_mm": (3.0, 16.0), "contrast": (0.25, 0.7), "solid": 0.0, "ring": 1.0}
_THIN = {"rim_fraction": (0.08, 0.4), "rim_mm": (1.0, 3.0)}
_NODULES = {**_SHARP, "count": (18, 28), "radius_mm": (1.7, 4.5), "contrast": (0.28, 1.3), "solid": 1.0, "ring": 0.1}
LESIONS = (
    RECIPES["metastasis"].model_copy(update={**_WHITE, **_SMALL}),
    RECIPES["glioma"].model_copy(update={**_WHITE, **_LARGE, "rim_mm": (1.2, 14.0)}),
    RECIPES["metastasis"].model_copy(update={**_WHITE, **_RINGS}),
    RECIPES["glioma"].model_copy(update={**_WHITE, **_HUGE, "rim_mm": (1.5, 14.0)}),
    RECIPES["metastasis"].model_copy(update={**_WHITE, **_TINY, "blur_mm": (0.4, 1.2)}),
    RECIPES["metastasis"].model_copy(update={**_WHITE, **_RIMS, **_THIN}),
    RECIPES["metastasis"].model_copy(update={**_WHITE, **_NODULES}),
)
"""Taken in turn. Contrasts are in shares of white matter's brightness."""

_TURN_DEGREES, _BEND_VOXELS, _STRETCH = 15.0, 4.0, 0.12
_GAMMA, _SLOPE, _BIAS = (-0.35, 1.1), 0.35, 0.3
"""Inversion-prepared scans show grey matter half as bright as white matter; spin echoes do not."""
_MIDDLE = (-0.15, 0.3)
"""How much brighter the middle of a head is than its rim, as it is at 3 T."""
_SHARP_VOXELS, _THICK_VOXELS, _THICK_SHARE = 0.7, 5.0, 0.3
_NOISE = 0.05
_UNIT = 1000.0
_SHADE, _SHADE_CELLS = 0.12, 9
"""Tissue is not of one brightness: deep white matter differs from that near the cortex."""
_WHOLE_BELOW_MM = 10.0
"""A lesion of a smaller radius is taught with its core: its whole rim is seen from there."""
_ENHANCED = 0.25
"""What is brighter than the tissue was by this share of the lesion's contrast enhances."""

Float32 = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]


def training_case(background: str, seed: int) -> TrainingCase:
    """One copy of a background: its image and the lesions in it."""
    random = np.random.default_rng([seed, BACKGROUNDS.index(background)])
    volume = read_volume(scans_folder() / "open_ms" / background / "t1c.nii.gz")
    image = np.asarray(volume.array, dtype=np.float32)
    image, brain = _bent(image, ndimage.binary_fill_holes(image != 0), random)
    image, brain = add_distractors(image, brain, random)
    white = float(np.percentile(image[brain], 75))
    spacing = np.exp(random.uniform(-_STRETCH, _STRETCH, 3))
    geometry = replace(volume.geometry, spacing_xyz_mm=tuple(spacing.tolist()))
    recipe = LESIONS[seed % len(LESIONS)]
    made = insert_lesions([Volume(image / white, geometry, "t1c")], None, recipe, random)
    image = vary_scanner(np.asarray(made.channels[0].array), brain, random)
    labels = enhancing(made, image / white)
    if random.random() < 0.5:
        # Array axis x runs between the patient's sides.
        image, labels = image[:, :, ::-1].copy(), labels[:, :, ::-1].copy()
    lesions = lesions_from_label_map(Volume(labels, geometry, "lesions"), keep_instances=True)
    return TrainingCase(f"{background} {seed}", background, (Volume(image, geometry, "t1c"),), lesions)


def enhancing(made: SyntheticCase, before: Float32) -> npt.NDArray[np.uint8]:
    """The label map (z, y, x), of large lesions without cores and what else does not enhance.

    From the middle of a wide core nothing tells a tumour from a cavity; taught as lesion, cores drown what is to be
    learnt from the rims. From that of a small one the whole rim is seen, while a piece of a thin rim looks like a vein.
    """
    labels, image = np.asarray(made.label_map.array).copy(), np.asarray(made.channels[0].array)
    for lesion, box in zip(made.lesions, ndimage.find_objects(labels), strict=True):
        if lesion.radius_mm <= _WHOLE_BELOW_MM:
            continue
        own = labels[box] == lesion.label
        level = np.median(before[box][own & (before[box] > 0.5)]) if (own & (before[box] > 0.5)).any() else 0.9
        labels[box][own & (image[box] < level + _ENHANCED * lesion.brightness[0].contrast)] = 0
    return labels


def _bent(image: Float32, brain: Bools, random: np.random.Generator) -> tuple[Float32, Bools]:
    """Turn and bend a head a little."""
    turn = Rotation.from_euler("zyx", random.uniform(-_TURN_DEGREES, _TURN_DEGREES, 3), degrees=True).as_matrix()
    bend = random.uniform(0, _BEND_VOXELS)
    middle = (np.array(image.shape) - 1) / 2
    away = np.stack(np.meshgrid(*[np.arange(n) - m for n, m in zip(image.shape, middle, strict=True)], indexing="ij"))
    source = np.tensordot(turn, away, axes=1) + middle[:, None, None, None]
    source += bend * np.stack([smooth_field(image.shape, 5, random) for _ in range(3)])
    inside = ndimage.map_coordinates(brain.astype(np.float32), source, order=1) > 0.5
    moved = ndimage.map_coordinates(image, source, order=3, mode="nearest")
    return np.where(inside, np.maximum(moved, 1.0), 0).astype(np.float32), inside


def vary_scanner(image: Float32, brain: Bools, random: np.random.Generator) -> Float32:
    """An image (z, y, x) in shares of white matter as another scanner might show it; 0 outside the brain."""
    dark = float(np.percentile(image[brain], 2))
    shown = (image - dark) / (1 - dark)
    contrast = np.exp(random.uniform(*_GAMMA))
    shown = np.where(shown < 1, np.sign(shown) * np.minimum(np.abs(shown), 1) ** contrast, shown)
    # What is brighter than white matter stands out more or less, whatever the contrast among tissues is.
    shown = np.where(shown > 1, 1 + (shown - 1) * np.exp(random.uniform(-_SLOPE, _SLOPE)), shown)
    shown = shown * (1 + random.uniform(0, _SHADE) * smooth_field(image.shape, _SHADE_CELLS, random))
    bias = random.uniform(0, _BIAS) * smooth_field(image.shape, 3, random) + random.uniform(*_MIDDLE) * middle(brain)
    shown = shown * np.exp(bias)
    sharp = random.uniform(0, _SHARP_VOXELS)
    shown = _within(brain, shown, lambda part: ndimage.gaussian_filter(part, sharp))
    if random.random() < _THICK_SHARE:
        axis, thick = int(random.choice(3, p=(0.7, 0.15, 0.15))), random.uniform(1.5, _THICK_VOXELS)
        shown = _within(brain, shown, lambda part: thick_slices(part, axis, thick))
    noise = ndimage.gaussian_filter(random.normal(size=image.shape).astype(np.float32), random.uniform(0, 0.6))
    shown += random.uniform(0, _NOISE) * noise / noise.std()
    offset = random.uniform(0.02, 0.5)
    return np.where(brain, np.maximum(shown + offset, 1e-3) * _UNIT, 0).astype(np.float32)


def middle(brain: Bools) -> Float32:
    """1 in the middle of a brain (z, y, x), falling to about 0 at its rim."""
    places = np.argwhere(brain)
    centre, spread = places.mean(axis=0), places.std(axis=0)
    grid = np.meshgrid(*map(np.arange, brain.shape), indexing="ij", sparse=True)
    away = sum(((g - c) / s) ** 2 for g, c, s in zip(grid, centre, spread, strict=True))
    return np.asarray(np.exp(-away / 2), dtype=np.float32)


def _within(brain: Bools, image: Float32, blur) -> Float32:  # type: ignore[no-untyped-def]
    """Blur tissue into tissue only."""
    return np.asarray(blur(image * brain) / np.maximum(blur(brain.astype(np.float32)), 1e-3), dtype=np.float32)


def thick_slices(image: Float32, axis: int, thick: float) -> Float32:
    """As acquired in slices of some voxels' thickness and interpolated back."""
    mean = ndimage.uniform_filter1d(image, max(2, round(thick)), axis)
    length = image.shape[axis]
    at = np.linspace(0, length - 1, max(2, round(length / thick)))
    slices = np.take(mean, np.round(at).astype(int), axis)
    place = np.linspace(0, len(at) - 1, length)
    low = np.minimum(np.floor(place).astype(int), len(at) - 2)
    share = (place - low).reshape([-1 if k == axis else 1 for k in range(3)])
    return np.asarray(np.take(slices, low, axis) * (1 - share) + np.take(slices, low + 1, axis) * share)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="PNG to write")
    parser.add_argument("--seed", type=int, default=0, help="first seed")
    arguments = parser.parse_args()
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(4, 6, figsize=(21, 16))
    for number, pair in enumerate(axes.reshape(-1, 2)):
        case = training_case(BACKGROUNDS[number % len(BACKGROUNDS)], arguments.seed + number)
        image = np.asarray(case.channels[0].array)
        median = float(np.median(image[image > 0]))
        largest = max(case.lesions, key=lambda lesion: lesion.radius_mm or 0.0)
        z, y, _ = np.round(case.channels[0].geometry.index_from_lps(largest.centre_lps_mm)).astype(int)
        for axis, plane in zip(pair, (image[z], image[::-1, y]), strict=True):
            axis.imshow(plane, cmap="gray", vmin=0, vmax=2 * median)
            axis.set_title(f"{case.case}, {len(case.lesions)} lesions")
            axis.axis("off")
    figure.tight_layout()
    figure.savefig(arguments.output, dpi=60)


if __name__ == "__main__":
    main()
