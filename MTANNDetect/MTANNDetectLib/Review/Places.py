"""Where a finding lies, in plain words, as far as that can be known without an atlas."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..Translation import _

_BODIES_WITH_SIDES = ("head", "brain", "skull", "neck", "chest", "thorax", "lung", "abdomen", "liver", "pelvis", "body")
_MIDLINE_SHARE = 0.06
"""Nearer to the middle than this share of the half-width, no side is told."""
_THIRD = 1 / 3
_FARTHEST_LANDMARK_MM = 60.0


@dataclass(frozen=True)
class Body:
    """The outline that places are told from, in world RAS millimetres.

    Attributes:
        centreRas: Its middle.
        halfRas: Half its extent in each direction.
        sure: Whether a mask gave it; else it is the image's own outline, and less is said near the midline.
    """

    centreRas: tuple[float, float, float]
    halfRas: tuple[float, float, float]
    sure: bool


def bodyFromPoints(pointsRas: npt.ArrayLike, sure: bool) -> Body | None:
    """The outline of a cloud of points (n, 3), its outermost hundredths left out; None without points."""
    points = np.asarray(pointsRas, dtype=np.float64).reshape(-1, 3)
    if not len(points):
        return None
    low, high = np.percentile(points, (1, 99), axis=0)
    centre, half = (low + high) / 2, np.maximum((high - low) / 2, 1.0)
    return Body(tuple(centre.tolist()), tuple(half.tolist()), sure)


def hasSides(bodyPart: str) -> bool:
    """Whether left and right of the middle mean something in images of this part of the body."""
    words = bodyPart.lower()
    return any(known in words for known in _BODIES_WITH_SIDES)


def placeInWords(pointRas: Sequence[float], body: Body | None) -> str:
    """Such as "left, anterior, superior"; coordinates where the body's outline is not known."""
    if body is None:
        return coordinatesInWords(pointRas)
    share = (np.asarray(pointRas, dtype=np.float64) - body.centreRas) / body.halfRas
    margin = _MIDLINE_SHARE if body.sure else 2 * _MIDLINE_SHARE
    words = [_side(share[0], margin)]
    if abs(share[1]) > _THIRD:
        words.append(_("anterior") if share[1] > 0 else _("posterior"))
    if abs(share[2]) > _THIRD:
        words.append(_("superior") if share[2] > 0 else _("inferior"))
    return ", ".join(words)


def coordinatesInWords(pointRas: Sequence[float]) -> str:
    """Such as "R 25, P 37, S 43 mm"."""
    letters = (("L", "R"), ("P", "A"), ("I", "S"))
    parts = [f"{pair[value >= 0]} {abs(value):.0f}" for pair, value in zip(letters, pointRas, strict=True)]
    return ", ".join(parts) + " mm"


def nearestLandmark(pointRas: Sequence[float], landmarks: Mapping[str, Sequence[float]]) -> str:
    """Such as "12 mm from AC"; empty where no named point is within six centimetres."""
    distances = {name: float(np.linalg.norm(np.subtract(pointRas, place))) for name, place in landmarks.items()}
    if not distances:
        return ""
    name = min(distances, key=lambda one: distances[one])
    if distances[name] > _FARTHEST_LANDMARK_MM:
        return ""
    return _("{distance:.0f} mm from {name}").format(distance=distances[name], name=name)


def _side(share: float, margin: float) -> str:
    if abs(share) <= margin:
        return _("near midline")
    return _("right") if share > 0 else _("left")
