"""Phantoms that no threshold can segment: balls (lesions) among tubes and slabs of the same brightness, in noise.

Frozen: the figures in RESULTS.md hold for these settings, and the phantoms are not made easier. What tells a lesion
from the rest is its shape alone: brightness and noise are drawn alike for both, and widths overlap.
"""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from candidate_phantoms import Kind, distance
from scipy import ndimage

from mtann.geometry import Geometry
from mtann.volume import Volume
from mtann.volume_io import write_volume

EDGE_VOXELS = 28
RADII_VOXELS = (3.5, 5.0)
CONTRASTS = (1.0, 1.6)
NOISE = 0.3
BACKGROUND = 0.2
"""Deviation of the smooth background; contrasts and noise are in the same units."""
_BACKGROUND_SIGMA_VOXELS = 6.0
_GAP_VOXELS = 1.5
_TRIES = 200
_WIDTHS = {"sphere": 1.0, "cylinder": 0.6, "slab": 0.4}
"""Radii of the shapes (of a slab: half its thickness) in those of balls, so that they hold about as many voxels."""
GEOMETRY = Geometry((EDGE_VOXELS,) * 3, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))


@dataclass(frozen=True)
class ShapePhantom:
    """An image and the label map of its balls."""

    image: npt.NDArray[np.float32]
    labels: npt.NDArray[np.uint8]


def make_phantom(seed: int) -> ShapePhantom:
    """The phantom of a seed: a tube, a slab, two balls and, where there is room, another tube; none touch."""
    random = np.random.default_rng([seed, 488])
    shape = GEOMETRY.shape_zyx
    smooth = ndimage.gaussian_filter(random.standard_normal(shape), _BACKGROUND_SIGMA_VOXELS, mode="wrap")
    image = BACKGROUND * smooth / smooth.std() + NOISE * random.standard_normal(shape)
    labels = np.zeros(shape, dtype=np.uint8)
    taken = np.zeros(shape, dtype=bool)
    kinds: list[Kind] = ["cylinder", "slab", "sphere", "sphere", "cylinder"]
    for kind in kinds:
        share = _place(kind, taken, random)
        if share is None:
            continue  # no room left
        taken |= share > 0
        image += random.uniform(*CONTRASTS) * share
        if kind == "sphere":
            labels[share > 0.5] = 1
    return ShapePhantom(image.astype(np.float32), labels)


def _place(kind: Kind, taken: npt.NDArray[np.bool_], random: np.random.Generator) -> npt.NDArray[np.float64] | None:
    """A shape's share of each voxel, at a place where it touches nothing; None if there is none."""
    blocked = ndimage.distance_transform_edt(~taken) < _GAP_VOXELS if taken.any() else taken
    for _ in range(_TRIES):
        radius = random.uniform(*RADII_VOXELS) * _WIDTHS[kind]
        middle = random.uniform(radius, EDGE_VOXELS - 1 - radius, 3)
        points = np.stack(np.meshgrid(*[np.arange(EDGE_VOXELS)] * 3, indexing="ij"), axis=-1) - middle
        share = np.clip(0.5 - distance(kind, points, radius, random), 0, 1)
        if not (blocked & (share > 0)).any():
            return share
    return None


def write_cases(folder: Path, cases: int, first_seed: int = 0) -> Path:
    """Write phantoms, their list ``cases.csv`` and ``labels.json``; returns the list."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [["case", "patient", "image", "lesions"]]
    for number in range(cases):
        phantom, name = make_phantom(first_seed + number), f"phantom{number:02d}"
        write_volume(Volume(phantom.image, GEOMETRY), folder / f"{name}.nii.gz")
        write_volume(Volume(phantom.labels, GEOMETRY), folder / f"{name}_labels.nii.gz")
        rows.append([name, name, f"{name}.nii.gz", f"{name}_labels.nii.gz"])
    with (folder / "cases.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    (folder / "labels.json").write_text(json.dumps({"ball": 1}), encoding="utf-8")
    return folder / "cases.csv"


def best_threshold_dice(phantoms: list[ShapePhantom]) -> float:
    """The greatest mean Dice that one threshold reaches on all phantoms, chosen on them, smoothed or not."""
    best = 0.0
    for sigma in (0.0, 1.0, 2.0):
        images = [ndimage.gaussian_filter(phantom.image, sigma) if sigma else phantom.image for phantom in phantoms]
        for threshold in np.arange(0.1, 2.5, 0.05):
            dice = [
                _dice(image > threshold, phantom.labels > 0) for image, phantom in zip(images, phantoms, strict=True)
            ]
            best = max(best, float(np.mean(dice)))
    return best


def _dice(found: npt.NDArray[np.bool_], true: npt.NDArray[np.bool_]) -> float:
    return 2 * np.count_nonzero(found & true) / max(1, np.count_nonzero(found) + np.count_nonzero(true))
