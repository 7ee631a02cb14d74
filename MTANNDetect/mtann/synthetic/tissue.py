"""Where lesions can be, and what the tissue there looks like."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mtann.errors import ImageError
from mtann.geometry import IndexTriple
from mtann.preprocess.grid import resample_mask
from mtann.preprocess.lungs import find_lungs
from mtann.preprocess.mask import choose_mask_kind, make_mask
from mtann.synthetic.recipe import Tissue
from mtann.volume import Volume

BoolVolume = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]

_MAD_TO_DEVIATION = 1.4826
_VESSEL_MM = 3.0
_SAMPLES = 300_000
_PARTIAL_HU = -50.0
_SLAB = (8, 64, 64)
_QUIET_PERCENT = 5
_LEAST_ORDINARY = 30
_NOISE_SIGMA_VOXELS = 0.75


def find_tissue(image: Volume, mask: Volume | None, kind: Tissue) -> BoolVolume:
    """The voxels (z, y, x) of an image that lesions may change.

    Args:
        image: The first channel.
        mask: Non-zero where tissue is, on any grid; None to find it by ``kind``.
        kind: How to find it. For "lung", a given mask is narrowed to the lungs within it.

    Raises:
        ImageError: There is none.
    """
    given = None if mask is None else resample_mask(mask, image.geometry)
    if kind == "lung":
        found = _lungs(image)
        found = found if given is None else found & given
    elif given is not None:
        found = given
    else:
        array = np.asarray(image.array, dtype=np.float32)
        found = make_mask(array, choose_mask_kind(array, is_ct=False) if kind == "auto" else kind)
    if not found.any():
        raise ImageError(
            f"No {'lung' if kind == 'lung' else 'tissue'} was found in '{image.name}', so no lesion can be put there. "
            "Check the image, or give a mask that overlaps it."
        )
    return found


def _lungs(image: Volume) -> BoolVolume:
    """Lungs of a CT with their small vessels and their border; the wind-pipe may be among them."""
    array = np.asarray(image.array, dtype=np.float32)
    lungs = find_lungs(array, image.geometry.spacing_zyx_mm, _VESSEL_MM)
    # Voxels at the pleura are half wall: without them a dark seam would part a lesion from the wall that it grows on.
    return np.asarray(ndimage.binary_dilation(lungs, iterations=2, mask=lungs | (array < _PARTIAL_HU)))


@dataclass(frozen=True)
class TissueLevels:
    """What a channel's tissue looks like as a whole.

    Attributes:
        median: Of its voxels.
        deviation: Robust: 1.4826 times the median absolute deviation.
        least: Its darkest value; nothing is painted darker.
        noise: Of the scan: deviation, in its quietest places, of what a slight smoothing takes away.
    """

    median: float
    deviation: float
    least: float
    noise: float


def measure_tissue(array: Float32, tissue: BoolVolume, name: str) -> TissueLevels:
    """Measure a channel (z, y, x) within its tissue.

    Raises:
        ImageError: The tissue has the same value everywhere.
    """
    inside = array[tissue]
    least = float(inside.min())
    if least == inside.max():
        raise ImageError(
            f"'{name}' has the same value throughout the tissue: lesions have nothing to stand out from. "
            "Check the image and the mask."
        )
    inside = inside[:: max(1, len(inside) // _SAMPLES)]
    median = float(np.median(inside))
    deviation = _MAD_TO_DEVIATION * float(np.median(np.abs(inside - median))) or float(inside.std())
    (box,) = ndimage.find_objects(tissue.astype(np.uint8))
    # A slab through the middle tells the noise of all.
    centre = [(part.start + part.stop) // 2 for part in box]
    middle = tuple(slice(max(0, c - n), c + n + 1) for c, n in zip(centre, _SLAB, strict=True))
    power = ndimage.uniform_filter(_residual(array[middle]) ** 2, 5, mode="nearest")[tissue[middle]]
    # Elsewhere it is edges of anatomy that the smoothing takes away.
    noise = float(np.sqrt(max(0.0, np.percentile(power, _QUIET_PERCENT)))) if power.size else 0.0
    return TissueLevels(median, deviation, least, noise)


def scan_noise(shape_zyx: IndexTriple, levels: TissueLevels, random: np.random.Generator) -> Float32:
    """Noise as strong as the scan's, correlated over about a voxel as in reconstructed and resampled images."""
    white = random.standard_normal(shape_zyx, dtype=np.float32)
    noise = np.asarray(ndimage.gaussian_filter(white, _NOISE_SIGMA_VOXELS, mode="nearest", truncate=3.0))
    return np.asarray(noise * np.float32(levels.noise / max(float(_residual(noise).std()), 1e-9)))


def _residual(block: Float32) -> Float32:
    return np.asarray(block - ndimage.gaussian_filter(block, 1.0, mode="nearest", truncate=3.0))


def local_level(block: Float32, tissue: BoolVolume, levels: TissueLevels) -> float:
    """Median of ordinary tissue, neither fluid nor vessel, in a block; where there is too little, that of the whole."""
    values, level = block[tissue], levels.median
    # From the whole image's level step by step to the one here, which its unevenness (bias field) has shifted.
    for reach in (2.0, 1.5, 1.25, 1.25):
        ordinary = values[np.abs(values - level) <= reach * levels.deviation]
        if ordinary.size < _LEAST_ORDINARY:
            return levels.median
        level = float(np.median(ordinary))
    return level
