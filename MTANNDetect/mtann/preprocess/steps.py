"""What may be done to a channel's intensities before they are scaled: one class of settings a step.

The steps of a channel run in order on the model's grid, within the tissue mask, before its normalisation. They are
saved in the model bundle, so that every image that a model sees is treated like those it was taught on.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from mtann.errors import SettingsError
from mtann.settings import Positive, Settings, make_settings


class BiasCorrection(Settings):
    """Removes the slow change of brightness that the coils of an MR scanner cause (N4)."""

    kind: Literal["n4"] = "n4"
    fit_spacing_mm: Positive = Field(5.0, description="spacing of the samples that the field is fitted to, in mm")
    knot_mm: Positive = Field(50.0, description="distance of the spline's knots at the last, finest level, in mm")
    levels: int = Field(3, ge=1, le=5, description="levels of the fit; the knots' distance halves from one to the next")
    iterations: int = Field(20, ge=1, le=500, description="most iterations a level")
    convergence: Positive = Field(
        1e-3, description="a level ends once an iteration changes the field by less than this fraction"
    )


class Equalisation(Settings):
    """Maps intensities by rank to 0 to 1, so that every grey value is equally frequent in the tissue."""

    kind: Literal["equalise"] = "equalise"


class AdaptiveEqualisation(Settings):
    """Histogram equalisation with each region's own histogram, without a limit to the contrast (AHE)."""

    kind: Literal["ahe"] = "ahe"
    kernel_mm: Positive = Field(32.0, description="edge of the regions that have a histogram each, in mm")


class LimitedEqualisation(Settings):
    """Contrast-limited adaptive histogram equalisation (CLAHE)."""

    kind: Literal["clahe"] = "clahe"
    kernel_mm: Positive = Field(32.0, description="edge of the regions that have a histogram each, in mm")
    clip_limit: float = Field(
        3.0,
        ge=1,
        allow_inf_nan=False,
        description="greatest gain of contrast, as a multiple of that of spreading the range of values evenly",
    )


class TrendRemoval(Settings):
    """Removes the background trend of a radiograph and, if asked, evens out its local contrast."""

    kind: Literal["trend"] = "trend"
    method: Literal["polynomial", "gaussian"] = Field(
        "polynomial", description="polynomial: a surface of low order; gaussian: the image smoothed widely"
    )
    order: int = Field(2, ge=1, le=5, description="order of the polynomial surface")
    sigma_mm: Positive = Field(30.0, description="width of the Gaussian, if that is the method, in mm")
    contrast_sigma_mm: Positive | None = Field(
        None,
        description="if given, the rest is divided by its deviation about each pixel, within a Gaussian of this width, "
        "in mm",
    )


Step = Annotated[
    BiasCorrection | Equalisation | AdaptiveEqualisation | LimitedEqualisation | TrendRemoval,
    Field(discriminator="kind"),
]
"""Settings of one step, told apart by ``kind``."""

STEPS: dict[
    str,
    type[BiasCorrection]
    | type[Equalisation]
    | type[AdaptiveEqualisation]
    | type[LimitedEqualisation]
    | type[TrendRemoval],
] = {
    "n4": BiasCorrection,
    "equalise": Equalisation,
    "ahe": AdaptiveEqualisation,
    "clahe": LimitedEqualisation,
    "trend": TrendRemoval,
}
"""Every step by the name it has on the command line and in ``model.json``."""

EQUALISING = (Equalisation, AdaptiveEqualisation, LimitedEqualisation)
"""Steps whose output lies between 0 and 1, whatever the unit of the input."""


def make_step(name: str, **values: Any) -> Step:
    """A step by name, with the settings that the user gave.

    Raises:
        SettingsError: There is no step of this name, or a setting is unknown or out of range.
    """
    if name not in STEPS:
        raise SettingsError(f"There is no preprocessing step '{name}'. Use one of: {', '.join(STEPS)}.")
    return make_settings(STEPS[name], **values)
