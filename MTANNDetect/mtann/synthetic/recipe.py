"""What synthetic lesions are like: every range that one is drawn from, with its unit.

A *range* is (least, most); one number stands for both. Sizes are in millimetres of the patient. Contrasts are above the
tissue about the lesion, in the recipe's ``unit``: robust deviations of the tissue's intensities for images without a
scale of their own (MR), or the image's own unit (Hounsfield units of CT).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

import numpy as np
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from mtann.settings import Settings

Kind = Literal["solid", "ring", "patchy", "part_solid"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Unit = Literal["deviation", "image"]
Tissue = Literal["auto", "brain", "body", "lung", "everything"]


def _both_ends(value: Any) -> Any:
    """One number as a range from itself to itself."""
    if isinstance(value, (int, float)):
        return (value, value)
    return tuple(value) * 2 if isinstance(value, (list, tuple)) and len(value) == 1 else value


@dataclass(frozen=True)
class _Within:
    """Checks that a range ascends and stays within limits."""

    least: float
    most: float = math.inf

    def __call__(self, value: tuple[float, float]) -> tuple[float, float]:
        low, high = value
        # Put so that NaN is refused, too.
        if not (self.least <= low <= high <= self.most and high < math.inf):
            raise ValueError(f"a range is least, most with {self.least:g} <= least <= most <= {self.most:g}")
        return value


Range = Annotated[tuple[float, float], BeforeValidator(_both_ends)]
Share = Annotated[Range, AfterValidator(_Within(0.0, 1.0))]
Length = Annotated[Range, AfterValidator(_Within(0.0, 200.0))]
Radius = Annotated[Range, AfterValidator(_Within(0.5, 100.0))]
Count = Annotated[tuple[int, int], BeforeValidator(_both_ends), AfterValidator(_Within(0, 100))]
Contrast = Annotated[Range, AfterValidator(_Within(-1e5, 1e5))]
Fraction = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class ChannelLook(Settings):
    """How bright a lesion is in one channel, above the tissue about it, in the recipe's unit."""

    contrast: Contrast = Field((1.5, 5.0), description="of the enhancing or solid part, drawn evenly in log if above 0")
    core_contrast: Contrast = Field((-3.0, 0.0), description="of a ring's core, above the tissue about it")
    halo_contrast: Contrast = Field((-1.0, -0.3), description="of the oedema about the lesion, above the tissue there")


class LesionRecipe(ChannelLook):
    """What synthetic lesions are like. Ranges are least, most; each lesion draws evenly from them unless stated."""

    unit: Unit = Field(
        "deviation",
        description="of contrasts: deviation (robust deviations of the tissue, for MR) or image (HU, for CT)",
    )
    tissue: Tissue = Field("auto", description="where lesions go if no mask is given; lung narrows a given mask, too")
    channel_looks: Mapping[str, ChannelLook] = Field(
        default_factory=dict, description="contrasts of channels that differ from the ones above, by channel name"
    )
    count: Annotated[Count, AfterValidator(_Within(1, 100))] = Field((1, 6), description="lesions a volume")
    radius_mm: Radius = Field((1.5, 15.0), description="radius of the ball of equal volume, in mm, drawn evenly in log")
    ellipticity: Share = Field(
        (0.0, 0.3),
        description="0 for a ball; axes are stretched by exp(-ellipticity) to exp(ellipticity)",
    )
    irregularity: Annotated[Range, AfterValidator(_Within(0.0, 0.5))] = Field(
        (0.03, 0.2), description="deviation of the outline from its ellipsoid, as a fraction of the radius"
    )
    lobed: Fraction = Field(0.2, description="share of lesions that are grown together from two to five parts")
    spicules: Count = Field((0, 0), description="thin strands that radiate from the lesion")
    solid: Weight = Field(1.0, description="weight of evenly enhancing lesions")
    ring: Weight = Field(1.0, description="weight of lesions with a rim about a core")
    patchy: Weight = Field(1.0, description="weight of lesions that enhance in patches")
    part_solid: Weight = Field(0.0, description="weight of lesions with a faint zone about a solid part")
    solid_below_mm: float = Field(3.0, ge=0, description="lesions below this radius are solid, in mm")
    hollow_above_mm: float | None = Field(
        None, ge=0, description="lesions above this radius are not solid, as they outgrow their blood supply, in mm"
    )
    rim_fraction: Share = Field((0.1, 0.5), description="thickness of the rim, as a fraction of the radius")
    rim_mm: Length = Field((1.0, 8.0), description="least and greatest thickness of the rim, in mm")
    rim_irregularity: Share = Field((0.1, 0.6), description="unevenness of the rim's thickness, relative deviation")
    rim_gap: Share = Field((0.0, 0.4), description="share of the rim that does not enhance")
    patch_share: Share = Field((0.3, 0.8), description="share of a patchy lesion that enhances")
    patch_floor: Share = Field((0.0, 0.4), description="contrast between the patches, relative to that of the patches")
    veil: Share = Field((0.2, 0.5), description="contrast of the faint zone, relative to that of the solid part")
    texture: Share = Field((0.05, 0.35), description="unevenness of the contrast within the lesion, relative deviation")
    texture_mm: Annotated[Range, AfterValidator(_Within(0.5, 50.0))] = Field(
        (2.0, 6.0), description="size of the texture's and the patches' grains, in mm"
    )
    transparency: Share = Field((0.0, 0.2), description="how much of the tissue's own pattern shows through")
    edge_mm: Length = Field((0.0, 1.5), description="width over which the outline fades, before the scan's blur, in mm")
    core_edge_mm: Length = Field((0.0, 3.0), description="width over which the rim fades into its core, in mm")
    halo_mm: Length = Field((0.0, 12.0), description="reach of the oedema beyond the lesion, in mm; 0 for none")
    mass_effect: Share = Field((0.0, 0.6), description="share of the lesion's volume by which it pushes tissue aside")
    blur_mm: Length = Field(
        (1.0, 2.0), description="point spread of the scan, full width at half maximum in mm; never finer than a voxel"
    )
    noise: Fraction = Field(1.0, description="share of the scan's own noise that goes on within the lesion")
    min_inside: Fraction = Field(0.8, description="least share of a lesion's volume that lies in tissue")
    fluid_deviations: float | None = Field(
        2.0, ge=0, description="voxels so many deviations darker than the tissue's median are fluid, not tissue"
    )
    min_gap_mm: float = Field(
        3.0, ge=0, le=100, description="least distance between lesions, and from real ones, in mm"
    )
    beside: Fraction = Field(0.2, description="share of lesions that are put close beside an earlier one")
    attached: Fraction = Field(0.0, description="share of lesions put at the tissue's border or at a vessel")

    @model_validator(mode="after")
    def _some_kind(self) -> "LesionRecipe":
        if not any(self.weights):
            raise ValueError("at least one of the weights solid, ring, patchy, part_solid must be above 0")
        return self

    @property
    def weights(self) -> tuple[float, ...]:
        """Weights of the kinds, in the order of :data:`KINDS`."""
        return self.solid, self.ring, self.patchy, self.part_solid

    def look(self, channel: str) -> ChannelLook:
        """The contrasts of a channel: its own, else the recipe's."""
        return self.channel_looks.get(channel, self)


def draw(random: np.random.Generator, span: tuple[float, float]) -> float:
    """An even draw from a range."""
    return float(random.uniform(*span))


def draw_log(random: np.random.Generator, span: tuple[float, float]) -> float:
    """A draw that is even in the logarithm; from a range that does not lie above 0, an even one."""
    return float(np.exp(random.uniform(*np.log(span)))) if span[0] > 0 else draw(random, span)
