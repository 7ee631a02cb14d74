"""The model's grid: isotropic (in-plane for 2-D models), the patient always the same way round."""

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from scipy import ndimage

from mtann.errors import GeometryError
from mtann.geometry import Geometry, canonical_order
from mtann.volume import Volume
from mtann.volume_io import to_sitk

FINEST_MM, COARSEST_MM = 0.5, 1.0
"""Limits of a model's default spacing."""

_ACQUISITION_RATIO = 1.01
FloatVolume = npt.NDArray[np.float32]


def default_spacing_mm(geometries: list[Geometry]) -> float:
    """Median in-plane spacing of the training images, clamped to 0.5 to 1 mm."""
    in_plane = [spacing for geometry in geometries for spacing in sorted(geometry.spacing_xyz_mm)[:2]]
    return float(np.clip(np.median(in_plane), FINEST_MM, COARSEST_MM))


def model_grid(geometry: Geometry, spacing_mm: float, dimensions: int) -> Geometry:
    """The grid that a model scans for an image of this geometry.

    Axes run towards left, posterior and superior, whichever way the image is stored. A 3-D model gets cubic voxels. A
    2-D model gets square pixels in the acquisition plane (that of a single slice, else the plane across the axis of
    largest spacing, axial if none stands out), and the image's own slices: its slice axis is the grid's first array
    axis.
    """
    order, flip = canonical_order(geometry)
    grid = geometry.reordered(order, flip)
    if dimensions == 3:
        return grid.respaced((spacing_mm,) * 3)
    slice_axis = int(np.argmax(grid.spacing_xyz_mm))
    one_voxel = [axis for axis in range(3) if grid.size_xyz[axis] == 1]
    if len(one_voxel) == 1:
        slice_axis = one_voxel[0]
    elif grid.spacing_xyz_mm[slice_axis] <= _ACQUISITION_RATIO * sorted(grid.spacing_xyz_mm)[1]:
        slice_axis = 2
    in_plane = [axis for axis in range(3) if axis != slice_axis]
    grid = grid.reordered([*in_plane, slice_axis], (False, False, False))
    return grid.respaced((grid.spacing_xyz_mm[2], spacing_mm, spacing_mm))


def resample(volume: Volume, grid: Geometry) -> FloatVolume:
    """Linear interpolation onto a grid in world space, as float32 (z, y, x); outside the image its edge is replicated.

    Where the grid is coarser than the image, the image is smoothed first, so that fine detail does not alias: the
    Gaussian has the width that turns a voxel of the image's size into one of the grid's.
    """
    if volume.geometry.matches(grid):
        return np.array(volume.array, dtype=np.float32)
    ratio = _spacing_along_axes(volume.geometry, grid) / np.array(volume.geometry.spacing_zyx_mm)
    # Full width at half maximum of source and target voxel, subtracted in quadrature; 2.355 turns it into a deviation.
    sigma = np.sqrt(np.maximum(ratio**2 - 1, 0)) / 2.355
    array = np.asarray(volume.array, dtype=np.float32)
    if np.any(sigma > 0.1):
        array = ndimage.gaussian_filter(array, sigma, mode="nearest", truncate=3.0)
    return _interpolate(Volume(array, volume.geometry), grid, sitk.sitkLinear)


def resample_mask(mask: Volume, grid: Geometry) -> npt.NDArray[np.bool_]:
    """Nearest-neighbour interpolation of a mask's non-zero voxels onto a grid.

    Nothing is inside beyond the mask's volume.
    """
    inside = np.asarray(mask.array != 0)
    if mask.geometry.matches(grid):
        return inside
    binary = Volume(inside.astype(np.float32), mask.geometry)
    return np.asarray(_interpolate(binary, grid, sitk.sitkNearestNeighbor, replicate=False) > 0.5)


def restore(array: FloatVolume, grid: Geometry, target: Geometry) -> FloatVolume:
    """Bring a likelihood volume from the model's grid back to the image's, by linear interpolation."""
    if grid.matches(target):
        return array
    return _interpolate(Volume(array, grid), target, sitk.sitkLinear)


def overlap_fraction(geometry: Geometry, reference: Geometry) -> float:
    """Share of the reference grid's voxels that lie within the other image's volume, sampled on at most 33^3 points."""
    axes = [np.linspace(0, n - 1, min(n, 33)) for n in reference.shape_zyx]
    index = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    return float(np.mean(geometry.contains_index(geometry.index_from_lps(reference.lps_from_index(index)))))


def check_overlap(volume: Volume, reference: Volume) -> float:
    """Share of the reference image that the volume covers.

    Raises:
        GeometryError: They share no tissue at all.
    """
    share = overlap_fraction(volume.geometry, reference.geometry)
    # A small block may fall between the sampled points of a large one, but not the other way round.
    if share == 0 and overlap_fraction(reference.geometry, volume.geometry) == 0:
        raise GeometryError(
            f"'{volume.name}' does not overlap '{reference.name}' in space. "
            "Both must show the same part of one patient in one coordinate system: "
            "register them first, or check that the right files were given."
        )
    return share


def _spacing_along_axes(source: Geometry, grid: Geometry) -> npt.NDArray[np.float64]:
    """How far one grid voxel reaches along each of the source's axes (z, y, x), in millimetres."""
    cosines = np.abs(source.axes.T @ grid.axes)
    aligned = cosines.argmax(axis=1)
    spacing_xyz = np.array(grid.spacing_xyz_mm)[aligned] * cosines.max(axis=1)
    return np.asarray(spacing_xyz[::-1])


def _interpolate(volume: Volume, grid: Geometry, method: int, replicate: bool = True) -> FloatVolume:
    resampler = sitk.ResampleImageFilter()
    resampler.SetSize(grid.size_xyz)
    resampler.SetOutputSpacing(grid.spacing_xyz_mm)
    resampler.SetOutputOrigin(grid.origin_lps_mm)
    resampler.SetOutputDirection(grid.direction)
    resampler.SetInterpolator(method)
    resampler.SetUseNearestNeighborExtrapolator(replicate)
    resampler.SetOutputPixelType(sitk.sitkFloat32)
    array: FloatVolume = sitk.GetArrayFromImage(resampler.Execute(to_sitk(volume)))
    return array
