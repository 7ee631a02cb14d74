"""The shape of a synthetic brain: where cortex, white matter, nuclei, ventricles and fluid are.

The anatomy is a set of signed depths in a *template* space (LPS millimetres about the brain's centre), which a smooth
random warp ties to the world. Sulci are the zero surfaces of a band-pass noise on the hull, drawn inward: that gives
the winding, evenly spaced folds of a real cortex.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mtann.phantoms.fields import (
    Float32,
    FloatArray,
    SmoothField,
    chain_depth,
    ellipsoid_depth,
    random_field,
    smooth_step,
)

Coordinates = tuple[Float32, Float32, Float32]

HEMISPHERE_CENTRE_MM = (14.0, 0.0, 6.0)
HEMISPHERE_RADII_MM = (52.0, 82.0, 58.0, 37.0)
"""Half-axes sideways, along, upwards and downwards."""
_TEMPORAL_CENTRE_MM = (42.0, -7.0, -21.0)
_TEMPORAL_RADII_MM = (21.0, 41.0, 20.0)
_CEREBELLUM_CENTRE_MM = (0.0, 49.0, -38.0)
_LOOKUP_MM = 1.5
"""Grid of the sulcal lookup table; sulci are about ten times as far apart."""

_LATERAL_VENTRICLE = [
    [(7, -33, 4, 2.0), (9, -24, 11, 4.5), (10, -8, 18, 4.0), (13, 12, 20, 4.0), (20, 28, 15, 6.0)],
    [(20, 28, 15, 6.0), (23, 42, 9, 4.2), (22, 58, 5, 1.5)],
    [(20, 28, 15, 5.5), (30, 24, 0, 3.2), (33, 8, -14, 2.4), (31, -8, -18, 1.4)],
]
_BRAINSTEM = [(0, 6, -8, 15.0), (0, 12, -20, 13.0), (0, 9, -35, 14.5), (0, 16, -52, 8.5), (0, 20, -72, 7.0)]


@dataclass(frozen=True)
class Outline:
    """Depths of the brain's parts at some points.

    Attributes:
        hemisphere: Below the surface of the cerebral hemisphere proper.
        temporal: Below the surface of the temporal lobe.
        cerebrum: The union of both, above the tentorium.
        cerebellum: Below the surface of the cerebellum.
        brainstem: Below the surface of the brainstem.
        tentorium: Height above the tentorium, in mm.
        relative: Relative radius in the part that gives ``cerebrum``, for the drawing of sulci.
    """

    hemisphere: Float32
    temporal: Float32
    cerebrum: Float32
    cerebellum: Float32
    brainstem: Float32
    tentorium: Float32
    relative: Float32

    @property
    def whole(self) -> Float32:
        """Depth below the surface of the whole brain."""
        return np.maximum(np.maximum(self.cerebrum, self.cerebellum), self.brainstem)


def outline(points: Coordinates) -> Outline:
    """Depths of the brain's large parts at template points."""
    x, y, z = points
    xa = np.abs(x)
    wide = xa * forehead_factor(y).astype(np.float32)
    cx, cy, cz = HEMISPHERE_CENTRE_MM
    rx, ry, above, beneath = HEMISPHERE_RADII_MM
    hemisphere, relative = ellipsoid_depth(wide - cx, y - cy, z - cz, (rx, ry, np.where(z > cz, above, beneath)))
    tx, ty, tz = _TEMPORAL_CENTRE_MM
    tilt = np.float32(0.25) * (y - ty)
    temporal, relative_temporal = ellipsoid_depth(xa - tx, y - ty, z - tz - tilt, _TEMPORAL_RADII_MM)
    tentorium = z - tentorium_height(xa, y)
    ex, ey, ez = _CEREBELLUM_CENTRE_MM
    cerebellum, _ = ellipsoid_depth(xa - ex, y - ey, z - ez, (50.0, 33.0, np.where(z > ez, 34.0, 24.0)))
    # The vallecula: a groove between the cerebellar hemispheres, deepest behind and below.
    cerebellum = np.minimum(cerebellum, 4 + 0.9 * xa + 0.35 * (z + 60) - 0.3 * np.clip(y - 50, 0, None))
    behind = smooth_step(y, 8, 22)
    cerebrum = np.maximum(hemisphere, temporal)
    return Outline(
        hemisphere=hemisphere,
        temporal=temporal,
        cerebrum=np.where(behind > 0, np.minimum(cerebrum, tentorium - 0.8 + 40 * (1 - behind)), cerebrum),
        cerebellum=np.minimum(cerebellum, -tentorium - 0.8),
        brainstem=chain_depth(points, _BRAINSTEM),
        tentorium=tentorium,
        relative=np.where(temporal > hemisphere, relative_temporal, relative),
    )


