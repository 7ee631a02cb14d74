"""Growing a candidate's outline from its peak."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mtann.detection.peaks import Peak
from mtann.geometry import FloatArray, Geometry
from mtann.settings import DetectionSettings

FloatVolume = npt.NDArray[np.float32]
LabelVolume = npt.NDArray[np.uint16]

_REACH_SCALES = 5.0
"""An outline ends this many scoring sigmas from its peak. The sigma is near half of a lesion's radius, so this is over twice
the radius; without an end, the outline of a weak candidate would run through all that is faintly like it."""
_CONNECTIVITY_26 = np.ones((3, 3, 3), dtype=bool)


def grow_outlines(
    likelihood: FloatVolume,
    geometry: Geometry,
    peaks: Sequence[Peak],
    peaks_lps_mm: FloatArray,
    settings: DetectionSettings,
) -> tuple[LabelVolume, list[Peak]]:
    """Outline peaks one after the other, strongest first; a peak within an earlier outline belongs to that candidate.

    A candidate's outline is where the likelihood exceeds a fraction of its peak value, connected to the peak (26
    neighbours), with holes filled, at most five scoring sigmas away.

    Args:
        likelihood: On the image's grid (z, y, x).
        geometry: That grid.
        peaks: Strongest first.
        peaks_lps_mm: Their places (n, 3).
        settings: Outline fraction and how many candidates are kept.

    Returns:
        A label map in which value k is the k-th kept peak, and the kept peaks.
    """
    labels = np.zeros(likelihood.shape, dtype=np.uint16)
    kept: list[Peak] = []
    for peak, place in zip(peaks, peaks_lps_mm, strict=True):
        if len(kept) == settings.max_candidates:
            break
        if _grow(likelihood, geometry, labels, peak, place, settings.outline_fraction, len(kept) + 1):
            kept.append(peak)
    return labels, kept


def _grow(
    likelihood: FloatVolume,
    geometry: Geometry,
    labels: LabelVolume,
    peak: Peak,
    place_lps_mm: FloatArray,
    fraction: float,
    label: int,
) -> bool:
    """Write one outline into the label map; False if its peak lies in an earlier one."""
    reach_mm = _REACH_SCALES * peak.scale_mm
    box, distance_mm, neighbour = _surroundings(geometry, place_lps_mm, reach_mm)
    values, claimed = likelihood[box], labels[box]
    # On thick slices a peak may lie between two of them: those on either side are near, however far in millimetres.
    near = (distance_mm <= peak.scale_mm) | neighbour
    start = np.unravel_index(np.argmax(np.where(near, values, -np.inf)), values.shape)
    if claimed[start]:
        return False
    allowed = (values > fraction * values[start]) & (claimed == 0) & (distance_mm <= reach_mm)
    allowed[start] = True
    components, _ = ndimage.label(allowed, structure=_CONNECTIVITY_26)
    outline = components == components[start]
    outline = ndimage.binary_fill_holes(outline)
    claimed[outline & (claimed == 0)] = label
    return True


def _surroundings(
    geometry: Geometry, place_lps_mm: FloatArray, reach_mm: float
) -> tuple[tuple[slice, ...], npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """The block of voxels about a place, each one's distance from it in mm, and which are its next neighbours."""
    spacing = np.array(geometry.spacing_zyx_mm)
    centre = np.clip(geometry.index_from_lps(place_lps_mm), 0, np.array(geometry.shape_zyx) - 1)
    low = np.maximum(np.floor(centre - reach_mm / spacing), 0).astype(int)
    high = np.minimum(np.ceil(centre + reach_mm / spacing).astype(int) + 1, geometry.shape_zyx)
    ranges = [np.arange(a, b) for a, b in zip(low, high, strict=True)]
    index = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1)
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    step = np.abs(index - centre)
    return box, np.linalg.norm(step * spacing, axis=-1), np.all(step < 1, axis=-1)
