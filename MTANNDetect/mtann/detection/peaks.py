"""Where a likelihood volume stands out: local maxima at several scales.

Scale selection follows Lindeberg (Int J Comput Vis 30:79, 1998) on the *likelihood*, not on the image: differences of
Gaussians with a constant ratio answer equally to bumps of any size, so a 3 mm and a 40 mm lesion are found by one rule.
The score is Suzuki's: the Gaussian-weighted mean of the likelihood about the peak (Med Phys 33:3814, 2006), with
the selected scale as its width.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mtann.geometry import Geometry
from mtann.progress import Run
from mtann.settings import DEFAULT_SCALES_MM, DetectionSettings

FloatVolume = npt.NDArray[np.float32]
BoolVolume = npt.NDArray[np.bool_]

_TRUNCATE = 3.0
_NEXT_SCALE = 1.6
_LEAST_CONTRAST = 0.1
"""A peak stands out by at least this share of its score, or it is a ripple on a plateau.

A ball of matching size does so by about 0.4.
"""
_COARSE_BONUS = 0.2
"""Exponent of the scale by which contrasts are ranked: a ring's middle comes before the pieces of its rim, which stand
out about as much at a finer scale."""
_PEAKS_PER_CANDIDATE = 5
"""How many peaks are followed up for each candidate that may be kept: several peaks fall on one lesion."""


@dataclass(frozen=True)
class Peak:
    """A local maximum in space at one scale.

    Attributes:
        index_zyx: Voxel on the likelihood volume's grid.
        scale_mm: Width of the Gaussian that it was found with.
        contrast: How far the likelihood stands out there: difference of Gaussians at this scale and the next.
        score: Gaussian-weighted mean of the likelihood.
    """

    index_zyx: tuple[int, int, int]
    scale_mm: float
    contrast: float
    score: float


def find_peaks(
    likelihood: FloatVolume, grid: Geometry, mask: BoolVolume, settings: DetectionSettings, run: Run
) -> list[Peak]:
    """Peaks of a likelihood volume (z, y, x) within the mask, strongest contrast first.

    Raises:
        CancelledError: The user asked to stop.
    """
    if not mask.any():
        return []
    spacing = np.array(grid.spacing_zyx_mm)
    ladder = settings.scales_mm or DEFAULT_SCALES_MM
    scales = [*ladder, ladder[-1] * _NEXT_SCALE]
    found: list[tuple[float, int, int]] = []
    smooth = smooth_inside(likelihood, scales[0] / spacing, run)
    for number, scale in enumerate(ladder):
        run.report("candidates", number / len(ladder), f"Looking for peaks of {scale:g} mm")
        # Widening step by step is as good as smoothing anew, with far shorter kernels.
        step = np.sqrt(scales[number + 1] ** 2 - scale**2)
        wider = smooth_inside(smooth, step / spacing, run)
        contrast = smooth - wider
        run.check()
        top = (contrast == ndimage.maximum_filter(contrast, size=3, mode="nearest")) & mask
        # What cannot pass below is left out here, so that it takes no other peak's place.
        top &= (contrast >= _LEAST_CONTRAST / 2 * smooth) & (smooth >= settings.score_floor / 2) & (contrast > 0)
        flat = np.flatnonzero(top)
        found += [(float(c), number, int(place)) for c, place in zip(contrast.ravel()[flat], flat, strict=True)]
        smooth = wider
    found.sort(key=lambda item: (-item[0] * ladder[item[1]] ** _COARSE_BONUS, item[1], item[2]))
    peaks = []
    for contrast_value, number, place in found[: settings.max_candidates * _PEAKS_PER_CANDIDATE]:
        z, y, x = (int(i) for i in np.unravel_index(place, likelihood.shape))
        value = score_at(likelihood, (z, y, x), ladder[number] / spacing)
        if value >= settings.score_floor and contrast_value >= _LEAST_CONTRAST * value:
            peaks.append(Peak((z, y, x), ladder[number], contrast_value, value))
    return peaks


def scales_for(radii_mm: Sequence[float], spacing_mm: float) -> tuple[float, ...]:
    """Scoring sigmas (mm) that suit lesions of these radii: from 0.4 of the smallest to at least 0.6 of the largest.

    None is finer than the grid's spacing. A model that was taught on small lesions does not look for large blobs, which
    its likelihood volume shows wherever many weak responses lie together.
    """
    scales = [max(spacing_mm, 0.4 * min(radii_mm))]
    while scales[-1] < 0.6 * max(radii_mm):
        scales.append(scales[-1] * _NEXT_SCALE)
    return tuple(round(scale, 2) for scale in scales)


def smooth_inside(volume: FloatVolume, sigma_zyx: npt.NDArray[np.float64], run: Run) -> FloatVolume:
    """Gaussian smoothing truncated at 3 sigma; near the border its weights are normalised to those inside."""
    smooth = volume
    for axis, sigma in enumerate(sigma_zyx):
        run.check()
        smooth = ndimage.gaussian_filter1d(smooth, sigma, axis, mode="constant", truncate=_TRUNCATE)
        ones = np.ones(volume.shape[axis])
        weight = ndimage.gaussian_filter1d(ones, sigma, mode="constant", truncate=_TRUNCATE)
        shape = [1, 1, 1]
        shape[axis] = -1
        smooth /= weight.astype(np.float32).reshape(shape)
    return smooth


def score_at(likelihood: FloatVolume, index_zyx: Sequence[int], sigma_zyx: npt.NDArray[np.float64]) -> float:
    """Gaussian-weighted mean of the likelihood about a voxel.

    That is the sum of G(r - r0; sigma) f(r) within 3 sigma and the volume.
    """
    parts, weights = [], []
    for centre, sigma, length in zip(index_zyx, sigma_zyx, likelihood.shape, strict=True):
        reach = int(_TRUNCATE * sigma + 0.5)
        low, high = max(0, centre - reach), min(length, centre + reach + 1)
        parts.append(slice(low, high))
        weights.append(np.exp(-0.5 * ((np.arange(low, high) - centre) / sigma) ** 2))
    # The Gaussian is a product, so that one axis after the other can be summed away.
    along_z, along_y, along_x = weights
    total = along_z @ (likelihood[tuple(parts)].astype(np.float64) @ along_x @ along_y)
    return float(total / (along_z.sum() * along_y.sum() * along_x.sum()))
