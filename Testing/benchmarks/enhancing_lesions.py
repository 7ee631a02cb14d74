"""Brain scans after contrast with made-up enhancing lesions: the test set of `enhancing-lesion-t1c`.

Run, it draws slices of a few cases, to be looked at:

    python Testing/dev.py bench enhancing_lesions --output look.png
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from enhancing_shapes import Field, LesionPlan, Rendering, draw_plan, render, smooth_noise
from real_scans import scans_folder
from scipy import ndimage

from mtann.volume import Volume
from mtann.volume_io import read_volume

BACKGROUNDS = ("patient07", "patient19", "patient26")

_LEVEL_SIGMA_MM = 12.0
_NOISE_SIGMA_MM = 1.0
_LEAST_GAP_MM = 6.0
"""Between lesions, so that each dilated by 2 mm is still on its own."""
_LEAST_SHARE_IN_BRAIN = 0.92
_MOST_BRIGHT_BACKGROUND = 1.25
_MOST_DARK_SHARE = 0.35
_BLUR_VOXELS = 0.5
_TRIES_A_LESION = 400

Box = tuple[slice, slice, slice]


class NoRoomError(ValueError):
    """The background has no room for so many lesions."""


@dataclass(frozen=True)
class InsertedLesion:
    """A lesion and its value in the label map."""

    value: int
    plan: LesionPlan


@dataclass(frozen=True)
class EnhancingCase:
    """A scan with lesions; the label map's values hold rim, core and patches of a lesion together."""

    volume: Volume
    labels: Volume
    lesions: tuple[InsertedLesion, ...]


@dataclass(frozen=True)
class Tissue:
    """What is known of a skull-stripped background.

    Attributes:
        brain: Where it is not 0, and the holes in that.
        level: Brightness of tissue round each voxel, without vessels and fluid.
        calm: The scan without its noise.
        noise: The scan's own noise, without the edges of its anatomy.
    """

    brain: npt.NDArray[np.bool_]
    level: Field
    calm: Field
    noise: Field


def make_case(background: Volume, seed: int, count: int) -> tuple[Volume, Volume]:
    """A skull-stripped scan with ``count`` lesions, and their label map (uint16, values 1 to ``count``)."""
    case = insert_lesions(background, seed, count)
    return case.volume, case.labels


def insert_lesions(background: Volume, seed: int, count: int) -> EnhancingCase:
    """Insert lesions of random kinds, the largest first, each where it fits into the brain.

    A lesion that fits nowhere is drawn anew, so where lesions are many the largest are a little rarer.

    Raises:
        NoRoomError: They do not all fit.
    """
    random = np.random.default_rng([seed, 6021])
    tissue = study(background)
    image = np.asarray(background.array, dtype=np.float64).copy()
    labels = np.zeros(image.shape, dtype=np.uint16)
    plans = sorted((draw_plan(random) for _ in range(count)), key=lambda plan: -plan.diameter_mm)
    inserted = []
    for value, first in enumerate(plans, start=1):
        plan = first
        for _ in range(_TRIES_A_LESION):
            if _insert(plan, value, tissue, background.geometry.spacing_zyx_mm, image, labels, random):
                break
            plan = draw_plan(random)
        else:
            raise NoRoomError(f"'{background.name}' has no room for {count} lesions; found room for {value - 1}.")
        inserted.append(InsertedLesion(value, plan))
    dtype = background.array.dtype
    if np.issubdtype(dtype, np.integer):
        image = np.round(np.clip(image, np.iinfo(dtype).min, np.iinfo(dtype).max))
    return EnhancingCase(
        background.with_array(image.astype(dtype), f"{background.name} with lesions, seed {seed}"),
        background.with_array(labels, f"lesions, seed {seed}"),
        tuple(inserted),
    )


def study(background: Volume) -> Tissue:
    """Measure level and noise of a scan. What differs from its surroundings by more than noise does is anatomy."""
    image = np.asarray(background.array, dtype=np.float64)
    spacing = np.array(background.geometry.spacing_zyx_mm)
    known = image > 0
    middle = float(np.median(image[known]))
    inside = known.astype(np.float64)
    tissue = (known & (image > 0.7 * middle) & (image < 1.3 * middle)).astype(np.float64)
    reach = ndimage.gaussian_filter(tissue, _LEVEL_SIGMA_MM / spacing, truncate=2.5)
    summed = ndimage.gaussian_filter(image * tissue, _LEVEL_SIGMA_MM / spacing, truncate=2.5)
    level = np.where(reach > 0.01, summed / np.maximum(reach, 0.01), middle)
    sigma = _NOISE_SIGMA_MM / spacing
    cover = np.maximum(ndimage.gaussian_filter(inside, sigma), 1e-3)
    noise = np.where(known, image - ndimage.gaussian_filter(image * inside, sigma) / cover, 0.0)
    # The calmest tissue shows noise alone; the median over all would count the folds of the cortex as noise.
    spread = np.sqrt(ndimage.gaussian_filter(noise**2, 3 / spacing))
    deviation = float(np.percentile(spread[known & (reach > 0.5 * reach.max())], 20))
    noise = np.clip(noise, -2 * deviation, 2 * deviation)
    # Fluid can be so dark that it reads 0.
    brain = ndimage.binary_fill_holes(ndimage.binary_closing(known, iterations=2))
    return Tissue(np.asarray(brain), level, image - noise, noise)


