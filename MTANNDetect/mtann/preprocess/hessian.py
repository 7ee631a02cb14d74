"""Curvature of images as further input of a network: the eigenvalues of the Hessian matrix at several scales.

They do not change when the image is turned, and tell blobs (all eigenvalues of one sign) from tubes (one near 0) and
sheets (two near 0), which a small network would have to learn for every direction. Derivatives are of the image
smoothed by a Gaussian, multiplied by the square of its scale so that scales compare (Lindeberg, Int J Comput Vis
30:79, 1998); the eigenvalues as measure of shape after Sato et al. (Med Image Anal 2:143, 1998). Of a symmetric 3x3
matrix they are found in closed form (Smith, Commun ACM 4:168, 1961).
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations_with_replacement

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mtann.preprocess.prepare import PreparedCase
from mtann.progress import Run

FloatVolume = npt.NDArray[np.float32]

EIGENVALUES = ("largest", "second largest")
"""Of each scale's eigenvalues, these are shown. The largest is negative in bright blobs alone, both in bright tubes."""
SHOWN = 4.0
"""Eigenvalues are shown multiplied by this, which makes them vary about as much as the images that they are of."""
_TRUNCATE = 4.0
"""In deviations. At three, the second derivative of a constant would be nearly a hundredth of it."""
_SLAB_VOXELS = 2_000_000


def hessian_names(channel: str, scales_mm: Sequence[float]) -> tuple[str, ...]:
    """Names of what is derived from one channel, in the order of :func:`with_hessian`."""
    return tuple(f"{channel}, {which} eigenvalue at {scale:g} mm" for scale in scales_mm for which in EIGENVALUES)


def with_hessian(prepared: PreparedCase, scales_mm: Sequence[float], dimensions: int, run: Run) -> PreparedCase:
    """A case whose channels are followed, image by image and scale by scale, by eigenvalues of the Hessian matrix.

    Args:
        prepared: The case, whose channels are its images alone.
        scales_mm: Standard deviations of the Gaussian, in mm; the case is returned as it is if there are none.
        dimensions: 2 for derivatives within slices alone.
        run: Progress and cancellation.

    Raises:
        CancelledError: The user asked to stop.
    """
    if not scales_mm:
        return prepared
    pairs = [(image, scale) for image in prepared.images for scale in scales_mm]
    derived: list[FloatVolume] = []
    for number, (image, scale) in enumerate(pairs):
        run.report("prepare", number / len(pairs), f"Curvature at {scale:g} mm")
        sigma = scale / np.array(prepared.grid.spacing_zyx_mm)
        derived += [np.float32(SHOWN) * values for values in largest_eigenvalues(image, sigma, dimensions, run)]
    return replace(prepared, channels=(*prepared.images, *derived), derived=len(derived))


def largest_eigenvalues(
    image: FloatVolume, sigma_zyx: npt.ArrayLike, dimensions: int = 3, run: Run | None = None
) -> tuple[FloatVolume, FloatVolume]:
    """The largest and the second largest eigenvalue of the Hessian matrix in each voxel.

    Args:
        image: (z, y, x), at least one voxel; beyond its borders it is mirrored.
        sigma_zyx: The Gaussian's standard deviation along each axis, in voxels.
        dimensions: 2 for derivatives within slices alone.
        run: Progress and cancellation.

    Returns:
        Two arrays (z, y, x) in the image's own unit: derivatives by lengths of one standard deviation.

    Raises:
        CancelledError: The user asked to stop.
    """
    run = run or Run()
    sigma = np.asarray(sigma_zyx, dtype=float)
    # Slabs bound the memory that six derivatives take; each sees as much of its neighbours as the Gaussian reaches.
    reach = 0 if dimensions == 2 else int(_TRUNCATE * sigma[0] + 0.5) + 1
    depth = max(1, _SLAB_VOXELS // max(1, image[0].size), reach)
    largest, second = np.empty_like(image), np.empty_like(image)
    for start in range(0, len(image), depth):
        run.check()
        stop = min(start + depth, len(image))
        low, high = max(0, start - reach), min(len(image), stop + reach)
        inside = slice(start - low, stop - low)
        second[start:stop], largest[start:stop] = _two_largest(_hessian(image[low:high], sigma, dimensions, inside))
    return largest, second


def _hessian(image: FloatVolume, sigma: npt.NDArray[np.float64], dimensions: int, inside: slice) -> list[FloatVolume]:
    """The distinct second derivatives: zz, zy, zx, yy, yx, xx; without those along z in two dimensions."""
    axes = range(3 - dimensions, 3)
    found = []
    for first, other in combinations_with_replacement(axes, 2):
        derivative = image
        for axis in axes:
            order = (first == axis) + (other == axis)
            derivative = ndimage.gaussian_filter1d(derivative, sigma[axis], axis, order, truncate=_TRUNCATE)
        found.append((derivative[inside] * np.float32(sigma[first] * sigma[other])).astype(np.float32))
    return found


def _two_largest(hessian: Sequence[FloatVolume]) -> tuple[FloatVolume, FloatVolume]:
    """The second largest and the largest eigenvalue of symmetric 2x2 or 3x3 matrices."""
    if len(hessian) == 3:
        yy, yx, xx = hessian
        middle, half = (yy + xx) / 2, np.hypot((yy - xx) / 2, yx)
        return np.asarray(middle - half, dtype=np.float32), np.asarray(middle + half, dtype=np.float32)
    zz, zy, zx, yy, yx, xx = hessian
    mean = (zz + yy + xx) / 3
    a, b, c = zz - mean, yy - mean, xx - mean
    spread = np.sqrt((a**2 + b**2 + c**2 + 2 * (zy**2 + zx**2 + yx**2)) / 6)
    determinant = a * (b * c - yx**2) - zy * (zy * c - yx * zx) + zx * (zy * yx - b * zx)
    # A matrix of three equal eigenvalues leaves the angle open; any gives the same.
    cosine = determinant / np.maximum(2 * spread**3, np.finfo(np.float32).tiny)
    angle = np.arccos(np.clip(cosine, -1, 1)) / 3
    largest = mean + 2 * spread * np.cos(angle)
    smallest = mean + 2 * spread * np.cos(angle + np.float32(2 * np.pi / 3))
    return np.asarray(3 * mean - largest - smallest, dtype=np.float32), np.asarray(largest, dtype=np.float32)
