"""Bringing intensities to a common scale, channel by channel."""

from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from mtann.errors import ImageError, SettingsError
from mtann.preprocess.inverse import Scale
from mtann.settings import Settings

FloatVolume = npt.NDArray[np.float32]
BoolVolume = npt.NDArray[np.bool_]

_MAD_TO_DEVIATION = 1.4826
"""The median absolute deviation of a normal distribution times this is its standard deviation."""

WINDOWS: dict[str, tuple[float, float]] = {
    "lung": (-1000.0, 400.0),
    "soft_tissue": (-160.0, 240.0),
    "mediastinum": (-125.0, 225.0),
    "liver": (-45.0, 105.0),
    "brain": (0.0, 80.0),
    "bone": (-500.0, 1300.0),
}
"""CT windows by name: the values that become 0 and 1, in Hounsfield units. All but the first are what readers set;
"lung" reaches from air to calcified nodules, wider than a reader's window, since a model needs no display contrast."""


class Normalisation(Settings):
    """How a channel's intensities are scaled. Saved in the model bundle."""

    method: Literal["robust_zscore", "window", "percentiles"] = Field(
        "robust_zscore",
        description="robust_zscore: median 0, deviation 1 within the mask (MR); window: low to 0, high to 1 (CT); "
        "percentiles: the low-th percentile within the mask to 0, the high-th to 1 (MR)",
    )
    low: float = Field(-1000.0, allow_inf_nan=False, description="what becomes 0: a value (HU) or a percentile")
    high: float = Field(400.0, allow_inf_nan=False, description="what becomes 1: a value (HU) or a percentile")
    clip: tuple[float, float] = Field(
        (-5.0, 10.0), description="least and greatest normalised value; a window has 0, 1"
    )

    @model_validator(mode="after")
    def _ordered(self) -> "Normalisation":
        # Put so that NaN, which is neither less nor greater, is refused, too.
        if not (self.low < self.high and self.clip[0] < self.clip[1]):
            raise ValueError("low must be less than high, and the first clip value less than the second")
        if self.method == "percentiles" and not 0 <= self.low < self.high <= 100:
            raise ValueError(f"percentiles lie between 0 and 100; found low {self.low:g} and high {self.high:g}")
        return self


def percentiles(low: float, high: float, clip: tuple[float, float]) -> Normalisation:
    """The normalisation that takes two percentiles of the tissue to 0 and 1.

    In T1-weighted brains, the 2nd lies in fluid and the 75th within the narrow peak of white matter, which a tumour
    hardly moves; the median and its deviation, between the peaks, depend on how much fluid there is.
    """
    return Normalisation(method="percentiles", low=low, high=high, clip=clip)


def window(name: str) -> Normalisation:
    """The normalisation of a named CT window.

    Raises:
        SettingsError: There is no window of this name.
    """
    if name not in WINDOWS:
        raise SettingsError(f"There is no CT window '{name}'. Use one of: {', '.join(WINDOWS)}.")
    low, high = WINDOWS[name]
    return Normalisation(method="window", low=low, high=high)


def normalise(array: FloatVolume, mask: BoolVolume, how: Normalisation, name: str) -> tuple[FloatVolume, Scale]:
    """Scale an image (z, y, x) as ``how`` says; statistics are taken within the mask.

    Returns:
        The scaled image as float32, and the way back.

    Raises:
        ImageError: Within the mask the image has one value only, so it has no scale.
    """
    if how.method == "window":
        scale, clip = Scale(how.low, how.high - how.low), (0.0, 1.0)
    elif how.method == "percentiles":
        scale, clip = _percentile_scale(array[mask], how, name), how.clip
    else:
        scale, clip = _robust_scale(array[mask], name), how.clip
    scaled = scale.apply(array)
    return np.clip(scaled, *clip, out=scaled), scale


def require_contrast(inside: npt.NDArray[np.float32], name: str) -> None:
    """Make sure that the tissue of a channel has more than one value.

    Raises:
        ImageError: It has not.
    """
    # Asked of the values: in float32, the deviation of equal values need not be exactly zero.
    if inside.min() == inside.max():
        raise ImageError(
            f"'{name}' has the same value throughout the tissue mask: there is nothing to detect in. "
            "Check the image and the mask."
        )


def _robust_scale(inside: npt.NDArray[np.float32], name: str) -> Scale:
    require_contrast(inside, name)
    centre = np.median(inside)
    deviation = _MAD_TO_DEVIATION * np.median(np.abs(inside - centre))
    if deviation == 0:
        # More than half of the voxels are equal, as in a mask drawn too large: fall back on the plain deviation.
        deviation = inside.std()
    return Scale(float(centre), float(deviation))


def _percentile_scale(inside: npt.NDArray[np.float32], how: Normalisation, name: str) -> Scale:
    require_contrast(inside, name)
    low, high = (float(value) for value in np.percentile(inside, (how.low, how.high)))
    if low == high:
        raise ImageError(
            f"Percentiles {how.low:g} and {how.high:g} of '{name}' are one value ({low:g}), so they give no scale. "
            "Check the image and the mask: most of the tissue has one value."
        )
    return Scale(low, high - low)
