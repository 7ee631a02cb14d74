"""Histogram equalisation within the tissue: of the whole, of each region, and with limited contrast."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mtann.progress import Run

FloatVolume = npt.NDArray[np.float32]
BoolVolume = npt.NDArray[np.bool_]
Curves = npt.NDArray[np.float32]

_QUANTILES = 1025
_BINS = 256
_TAILS_PERCENT = 0.001
"""So much of the tissue may lie beyond either end of the regions' histograms: single hot voxels, but no lesion."""
_LEAST_TISSUE = 0.1
"""A region with less of itself in tissue than this takes the histogram of the nearest that has more."""


def equalise(image: FloatVolume, mask: BoolVolume) -> FloatVolume:
    """Map an image (z, y, x) to its tissue's cumulative distribution: 0 at the darkest, 1 at the brightest, float32.

    Equal values, such as a saturated part, get the middle of their ranks.
    """
    shares = np.linspace(0, 1, _QUANTILES)
    values, first, count = np.unique(np.quantile(image[mask], shares), return_index=True, return_counts=True)
    middle = (shares[first] + shares[first + count - 1]) / 2
    ranks: FloatVolume = np.interp(image, values, middle).astype(np.float32)
    return ranks


def equalise_locally(
    image: FloatVolume, mask: BoolVolume, kernel_zyx: Sequence[float], clip_limit: float | None, run: Run
) -> FloatVolume:
    """Map each voxel by the histograms of the regions about it: AHE, or with a clip limit CLAHE.

    AHE with interpolation between regions: Pizer et al., Computer Vision, Graphics, and Image Processing 39:355, 1987.
    CLAHE: Zuiderveld, Graphics Gems IV, 474, 1994. Unlike the usual implementations, only tissue counts.

    Args:
        image: Intensities (z, y, x).
        mask: Tissue, whose histograms are taken; everything is mapped.
        kernel_zyx: About how large the regions are along each array axis, in voxels.
        clip_limit: Greatest slope of a region's curve, as a multiple of the straight line's; None for no limit.
        run: Asked at every slice whether to stop.

    Returns:
        float32 between 0 and 1.

    Raises:
        CancelledError: The user asked to stop.
    """
    inside = image[mask]
    low, high = np.percentile(inside, (_TAILS_PERCENT, 100 - _TAILS_PERCENT))
    if low == high:  # All but a few voxels are equal.
        low, high = inside.min(), inside.max()
    level = ((image - np.float32(low)) * np.float32(_BINS / (high - low))).clip(0, _BINS)
    regions = [max(1, round(size / kernel)) for size, kernel in zip(image.shape, kernel_zyx, strict=True)]
    histograms = _histograms(level, mask, regions)
    return _map(level, tone_curves(histograms, clip_limit), run)


def tone_curves(histograms: npt.NDArray[np.float64], clip_limit: float | None) -> Curves:
    """Cumulative distributions (..., bins + 1), from 0 to 1, of histograms (..., bins).

    With a limit, what exceeds it in a bin is spread over all bins, so that no slope is greater than ``clip_limit``
    times the straight line's. Spreading lifts the bins again, so the height to cut at is sought by bisection.
    """
    density = histograms / histograms.mean(axis=-1, keepdims=True)
    if clip_limit is not None:
        low, high = np.zeros_like(density[..., :1]), np.full_like(density[..., :1], clip_limit)
        for _ in range(30):
            cut = (low + high) / 2
            too_high = cut + (density - cut).clip(min=0).mean(axis=-1, keepdims=True) > clip_limit
            low, high = np.where(too_high, low, cut), np.where(too_high, cut, high)
        density = density.clip(max=low) + (density - low).clip(min=0).mean(axis=-1, keepdims=True)
    curves = np.zeros((*density.shape[:-1], density.shape[-1] + 1), np.float32)
    curves[..., 1:] = np.cumsum(density, axis=-1) / density.shape[-1]
    return curves


def _histograms(level: FloatVolume, mask: BoolVolume, regions: Sequence[int]) -> npt.NDArray[np.float64]:
    """Histograms of the tissue (*regions, bins); that of the nearest region with tissue where there is hardly any."""
    number = np.zeros(level.shape, np.int64)
    for axis, (size, count) in enumerate(zip(level.shape, regions, strict=True)):
        along = np.arange(size) * count // size
        number = number * count + along.reshape([-1 if other == axis else 1 for other in range(3)])
    entry = number[mask] * _BINS + np.minimum(level[mask].astype(np.int64), _BINS - 1)
    histograms = np.bincount(entry, minlength=int(np.prod(regions)) * _BINS).reshape(*regions, _BINS).astype(np.float64)
    tissue = histograms.sum(axis=-1)
    sparse = tissue < min(_LEAST_TISSUE * level.size / tissue.size, tissue.max())
    nearest = ndimage.distance_transform_edt(sparse, return_distances=False, return_indices=True)
    filled: npt.NDArray[np.float64] = histograms[tuple(nearest)]
    return filled


def _map(level: FloatVolume, curves: Curves, run: Run) -> FloatVolume:
    """Look every voxel up in the curves of the regions about it, interpolating linearly between their centres."""
    z, y, x = (
        ((np.arange(size) + 0.5) * count / size - 0.5).clip(0, count - 1)
        for size, count in zip(level.shape, curves.shape, strict=False)
    )
    result = np.empty(level.shape, np.float32)
    for number, place in enumerate(z):
        run.check()
        below, share = int(place), np.float32(place % 1)
        above = min(below + 1, len(curves) - 1)
        blend = (1 - share) * curves[below] + share * curves[above]
        where = np.broadcast_arrays(y[:, None], x[None, :], level[number])
        ndimage.map_coordinates(blend, where, result[number], order=1, mode="nearest", prefilter=False)
    return result
