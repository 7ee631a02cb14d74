"""How like an image is to a reference: peak signal-to-noise ratio and structural similarity."""

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import ndimage

from mtann.errors import ImageError
from mtann.settings import Settings

FloatArray = npt.NDArray[np.float64]
BoolVolume = npt.NDArray[np.bool_]

_WINDOW_SIGMA_VOXELS, _WINDOW_SIGMAS = 1.5, 3.5
"""The Gaussian window of 11 voxels that the paper takes."""
_K1, _K2 = 0.01, 0.03
_MOST_DB = 200.0
"""Equal images have no finite ratio, and JSON knows no other; this one is beyond what 32-bit numbers can tell apart."""


class ImageQuality(Settings):
    """How like an image is to a reference."""

    psnr_db: float = Field(le=_MOST_DB, description="peak signal-to-noise ratio, in decibels; 200 for equal images")
    ssim: float = Field(ge=-1, le=1, description="mean structural similarity; 1 for equal images")


def image_quality(
    image: npt.ArrayLike, reference: npt.ArrayLike, mask: BoolVolume | None = None, dimensions: int = 3
) -> ImageQuality:
    """Compare an image (z, y, x) with a reference on the same grid.

    The signal's peak is the reference's range of values within the mask.

    Args:
        image: What to judge.
        reference: What it should be.
        mask: Where to compare; everywhere if None.
        dimensions: 2 to compare structure slice by slice, 3 for blocks.

    Raises:
        ImageError: Within the mask the reference has one value only, so it has no range.
    """
    found, truth = np.asarray(image, np.float64), np.asarray(reference, np.float64)
    inside = np.ones(truth.shape, dtype=bool) if mask is None else mask
    data_range = float(np.ptp(truth[inside])) if inside.any() else 0.0
    if data_range == 0:
        raise ImageError(
            "The image to compare with has the same value everywhere within the mask, so no quality can be measured. "
            "Check the image and the mask."
        )
    error = float(np.mean((found - truth)[inside] ** 2))
    # Nothing outside the mask counts, not even in a window that reaches across its border.
    found = np.where(inside, found, truth)
    psnr_db = min(_MOST_DB, 10 * np.log10(data_range**2 / error)) if error else _MOST_DB
    similarity = float(np.mean(ssim_map(found, truth, data_range, dimensions)[inside]))
    return ImageQuality(psnr_db=float(psnr_db), ssim=min(1.0, similarity))


def ssim_map(image: FloatArray, reference: FloatArray, data_range: float, dimensions: int) -> FloatArray:
    """Structural similarity at every voxel (z, y, x): Wang et al., IEEE Trans Image Process 13:600 (2004), equation 13.

    Local means, variances and covariance are weighted by a Gaussian of 1.5 voxels, cut off at 11 voxels, in-plane or in
    three dimensions. At the border the image is mirrored.
    """
    sigma = (0.0 if dimensions == 2 else _WINDOW_SIGMA_VOXELS, _WINDOW_SIGMA_VOXELS, _WINDOW_SIGMA_VOXELS)

    def local(values: FloatArray) -> FloatArray:
        return np.asarray(ndimage.gaussian_filter(values, sigma, truncate=_WINDOW_SIGMAS))

    c1, c2 = (_K1 * data_range) ** 2, (_K2 * data_range) ** 2
    mean_x, mean_y = local(image), local(reference)
    variance_x, variance_y = local(image**2) - mean_x**2, local(reference**2) - mean_y**2
    covariance = local(image * reference) - mean_x * mean_y
    above = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    return np.asarray(above / ((mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)))
