"""When a candidate hits a lesion: four rules, each in words."""

from typing import Literal

import numpy as np
from pydantic import Field

from mtann.errors import CasesError, SettingsError
from mtann.evaluation.outlines import dilated, in_a_hole, shared_voxels, voxel_count
from mtann.geometry import Triple
from mtann.sampling.lesions import DEFAULT_RADIUS_MM, Lesion
from mtann.settings import Settings, make_settings
from mtann.volume import Volume


class CentreRule(Settings):
    """The library's own rule: the candidate's centre in the lesion, or close to its outline.

    What the outline encloses belongs to the lesion: where a reference marks the rim of a tumour alone, a candidate in
    its dark core hits it. A lesion that is outlined within another's hole is nearer to what lies in it.
    """

    kind: Literal["centre"] = "centre"
    tolerance_mm: float = Field(1.0, ge=0, allow_inf_nan=False)
    shared: bool = Field(False, description="whether a candidate may hit several lesions")

    @property
    def words(self) -> str:
        """The rule in words."""
        return (
            "a candidate's centroid within the lesion's outline, or in a hole of it, or at most "
            f"{self.tolerance_mm:g} mm from it (for point annotations: from the sphere of the lesion's radius); "
            "further candidates on a lesion already hit do not count"
        )

    def affinity(self, found: Lesion, lesion: Lesion) -> float | None:
        """How well a candidate fits a lesion that it hits, the more the better; None if it does not hit it."""
        distance = distance_mm(found.centre_lps_mm, lesion)
        if distance <= self.tolerance_mm:
            return -distance
        enclosed = lesion.outline is not None and in_a_hole(found.centre_lps_mm, lesion.outline)
        return -distance if enclosed else None


class Luna16Rule(Settings):
    """Setio et al., Med Image Anal 42:1 (2017): the centres closer than the lesion's radius."""

    kind: Literal["luna16"] = "luna16"
    shared: bool = Field(True, description="whether a candidate may hit several lesions")

    @property
    def words(self) -> str:
        """The rule in words."""
        return (
            "a candidate's centroid closer to the lesion's centre than the lesion's radius (LUNA16); a candidate that "
            "is close to several hits them all, and further candidates on a lesion already hit do not count"
        )

    def affinity(self, found: Lesion, lesion: Lesion) -> float | None:
        """How well a candidate fits a lesion that it hits, the more the better; None if it does not hit it."""
        distance = float(np.linalg.norm(np.subtract(found.centre_lps_mm, lesion.centre_lps_mm)))
        return -distance if distance < (lesion.radius_mm or DEFAULT_RADIUS_MM) else None


class OverlapRule(Settings):
    """Outlines that overlap enough, by intersection over union."""

    kind: Literal["iou"] = "iou"
    least: float = Field(0.1, gt=0, le=1, description="least intersection over union")
    shared: bool = Field(False, description="whether a candidate may hit several lesions")

    @property
    def words(self) -> str:
        """The rule in words."""
        return (
            f"a candidate's outline and the lesion's overlap by at least {self.least:g} (intersection over union); a "
            "candidate hits the one that it overlaps most, and further candidates on it do not count"
        )

    def affinity(self, found: Lesion, lesion: Lesion) -> float | None:
        """How well a candidate fits a lesion that it hits, the more the better; None if it does not hit it."""
        first, second = outlines_of(found, lesion, self.kind)
        both = shared_voxels(first, second)
        overlap = both / (voxel_count(first) + voxel_count(second) - both)
        return overlap if overlap >= self.least else None


class DilatedRule(Settings):
    """Rules of the BraTS metastases challenge: any overlap with the lesion grown by a voxel.

    As published: holes are not filled, since both outlines say what they hold.
    """

    kind: Literal["dilated"] = "dilated"
    voxels: int = Field(1, ge=0, le=10, description="how far lesions are grown, in voxels (18 neighbours)")
    shared: bool = Field(True, description="whether a candidate may hit several lesions")

    @property
    def words(self) -> str:
        """The rule in words."""
        return (
            f"a candidate's outline touches the lesion grown by {self.voxels} voxel(s) of 18 neighbours (BraTS-METS); "
            "one that touches several hits them all, and further candidates on a lesion already hit do not count"
        )

    def affinity(self, found: Lesion, lesion: Lesion) -> float | None:
        """How well a candidate fits a lesion that it hits, the more the better; None if it does not hit it."""
        first, second = outlines_of(found, lesion, self.kind)
        both = shared_voxels(first, dilated(second, self.voxels))
        return float(both) if both else None


HitRule = CentreRule | Luna16Rule | OverlapRule | DilatedRule
_RULES: dict[str, tuple[type[CentreRule] | type[Luna16Rule] | type[OverlapRule] | type[DilatedRule], str]] = {
    "centre": (CentreRule, "tolerance_mm"),
    "luna16": (Luna16Rule, ""),
    "iou": (OverlapRule, "least"),
    "dilated": (DilatedRule, "voxels"),
}


def read_rule(text: str) -> HitRule:
    """A rule from text such as ``centre``, ``centre:2``, ``luna16``, ``iou:0.5`` or ``dilated:1``.

    Raises:
        SettingsError: There is no such rule, or its number is out of range.
    """
    name, colon, number = text.partition(":")
    if name not in _RULES or (colon and not _RULES[name][1]):
        raise SettingsError(f"There is no hit criterion '{text}'. Use centre[:MM], luna16, iou[:SHARE] or dilated[:N].")
    kind, field = _RULES[name]
    return make_settings(kind, **({field: number} if colon else {}))


def distance_mm(place_lps_mm: Triple, lesion: Lesion) -> float:
    """Distance from a place to the lesion; 0 within it, but not in its holes."""
    if lesion.outline is None:
        radius = lesion.radius_mm or DEFAULT_RADIUS_MM
        return max(0.0, float(np.linalg.norm(np.subtract(place_lps_mm, lesion.centre_lps_mm))) - radius)
    geometry = lesion.outline.geometry
    index = geometry.index_from_lps(place_lps_mm)
    # Distance to the nearest voxel's block, not to its centre, so that thick slices count as what they show.
    voxels = np.argwhere(lesion.outline.array)
    gap = np.maximum(np.abs(voxels - index) - 0.5, 0.0) * np.array(geometry.spacing_zyx_mm)
    return float(np.linalg.norm(gap, axis=1).min())


def outlines_of(found: Lesion, lesion: Lesion, kind: str) -> tuple[Volume, Volume]:
    """Both outlines.

    Raises:
        CasesError: One of them is a point.
    """
    if found.outline is None or lesion.outline is None:
        which = "candidates" if found.outline is None else "reference lesions"
        raise CasesError(
            f"The hit criterion '{kind}' needs outlines, but there are {which} that are points. "
            "Give label maps, or use the criterion centre or luna16."
        )
    return found.outline, lesion.outline
