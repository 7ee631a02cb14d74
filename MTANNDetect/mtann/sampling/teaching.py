"""Teaching volumes: what an MTANN is to answer at every voxel, and from where its training subvolumes are taken."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mtann.geometry import Geometry
from mtann.preprocess.grid import resample
from mtann.sampling.lesions import DEFAULT_RADIUS_MM, Lesion
from mtann.settings import TrainingSettings
from mtann.volume import Volume

FloatVolume = npt.NDArray[np.float32]
Box = tuple[slice, slice, slice]

_SOFT_MASK_SIGMA_VOXELS = 0.7
_LEAST_MARGIN_VOXELS = 2.0
_GUARD_SIGMAS = 3.0
_PADDING = 4
"""Zeros round an outline's crop, enough that smoothing before interpolation never meets a replicated edge."""


@dataclass(frozen=True)
class Taught:
    """A lesion's place in the teaching volume.

    Attributes:
        box: Its training region: every voxel in it is a training sample.
        values: Teaching values in the box, float32 (z, y, x), 0 to 1.
        guard: Where the lesion's response may still be felt: no voxel in it is taken as an example of normal tissue.
    """

    box: Box
    values: FloatVolume
    guard: Box


def teaching_sigma_mm(radius_mm: float, grid: Geometry, settings: TrainingSettings) -> float:
    """Width of the Gaussian teacher for a lesion of some radius: a fraction of it (at least some voxels), or fixed."""
    voxel_mm = grid.spacing_xyz_mm[0]
    if settings.fixed_teaching_sigma_voxels is not None:
        return settings.fixed_teaching_sigma_voxels * voxel_mm
    return max(settings.teaching_sigma_factor * radius_mm, settings.min_teaching_sigma_voxels * voxel_mm)


def teach(lesion: Lesion, grid: Geometry, settings: TrainingSettings) -> Taught:
    """Teaching values round one lesion on the model's grid.

    Gaussian (Suzuki et al., Med Phys 30:1602, 2003): T(r) = exp(-|r - r0|^2 / (2 sigma^2)), with sigma a fraction of
    the lesion's radius (at least some voxels), or fixed. Soft mask: the outline, interpolated, smoothed by 0.7 voxels,
    and scaled to a peak of 1, but nowhere below the narrowest Gaussian: without these two, a lesion of few voxels would
    be taught as half a lesion, and be scored so.
    """
    spacing = np.array(grid.spacing_zyx_mm)
    in_plane_mm = grid.spacing_xyz_mm[0]
    radius_mm = lesion.radius_mm or settings.point_radius_mm or DEFAULT_RADIUS_MM
    sigma_mm = teaching_sigma_mm(radius_mm, grid, settings)
    centre = grid.index_from_lps(lesion.centre_lps_mm)
    half = settings.region_factor * sigma_mm / spacing
    low, high = centre - half, centre + half
    soft = settings.teacher == "soft_mask" or (
        settings.teacher == "auto" and settings.fixed_teaching_sigma_voxels is None
    )
    if lesion.outline is not None and soft:
        margin = np.maximum(_LEAST_MARGIN_VOXELS * in_plane_mm, half * spacing - radius_mm) / spacing
        low, high = outline_extent(lesion.outline, grid)
        low, high = low - margin, high + margin
        box = box_between(low, high, grid)
        values = _soft_mask(lesion.outline, grid, box)
        least = _gaussian(box, centre, spacing, settings.min_teaching_sigma_voxels * in_plane_mm)
        guard = box_between(low - _LEAST_MARGIN_VOXELS, high + _LEAST_MARGIN_VOXELS, grid)
        return Taught(box, np.maximum(values / max(float(values.max()), 1e-6), least), guard)
    box = box_between(low, high, grid)
    reach = _GUARD_SIGMAS * sigma_mm / spacing
    return Taught(box, _gaussian(box, centre, spacing, sigma_mm), box_between(centre - reach, centre + reach, grid))


def _gaussian(
    box: Box, centre: npt.NDArray[np.float64], spacing: npt.NDArray[np.float64], sigma_mm: float
) -> FloatVolume:
    index = np.stack(np.meshgrid(*[np.arange(part.start, part.stop) for part in box], indexing="ij"), axis=-1)
    distance_squared = (((index - centre) * spacing) ** 2).sum(axis=-1)
    values: FloatVolume = np.exp(-distance_squared / (2 * sigma_mm**2)).astype(np.float32)
    return values


def teaching_volume(taught: list[Taught], shape_zyx: tuple[int, int, int]) -> FloatVolume:
    """The whole teaching volume (z, y, x): the largest value where lesions' regions overlap, 0 elsewhere."""
    volume = np.zeros(shape_zyx, dtype=np.float32)
    for one in taught:
        np.maximum(volume[one.box], one.values, out=volume[one.box])
    return volume


def outline_extent(outline: Volume, grid: Geometry) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Lowest and highest index (z, y, x), fractional, that an outline's voxels reach on a grid."""
    inside = np.argwhere(outline.array)
    low, high = inside.min(axis=0) - 0.5, inside.max(axis=0) + 0.5
    corners = np.array(np.meshgrid(*zip(low, high, strict=True))).reshape(3, -1).T
    reached = grid.index_from_lps(outline.geometry.lps_from_index(corners))
    return reached.min(axis=0), reached.max(axis=0)


def _soft_mask(outline: Volume, grid: Geometry, box: Box) -> FloatVolume:
    padded = np.pad(outline.array, _PADDING)
    geometry = outline.geometry.cropped((-_PADDING,) * 3, [n + _PADDING for n in outline.array.shape])
    part = grid.cropped([s.start for s in box], [s.stop for s in box])
    values = resample(Volume(padded.astype(np.float32), geometry), part)
    flat = grid.spacing_zyx_mm[0] > 2 * grid.spacing_xyz_mm[0]
    sigma = (0.0 if flat else _SOFT_MASK_SIGMA_VOXELS, _SOFT_MASK_SIGMA_VOXELS, _SOFT_MASK_SIGMA_VOXELS)
    smooth: FloatVolume = ndimage.gaussian_filter(values, sigma, mode="nearest")
    return smooth


def box_between(low: npt.NDArray[np.float64], high: npt.NDArray[np.float64], grid: Geometry) -> Box:
    """The voxels of a grid between two fractional indices, cut at its border; at least one."""
    shape = np.array(grid.shape_zyx)
    start = np.clip(np.ceil(low), 0, shape - 1).astype(int)
    stop = np.clip(np.floor(high) + 1, start + 1, shape).astype(int)
    z, y, x = (slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
    return z, y, x
