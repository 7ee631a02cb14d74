"""Whether voxels lie round a middle, as the rim of a tumour does, or along a way, as vessels do.

They are looked at in the plane in which they extend most, so that a rim of which only a belt answers counts as well as
a whole shell. A circle is fitted to them there (Taubin, IEEE Trans Pattern Anal Mach Intell 13:1115, 1991), which for a
part of an arc lies where the whole arc's centre is: from there a chain of vessels is seen in few directions.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mtann.geometry import FloatArray

_SECTORS = 36
_INNER = 0.65
"""Directions are met by what lies further from the middle than this share of the radius: a middle where vessels meet
does not see itself all round."""
_LEAST_SHARE = 0.6
"""Half of a circle is not enough: the sinuses run half round the head."""
_LARGEST_RADIUS_MM = 40.0
_FARTHEST = 1.75
"""Radii from the middle. A rim twice as long as wide reaches to 1.3, patches in a disc to 1.4; what reaches further is
not a part of it."""


@dataclass(frozen=True)
class Circle:
    """A circle through places in the plane in which they extend most.

    Attributes:
        places: The places (n, 2) there, from the circle's centre.
        radius_mm: The circle's.
    """

    places: FloatArray
    radius_mm: float

    @cached_property
    def away_mm(self) -> FloatArray:
        """Each place's distance from the centre."""
        return np.hypot(self.places[:, 0], self.places[:, 1])

    @property
    def share_of_directions(self) -> float:
        """In what share of all directions something lies, seen from the centre."""
        seen = self.places[self.away_mm >= _INNER * self.radius_mm]
        turns = np.arctan2(seen[:, 1], seen[:, 0]) / (2 * np.pi) % 1.0
        return len(np.unique((turns * _SECTORS).astype(int) % _SECTORS)) / _SECTORS

    @property
    def is_surrounded(self) -> bool:
        """Whether its places lie round its centre, and none far off."""
        return (
            self.radius_mm <= _LARGEST_RADIUS_MM
            and float(self.away_mm.max()) <= _FARTHEST * self.radius_mm
            and self.share_of_directions >= _LEAST_SHARE
        )


def circle_through(places_mm: FloatArray) -> Circle:
    """The circle fitted to places (n, 3) in the plane in which they extend most."""
    from_mean = places_mm - places_mm.mean(axis=0)
    _, _, axes = np.linalg.svd(from_mean.T @ from_mean)
    flat = from_mean @ axes[:2].T
    squared = (flat**2).sum(axis=1)
    scale = 2 * np.sqrt(squared.mean())
    if scale == 0:
        return Circle(flat, 0.0)
    terms = np.column_stack([(squared - squared.mean()) / scale, flat])
    bend, *slopes = np.linalg.svd(terms.T @ terms)[2][-1]
    if abs(bend) < 1e-6:
        # A straight line.
        return Circle(flat, np.inf)
    centre = -np.array(slopes) * scale / (2 * bend)
    radius = np.sqrt((centre**2).sum() + squared.mean())
    return Circle(flat - centre, float(radius))
