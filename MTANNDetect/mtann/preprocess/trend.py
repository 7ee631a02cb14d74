"""The background trend of a radiograph: what changes slowly over the picture and hides small differences."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from numpy.polynomial.polynomial import polygrid3d, polyvander3d
from scipy import ndimage

from mtann.errors import ImageError
from mtann.preprocess.inverse import Scale
from mtann.preprocess.steps import TrendRemoval
from mtann.progress import Run

FloatVolume = npt.NDArray[np.float32]
BoolVolume = npt.NDArray[np.bool_]

_MOST_FITTED = 200_000
"""So many pixels determine a surface; of more, every so manieth is taken."""
_FEWEST_PER_TERM = 10
"""With fewer tissue pixels a coefficient than this, as in a slice that just touches tissue, the surface is flat."""
_LEAST_WEIGHT = 1e-3
"""Where less of a Gaussian than this lies on tissue, the tissue's mean stands in for its local mean."""
_LEAST_CONTRAST = 0.1
"""Local contrast is evened out down to this share of the whole tissue's, so that noise in flat parts stays small."""
_ROUNDING = 1e-5
"""A rest this small beside the trend is rounding."""


def trend_scale(
    image: FloatVolume,
    mask: BoolVolume,
    spacing_zyx_mm: Sequence[float],
    dimensions: int,
    how: TrendRemoval,
    name: str,
    run: Run,
) -> Scale:
    """The trend of an image (z, y, x) to subtract, and the local contrast to divide by (1 if not asked for).

    A surface of low order as in Katsuragawa et al., Med Phys 15:311, 1988, for regions of interest; background-trend
    correction and then contrast normalisation is how radiographs were prepared for MTANNs by Suzuki et al., Acad Radiol
    12:191, 2005. In two dimensions every slice has its own trend.

    Raises:
        ImageError: Nothing is left beside the trend.
        CancelledError: The user asked to stop.
    """
    run.report("prepare", 0.0, f"Removing the trend of channel {name}")
    # In two dimensions nothing is carried across slices.
    voxels_per_mm = 1 / np.array(spacing_zyx_mm) * ((0, 1, 1) if dimensions == 2 else (1, 1, 1))
    if how.method == "gaussian":
        trend = local_mean(image, mask, how.sigma_mm * voxels_per_mm, run)
    elif dimensions == 2:
        slices = [polynomial(image[z : z + 1], mask[z : z + 1], how.order, run) for z in range(len(image))]
        trend = np.concatenate(slices)
    else:
        trend = polynomial(image, mask, how.order, run)
    rest = image - trend
    contrast = float(rest[mask].std())
    if contrast <= _ROUNDING * float(np.abs(image[mask]).max()):
        raise ImageError(
            f"Nothing is left of '{name}' once its background trend is removed: there is nothing to detect in. "
            "Check the image, or leave out the step 'trend'."
        )
    if how.contrast_sigma_mm is None:
        return Scale(trend, 1.0)
    local = np.sqrt(local_mean(rest**2, mask, how.contrast_sigma_mm * voxels_per_mm, run).clip(min=0))
    return Scale(trend, np.maximum(local, np.float32(_LEAST_CONTRAST * contrast)))


def polynomial(image: FloatVolume, mask: BoolVolume, order: int, run: Run) -> FloatVolume:
    """Least-squares polynomial of a total order through the tissue of an image (z, y, x), at every voxel.

    Raises:
        CancelledError: The user asked to stop.
    """
    run.check()
    inside = np.flatnonzero(mask)
    coefficients = np.zeros((order + 1,) * 3)
    powers = np.indices(coefficients.shape)
    # Along an axis of one voxel nothing can change.
    terms = (powers.sum(axis=0) <= order) & (powers[np.array(image.shape) == 1].sum(axis=0) == 0)
    if len(inside) < _FEWEST_PER_TERM * terms.sum():
        level = image[mask].mean() if len(inside) else image.mean()
        return np.full(image.shape, level, np.float32)
    inside = inside[:: -(-len(inside) // _MOST_FITTED)]
    # Coordinates of -1 to 1 keep the powers of equal size.
    axes = [np.linspace(-1, 1, size) for size in image.shape]
    z, y, x = (axis[index] for axis, index in zip(axes, np.unravel_index(inside, image.shape), strict=True))
    columns = polyvander3d(z, y, x, [order] * 3)[:, terms.ravel()]
    coefficients[terms] = np.linalg.lstsq(columns, image.ravel()[inside].astype(np.float64), rcond=None)[0]
    surface: FloatVolume = polygrid3d(axes[0], axes[1], axes[2], coefficients).astype(np.float32)
    return surface


def local_mean(image: FloatVolume, mask: BoolVolume, sigma_zyx: npt.ArrayLike, run: Run) -> FloatVolume:
    """Gaussian-weighted mean of the tissue about every voxel; far from tissue, the mean of all of it.

    Args:
        image: Intensities (z, y, x).
        mask: Where tissue is.
        sigma_zyx: Width of the Gaussian along each array axis in voxels; 0 for none.
        run: Asked between the axes whether to stop.
    """
    mean = image[mask].mean()
    weight, total = mask.astype(np.float32), np.where(mask, image - mean, np.float32(0))
    for axis, sigma in enumerate(np.asarray(sigma_zyx)):
        if sigma == 0:
            continue
        run.check()
        weight = ndimage.gaussian_filter1d(weight, sigma, axis, mode="constant", truncate=3.0)
        run.check()
        total = ndimage.gaussian_filter1d(total, sigma, axis, mode="constant", truncate=3.0)
    near = weight > _LEAST_WEIGHT
    result: FloatVolume = mean + np.where(near, total / np.where(near, weight, 1), 0).astype(np.float32)
    return result