def forehead_factor(y: npt.ArrayLike) -> npt.NDArray[np.floating]:
    """How much the head narrows: it is widest behind the ears and slimmer towards the forehead."""
    return np.asarray(1 + 0.0028 * np.clip(-np.asarray(y) - 5, 0, None))


def tentorium_height(xa: Float32, y: Float32) -> Float32:
    """Height of the tentorium (z, mm) at a distance from the midline: a tent with its ridge falling backwards."""
    return np.asarray(-7 - np.float32(0.3) * xa - np.float32(0.22) * (y - 30), dtype=np.float32)


class Brain:
    """One random brain.

    Points go through ``to_template`` first; everything else takes template coordinates.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._warp: list[tuple[SmoothField, float]] = []
        for amplitude_mm in (1.9, 2.3, 2.3):
            self._warp.append((random_field(rng, 25.0), amplitude_mm))
        self.ventricle_size = float(rng.uniform(0.8, 1.35))
        self.sulcus_width_mm = float(rng.uniform(0.45, 0.8))
        self.gradual = random_field(rng, 16.0)
        self.folds = _fold_table(rng)

    def warp_on_grid(self, z_mm: FloatArray, y_mm: FloatArray, x_mm: FloatArray) -> Coordinates:
        """Template coordinates (x, y, z) of all grid points, each with axes z, y, x."""
        base = (x_mm[None, None, :], y_mm[None, :, None], z_mm[:, None, None])
        shifts = [field.on_grid(z_mm, y_mm, x_mm) * np.float32(a) for field, a in self._warp]
        x, y, z = (np.asarray(b + shift, dtype=np.float32) for b, shift in zip(base, shifts, strict=True))
        return x, y, z

    def to_template(self, points_lps_mm: FloatArray) -> FloatArray:
        """Take world points (..., 3) to the template."""
        shifts = [field.at(points_lps_mm) * a for field, a in self._warp]
        return points_lps_mm + np.stack(shifts, axis=-1)

    def to_world(self, points_template_mm: FloatArray) -> FloatArray:
        """Take template points (..., 3) to the world, by fixed-point iteration (the warp is a contraction)."""
        world = points_template_mm
        for _ in range(10):
            world = world + (points_template_mm - self.to_template(world))
        return world

    def fold_distance(self, points: Coordinates, shape: Outline) -> Float32:
        """Signed distance (mm, up to about 12) from the nearest sulcal sheet, were it drawn through the whole lobe."""
        x, y, z = points
        side = np.sign(x)
        in_temporal = shape.temporal > shape.hemisphere
        centre = [np.where(in_temporal, t, h) for t, h in zip(_TEMPORAL_CENTRE_MM, HEMISPHERE_CENTRE_MM, strict=True)]
        # The exponent lets the sheets curve a little on their way in.
        scale = np.clip(shape.relative, 0.25, None) ** np.float32(-0.85)
        # The medial wall is flat: its sheets run straight sideways instead of towards the lobe's centre.
        medial = medial_depth(points) < shape.cerebrum
        scale[medial] = 1
        start = (np.where(medial, 22 * side + 0.5 * x, x - centre[0] * side), y - centre[1], z - centre[2])
        on_hull = (
            np.where(medial, start[0], centre[0] * side + start[0] * scale),
            centre[1] + start[1] * scale,
            centre[2] + start[2] * scale,
        )
        index = [(c + _REACH_MM) / _LOOKUP_MM for c in on_hull[::-1]]
        distance = ndimage.map_coordinates(self.folds, index, order=1, mode="nearest")
        return np.asarray(distance / scale, dtype=np.float32)

    def sulcus_depth(self, points: Coordinates, shape: Outline, variation: Float32) -> Float32:
        """Depth inside the sulcal fluid; ``variation`` (about -1 to 1) makes sulci deeper here, shallower there."""
        medial = medial_depth(points)
        below = np.minimum(shape.cerebrum, medial)
        # Sheets converge on the centre of their lobe, so those of the thin temporal lobe must end early.
        floor = np.where(shape.temporal > shape.hemisphere, 8, 14) + 5 * variation
        floor = np.where(medial < shape.cerebrum, 9 + 3 * variation, floor)
        beside = np.abs(self.fold_distance(points, shape))
        # Sulci gape at the surface and close further down.
        width = self.sulcus_width_mm * (1 + 0.9 * np.exp(-np.clip(below, 0, None) / 2.5))
        return np.asarray(width - np.hypot(beside, np.clip(below - floor, 0, None)), dtype=np.float32)


_REACH_MM = 105.0


def _fold_table(rng: np.random.Generator) -> Float32:
    """Signed distance (mm) to the zero surface of a band-pass noise, on a cube of half-width ``_REACH_MM``."""
    step = 5.0
    field = random_field(rng, step, _REACH_MM + 10)
    band = ndimage.gaussian_filter(field.coefficients, 0.45) - ndimage.gaussian_filter(field.coefficients, 1.7)
    axis = np.arange(-_REACH_MM, _REACH_MM + _LOOKUP_MM, _LOOKUP_MM)
    values = SmoothField(band, field.step_mm, field.start_mm).on_grid(axis, axis, axis)
    gradients = np.gradient(values, _LOOKUP_MM)
    slope = np.sqrt(sum(g * g for g in gradients))
    typical = float(np.sqrt(np.mean(slope**2)))
    return np.asarray(np.clip(values / np.hypot(slope, 0.35 * typical), -12, 12), dtype=np.float32)


def medial_depth(points: Coordinates) -> Float32:
    """Distance from the interhemispheric fissure, measured into the hemisphere; negative inside the fissure."""
    x, y, z = points
    # No fissure where the callosum joins the hemispheres.
    _, joined = ellipsoid_depth(x, y - 2, z - 3, (1e3, 40.0, 24.0))
    return np.asarray(np.maximum(np.abs(x) - 1.5, (1 - joined) * 24), dtype=np.float32)


def fissure_depth(points: Coordinates) -> Float32:
    """Depth inside the large fluid spaces: interhemispheric and Sylvian fissures, basal cisterns."""
    x, y, z = points
    xa = np.abs(x)
    across = z + 9 - np.float32(0.38) * (y + 10)
    ends = np.clip(np.abs(y - 2) - 30, 0, None)
    depth_in = np.clip(31 - xa, 0, None)
    flare = np.float32(0.8) + np.float32(0.6) * smooth_step(xa, 50, 60) + np.float32(0.5) * smooth_step(-y, 10, 25)
    sylvian = flare - np.sqrt(across**2 + ends**2 + depth_in**2)
    # The insular cistern runs up and down the floor of the Sylvian fissure.
    rim, _ = ellipsoid_depth(0.0, y - 1, across, (1e3, 23.0, 10.0))
    floor = 32 + 0.006 * (y - 2) ** 2 + 0.02 * across**2
    insula = np.float32(0.9) - np.hypot(xa - floor, np.clip(-rim, 0, None))
    cistern, _ = ellipsoid_depth(xa, y + 16, z + 24, (15.0, 15.0, 9.0))
    ambient, _ = ellipsoid_depth(xa, y - 14, z + 22, (21.0, 20.0, 10.0))
    deep: Sequence[Float32] = (-medial_depth(points), sylvian, insula, cistern, ambient)
    return np.asarray(np.max(np.stack(deep), axis=0), dtype=np.float32)


def ventricle_depth(points: Coordinates, size: float) -> Float32:
    """Depth inside the ventricles; ``size`` 1 is a young adult's."""
    x, y, z = points
    xa = np.abs(x)
    folded = (xa, y, z)
    grow = (size - 1) * 3
    lateral = np.max(np.stack([chain_depth(folded, part) for part in _LATERAL_VENTRICLE]), axis=0) + grow
    # The septum keeps the two apart.
    lateral = np.minimum(lateral, xa - 0.9)
    third = np.minimum(np.float32(1.3 + grow / 3) - xa, ellipsoid_depth(xa, y - 2, z - 1, (1e3, 15.0, 11.0))[0])
    fourth, _ = ellipsoid_depth(xa, y - 29, z + 36, (6.0, 5.0, 10.0))
    return np.asarray(np.maximum(np.maximum(lateral, third), fourth), dtype=np.float32)


def nuclei_depth(points: Coordinates) -> Float32:
    """Depth inside the deep grey nuclei: thalamus, caudate, putamen."""
    x, y, z = points
    xa = np.abs(x)
    thalamus, _ = ellipsoid_depth(xa - 10, y - 10, z - 6, (7.5, 14.0, 8.5))
    putamen, _ = ellipsoid_depth(xa - 24 - 0.25 * (y + 2), y + 2, z - 4, (4.5, 17.0, 10.0))
    caudate = chain_depth((xa, y, z), [(12, -24, 6, 5.5), (15, -10, 17, 3.6), (18, 10, 21, 2.4), (25, 25, 17, 1.5)])
    return np.asarray(np.maximum(np.maximum(thalamus, putamen), caudate), dtype=np.float32)