def _insert(
    plan: LesionPlan,
    value: int,
    tissue: Tissue,
    spacing_zyx_mm: npt.ArrayLike,
    image: Field,
    labels: npt.NDArray[np.uint16],
    random: np.random.Generator,
) -> bool:
    """Render a lesion at a random place and paint it if it fits there; whether it did."""
    spacing = np.asarray(spacing_zyx_mm, dtype=float)
    centre = random.choice(np.argwhere(tissue.brain)) + random.uniform(-0.5, 0.5, 3)
    reach = np.ceil((1.9 * plan.radius_mm + plan.oedema_mm + 6) / spacing).astype(int)
    start = np.maximum(np.round(centre).astype(int) - reach, 0)
    stop = np.minimum(np.round(centre).astype(int) + reach + 1, image.shape)
    # The necessary part of "fits" that is cheap: the middle of the lesion lies in free brain.
    core = _near(centre, 0.6 * plan.radius_mm, spacing, image.shape)
    if not tissue.brain[core].mean() > 0.9 or labels[core].any():
        return False
    box: Box = tuple(slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))  # type: ignore[assignment]
    grid = np.stack(np.meshgrid(*[np.arange(a, b) for a, b in zip(start, stop, strict=True)], indexing="ij"), axis=-1)
    lesion = render(plan, (grid - centre) * spacing, spacing, random)
    inside = (lesion.distance_mm <= 0) & tissue.brain[box]
    if not _fits(lesion, inside, tissue, box, labels):
        return False
    _paint(plan, lesion, tissue, box, spacing, image, labels, random)
    labels[box][inside] = value
    return True


def _near(centre: Field, radius_mm: float, spacing: Field, shape: tuple[int, ...]) -> Box:
    half = radius_mm / spacing
    z, y, x = (
        slice(max(0, round(c - h)), min(n, round(c + h) + 1)) for c, h, n in zip(centre, half, shape, strict=True)
    )
    return z, y, x


def _fits(lesion: Rendering, inside: npt.NDArray[np.bool_], tissue: Tissue, box: Box, labels: npt.ArrayLike) -> bool:
    """Whether it lies in brain, away from other lesions, and on no large vessel; a small one not in fluid either."""
    voxels = np.count_nonzero(lesion.distance_mm <= 0)
    if not inside.any() or np.count_nonzero(inside) < _LEAST_SHARE_IN_BRAIN * voxels:
        return False
    if np.any(np.asarray(labels)[box][lesion.distance_mm <= _LEAST_GAP_MM]):
        return False
    relative = tissue.calm[box][inside] / tissue.level[box][inside]
    return bool(relative.mean() < _MOST_BRIGHT_BACKGROUND and np.mean(relative < 0.7) < _MOST_DARK_SHARE)


def _paint(
    plan: LesionPlan,
    lesion: Rendering,
    tissue: Tissue,
    box: Box,
    spacing: Field,
    image: Field,
    labels: npt.NDArray[np.uint16],
    random: np.random.Generator,
) -> None:
    brain, level = tissue.brain[box], tissue.level[box]
    # What is painted so far is kept: halos of neighbours add up, but none darkens another lesion.
    under = image[box] - tissue.noise[box]
    if plan.oedema_mm:
        halo = _oedema(plan, lesion, tissue.calm[box] / level, spacing, random)
        under = under * (1 - np.where(labels[box] > 0, 0.0, halo))
    # The scanner's blur acts on light, not on shares, but within a lesion the level hardly changes.
    weight = ndimage.gaussian_filter(lesion.weight, _BLUR_VOXELS)
    bright = ndimage.gaussian_filter(lesion.weight * lesion.factor, _BLUR_VOXELS)
    painted = under * (1 - weight) + level * bright + tissue.noise[box]
    image[box] = np.where(brain, np.maximum(painted, 1.0), image[box])


def _oedema(plan: LesionPlan, lesion: Rendering, relative: Field, spacing: Field, random: np.random.Generator) -> Field:
    """Loss of brightness round a lesion: it spreads in white matter, in fingers, and spares the cortex."""
    fingers = np.exp(0.5 * np.clip(smooth_noise(lesion.distance_mm.shape, 4 / spacing, random), -2, 2))
    falling = np.clip(1 - np.maximum(lesion.distance_mm, 0) / (plan.oedema_mm * fingers), 0, 1) ** 0.5
    white = ndimage.gaussian_filter(np.clip((relative - 0.8) / 0.15, 0, 1), 1.0)
    return np.asarray(random.uniform(0.1, 0.28) * falling * white)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="PNG to write")
    parser.add_argument("--seed", type=int, default=0, help="first seed")
    arguments = parser.parse_args()
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(6, 4, figsize=(14, 21), squeeze=False)
    for row, line in enumerate(axes):
        name = BACKGROUNDS[row % len(BACKGROUNDS)]
        background = read_volume(scans_folder() / "open_ms" / name / "t1c.nii.gz")
        case = insert_lesions(background, arguments.seed + row, len(line))
        middle = float(np.median(background.array[background.array > 0]))
        # Anterior is up.
        origin = "lower" if background.geometry.axes[1, 1] < 0 else "upper"
        for axis, lesion in zip(line, case.lesions, strict=True):
            inside = case.labels.array == lesion.value
            z = int(np.argmax(inside.sum(axis=(1, 2))))
            axis.imshow(case.volume.array[z], cmap="gray", vmin=0, vmax=2 * middle, origin=origin)
            axis.contour(inside[z], [0.5], colors="r", linewidths=0.4)
            axis.set_title(f"{name} {lesion.plan.kind} {lesion.plan.diameter_mm:.0f} mm x{lesion.plan.contrast:.2f}")
            axis.axis("off")
    figure.tight_layout()
    figure.savefig(arguments.output, dpi=70)


if __name__ == "__main__":
    main()
