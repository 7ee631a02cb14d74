"""How large a lesion is that was only clicked on.

Lindeberg's automatic scale selection (Int J Comput Vis 30:79, 1998): of the scale-normalised Laplacians of Gaussians
sigma^2 |LoG| about the click, the one that answers most strongly has a sigma of the ball's radius over the square root
of three.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mtann.geometry import Triple
from mtann.sampling.lesions import Lesion
from mtann.volume import Volume

FloatArray = npt.NDArray[np.float64]
L = TypeVar("L", bound=Lesion)

LEAST_RADIUS_MM, GREATEST_RADIUS_MM = 1.5, 20.0
"""Between these a radius is looked for: lesions of 3 to 40 mm."""
_RATIO = 1.15
_REACH_SIGMAS = 4.0
_LEAST_SIGMA_VOXELS = 0.6
_CLICK_MM = 1.5
"""A click is this near to the middle, or a quarter of the radius."""


def with_radii(lesions: Sequence[L], channels: Sequence[Volume], radius_mm: float | None = None) -> tuple[L, ...]:
    """The lesions, those without a radius given this one, or the one estimated from the images."""
    return tuple(
        lesion
        if lesion.radius_mm
        else replace(lesion, radius_mm=radius_mm or estimate_radius_mm(lesion.centre_lps_mm, channels))
        for lesion in lesions
    )


def estimate_radius_mm(click_lps_mm: Triple, channels: Sequence[Volume]) -> float:
    """Radius in mm of the blob at a place that stands out most, in all channels together.

    Each channel counts by how far the blob stands out from its own surroundings. Where nothing stands out the answer is
    as good as any between 1.5 and 20 mm.
    """
    steps = int(np.log(GREATEST_RADIUS_MM / LEAST_RADIUS_MM) / np.log(_RATIO)) + 1
    radii = LEAST_RADIUS_MM * _RATIO ** np.arange(steps + 1)
    strength = np.zeros(len(radii))
    for channel in channels:
        answers = np.array([_response(channel, click_lps_mm, radius) for radius in radii])
        strength += (answers / max(_spread(channel, click_lps_mm), 1e-12)) ** 2
    best = int(strength.argmax())
    return float(np.clip(radii[best], LEAST_RADIUS_MM, GREATEST_RADIUS_MM))


def _response(volume: Volume, click_lps_mm: Triple, radius_mm: float) -> float:
    """The strongest normalised Laplacian near the click, for balls of this radius."""
    sigma_mm = radius_mm / np.sqrt(3)
    part, click = _around(volume, click_lps_mm, _REACH_SIGMAS * sigma_mm + radius_mm)
    spacing = np.array(volume.geometry.spacing_zyx_mm)
    # Blocks of half a sigma are fine enough, and keep a large radius as cheap as a small one.
    blocks = np.minimum(np.maximum(1, (sigma_mm / 2 / spacing).astype(int)), part.shape)
    part, click, spacing = _block_means(part, blocks), (click - (blocks - 1) / 2) / blocks, spacing * blocks
    sigma = sigma_mm / spacing
    total = np.zeros(part.shape)
    # Across a single slice, or slices that are too thick for this sigma, there is no derivative.
    along = [axis for axis in range(3) if part.shape[axis] > 1 and sigma[axis] >= _LEAST_SIGMA_VOXELS]
    for axis in along:
        order = [2 if other == axis else 0 for other in range(3)]
        total += 3 / len(along) / spacing[axis] ** 2 * ndimage.gaussian_filter(part, sigma, order, mode="nearest")
    grid = np.stack(np.meshgrid(*[np.arange(n) for n in part.shape], indexing="ij"), axis=-1)
    distance = np.linalg.norm((grid - click) * spacing, axis=-1)
    near = distance <= max(_CLICK_MM, radius_mm / 4, float(distance.min()))
    return float(sigma_mm**2 * np.abs(total[near]).max())


def _block_means(part: FloatArray, blocks: npt.NDArray[np.int64]) -> FloatArray:
    """The means of blocks of voxels; what is left over at the far ends is cut off."""
    counts = np.array(part.shape) // blocks
    z, y, x = (slice(0, int(n)) for n in counts * blocks)
    split = part[z, y, x].reshape([int(n) for pair in zip(counts, blocks, strict=True) for n in pair])
    means: FloatArray = split.mean(axis=(1, 3, 5))
    return means


def _spread(volume: Volume, click_lps_mm: Triple) -> float:
    part, _ = _around(volume, click_lps_mm, 2 * GREATEST_RADIUS_MM)
    return float(1.4826 * np.median(np.abs(part - np.median(part)))) or float(part.std())


def _around(volume: Volume, place_lps_mm: Triple, reach_mm: float) -> tuple[FloatArray, FloatArray]:
    """The voxels within reach of a place, and the place's index in them."""
    index = volume.geometry.index_from_lps(place_lps_mm)
    reach = reach_mm / np.array(volume.geometry.spacing_zyx_mm)
    shape = np.array(volume.array.shape)
    low = np.clip(np.floor(index - reach), 0, shape - 1).astype(int)
    high = np.clip(np.ceil(index + reach) + 1, low + 1, shape).astype(int)
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return np.asarray(volume.array[box], dtype=np.float64), index - low
