"""Curvature of images as further input of a network: the eigenvalues of the Hessian matrix at several scales.

They do not change when the image is turned, and tell blobs (all eigenvalues of one sign) from tubes (one near 0) and
sheets (two near 0), which a small network would have to learn for every direction. Derivatives are of the image
smoothed by a Gaussian, multiplied by the square of its scale so that scales compare (Lindeberg, Int J Comput Vis
30:79, 1998); the eigenvalues as measure of shape after Sato et al. (Med Image Anal 2:143, 1998). Of a symmetric 3x3
matrix they are found in closed form (Smith, Commun ACM 4:168, 1961).

What is no tissue has no part in it: smoothing averages over tissue alone (normalised convolution; Knutsson and Westin,
CVPR 1993, p. 515). Else the step from brain to what a skull-strip left empty would outdo most lesions.
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
BoolVolume = npt.NDArray[np.bool_]

EIGENVALUES = ("largest", "second largest")
"""Of each scale's eigenvalues, these are shown. Both are negative in bright blobs, the second alone in bright tubes,
neither in bright sheets."""
SHOWN = 4.0
"""Eigenvalues are shown multiplied by this, which makes them vary about as much as the images that they are of."""
_LEAST_SIGMA = 0.5
"""In voxels: a narrower Gaussian averages nothing, and would not reach from tissue to the voxels next to it."""
_SLAB_VOXELS = 2_000_000


def hessian_names(channel: str, scales_mm: Sequence[float]) -> tuple[str, ...]:
    """Names of what is derived from one channel, in the order of :func:`with_hessian`."""
    return tuple(f"{channel}, {which} eigenvalue at {scale:g} mm" for scale in scales_mm for which in EIGENVALUES)


def channel_sources(images: int, derived: int, answered: bool = False) -> tuple[int, ...]:
    """Which input each channel of a case is or is derived from, by number: the images, then an earlier answer."""
    of_images = (image for image in range(images) for _ in range(derived // images))
    return (*range(images), *of_images, *([images] if answered else []))


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
        part = run.part(number / len(pairs), (number + 1) / len(pairs))
        sigma = scale / np.array(prepared.grid.spacing_zyx_mm)
        found = largest_eigenvalues(image, sigma, dimensions, prepared.all_tissue, part)
        derived += [np.float32(SHOWN) * values for values in found]
    return replace(prepared, channels=(*prepared.images, *derived), derived=len(derived))


def largest_eigenvalues(
    image: FloatVolume,
    sigma_zyx: npt.ArrayLike,
    dimensions: int = 3,
    tissue: BoolVolume | None = None,
    run: Run | None = None,
) -> tuple[FloatVolume, FloatVolume]:
    """The largest and the second largest eigenvalue of the Hessian matrix in each voxel of tissue, and 0 elsewhere.

    Args:
        image: (z, y, x), at least one voxel.
        sigma_zyx: The Gaussian's standard deviation along each axis, in voxels; half a voxel at least is taken.
        dimensions: 2 for derivatives within slices alone.
        tissue: (z, y, x), where intensities count; everywhere if None.
        run: Progress and cancellation.

    Returns:
        Two arrays (z, y, x) in the image's own unit: derivatives by lengths of one standard deviation, as differences
        between neighbouring voxels.

    Raises:
        CancelledError: The user asked to stop.
    """
    run = run or Run()
    tissue = np.ones(image.shape, bool) if tissue is None else tissue
    largest, second = np.zeros_like(image), np.zeros_like(image)
    part = _around(tissue)
    if part is None:
        return largest, second
    sigma = np.maximum(np.asarray(sigma_zyx, dtype=float), _LEAST_SIGMA)
    inside, high, middle = tissue[part], largest[part], second[part]
    run.report("prepare", 0.0, "Smoothing")
    smooth = np.pad(_smoothed(image[part], inside, sigma, dimensions, run.part(0.0, 0.5)), 1, mode="edge")
    # Slabs bound the memory that six derivatives take.
    depth = max(1, _SLAB_VOXELS // inside[0].size)
    for start in range(0, len(inside), depth):
        run.report("prepare", 0.5 + 0.5 * start / len(inside), "Curvature")
        slab = slice(start, start + depth)
        where = inside[slab]
        derivatives = [values[where] for values in _hessian(smooth[start : start + depth + 2], sigma, dimensions)]
        middle[slab][where], high[slab][where] = _two_largest(derivatives)
    return largest, second


def _around(tissue: BoolVolume) -> tuple[slice, ...] | None:
    """The box round tissue with the voxels next to it, or None without tissue."""
    boxes = ndimage.find_objects(tissue.view(np.uint8))
    return tuple(slice(max(0, axis.start - 1), axis.stop + 1) for axis in boxes[0]) if boxes else None


def _smoothed(
    image: FloatVolume, tissue: BoolVolume, sigma: npt.NDArray[np.float64], dimensions: int, run: Run
) -> FloatVolume:
    """Averages over the tissue about each voxel, weighted by a Gaussian."""
    total, weight = np.where(tissue, image, np.float32(0)), tissue.astype(np.float32)
    for axis in range(3 - dimensions, 3):
        run.check()
        total = ndimage.gaussian_filter1d(total, sigma[axis], axis, mode="constant")
        weight = ndimage.gaussian_filter1d(weight, sigma[axis], axis, mode="constant")
    return np.divide(total, weight, out=np.zeros_like(total), where=weight > 0)


def _hessian(smooth: FloatVolume, sigma: npt.NDArray[np.float64], dimensions: int) -> list[FloatVolume]:
    """The distinct second derivatives: zz, zy, zx, yy, yx, xx; without those along z in two dimensions.

    ``smooth`` has one voxel more than the result at every end of each axis.
    """

    def moved(*steps: tuple[int, int]) -> FloatVolume:
        shift = dict(steps)
        return smooth[tuple(slice(1 + shift.get(a, 0), n - 1 + shift.get(a, 0)) for a, n in enumerate(smooth.shape))]

    found = []
    for first, other in combinations_with_replacement(range(3 - dimensions, 3), 2):
        if first == other:
            # Of the differences to both sides, so that nothing curves where all is alike, whatever its height.
            difference = (moved((first, 1)) - moved()) - (moved() - moved((first, -1)))
        else:
            ahead = moved((first, 1), (other, 1)) - moved((first, 1), (other, -1))
            difference = (ahead - (moved((first, -1), (other, 1)) - moved((first, -1), (other, -1)))) / 4
        found.append(difference * np.float32(sigma[first] * sigma[other]))
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
