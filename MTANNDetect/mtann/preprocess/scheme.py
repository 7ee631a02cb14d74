"""nnU-Net's normalisations of a channel (Isensee et al., Nat Methods 18:203, 2021)."""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mtann.errors import ImageError
from mtann.planning.plan import Intensities, Normalisation

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]

_LEAST_DEVIATION = 1e-8
_RGB = 255.0


def normalise_channel(
    image: FloatArray, how: Normalisation, intensities: Intensities, mask: BoolArray | None, name: str
) -> None:
    """Scale a channel in place.

    Args:
        image: The channel's voxels.
        how: The normalisation.
        intensities: The channel's intensities in the training cases.
        mask: Where mean and deviation are measured and changed; None for everywhere.
        name: The channel's, for messages.

    Raises:
        ImageError: The image cannot be of the kind that the normalisation is for.
    """
    if how == "ct":
        np.clip(image, intensities.percentile_00_5, intensities.percentile_99_5, out=image)
        image -= np.float32(intensities.mean)
        image /= np.float32(max(intensities.std, _LEAST_DEVIATION))
    elif how == "z_score":
        _standardise(image, mask)
    elif how == "rescale_0_1":
        image -= image.min()
        image /= max(float(image.max()), _LEAST_DEVIATION)
    elif how == "rgb_0_1":
        low, high = float(image.min()), float(image.max())
        if low < 0 or high > _RGB:
            raise ImageError(
                f"Channel '{name}' takes one colour of a picture, with values from 0 to 255; "
                f"found {low:g} to {high:g}. Give the picture that the model was made for."
            )
        image /= np.float32(_RGB)


def _standardise(image: FloatArray, mask: BoolArray | None) -> None:
    inside = image if mask is None else image[mask]
    if not inside.size:
        return
    mean, deviation = inside.mean(dtype=np.float64), inside.std(dtype=np.float64)
    deviation = max(float(deviation), _LEAST_DEVIATION)
    if mask is None:
        image -= np.float32(mean)
        image /= np.float32(deviation)
    else:
        image[mask] = (inside - np.float32(mean)) / np.float32(deviation)


def fill_holes(mask: BoolArray) -> BoolArray:
    """The mask with what it encloses on all sides (neighbours share a face)."""
    outside, count = ndimage.label(np.pad(~mask, 1, constant_values=True))
    if count <= 1:
        return np.ones_like(mask) if count == 0 else outside[1:-1, 1:-1, 1:-1] == 0
    core: BoolArray = outside[1:-1, 1:-1, 1:-1] != outside[0, 0, 0]
    return core
