"""Bringing intensities to a common scale, channel by channel."""

from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from mtann.errors import ImageError
from mtann.settings import Settings

FloatVolume = npt.NDArray[np.float32]
BoolVolume = npt.NDArray[np.bool_]

_MAD_TO_DEVIATION = 1.4826
"""The median absolute deviation of a normal distribution times this is its standard deviation."""


class Normalisation(Settings):
    """How a channel's intensities are scaled. Saved in the model bundle."""

    method: Literal["robust_zscore", "window"] = Field(
        "robust_zscore",
        description="robust_zscore: median 0, deviation 1 within the mask (MR); window: low to 0, high to 1 (CT)",
    )
    low: float = Field(-1000.0, allow_inf_nan=False, description="value that the window takes to 0 (HU)")
    high: float = Field(400.0, allow_inf_nan=False, description="value that the window takes to 1 (HU)")
    clip: tuple[float, float] = Field((-5.0, 10.0), description="least and greatest normalised value (robust_zscore)")

    @model_validator(mode="after")
    def _ordered(self) -> "Normalisation":
        # Put so that NaN, which is neither less nor greater, is refused, too.
        if not (self.low < self.high and self.clip[0] < self.clip[1]):
            raise ValueError("low must be less than high, and the first clip value less than the second")
        return self


def normalise(array: FloatVolume, mask: BoolVolume, how: Normalisation, name: str) -> FloatVolume:
    """Scale an image (z, y, x) as ``how`` says; statistics are taken within the mask. Returns float32.

    Raises:
        ImageError: Within the mask the image has one value only, so it has no scale.
    """
    if how.method == "window":
        share: FloatVolume = np.clip((array - how.low) / (how.high - how.low), 0.0, 1.0).astype(np.float32)
        return share
    inside = array[mask]
    # Asked of the values: in float32, the deviation of equal values need not be exactly zero.
    if inside.min() == inside.max():
        raise ImageError(
            f"'{name}' has the same value throughout the tissue mask: there is nothing to detect in. "
            "Check the image and the mask."
        )
    centre = np.median(inside)
    deviation = _MAD_TO_DEVIATION * np.median(np.abs(inside - centre))
    if deviation == 0:
        # More than half of the voxels are equal, as in a mask drawn too large: fall back on the plain deviation.
        deviation = inside.std()
    scaled = (array - np.float32(centre)) / np.float32(deviation)
    return np.clip(scaled, *how.clip, out=scaled).astype(np.float32, copy=False)
