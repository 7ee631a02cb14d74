"""The baseline that a lesion detector must beat: bright blobs by multi-scale Laplacian of Gaussian.

It is given every fair chance: brain mask, correction of the receive-coil shading, scale-normalised responses, peaks in
space and scale, non-maximum suppression by size, and a threshold and set of scales chosen on training phantoms.
"""

import argparse
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mtann.phantoms.head import head_phantom
from mtann.volume import Volume

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class LogSettings:
    """What may be tuned.

    Attributes:
        sigmas_mm: Scales; a ball of radius r answers most at r / sqrt(3).
        scale_power: Exponent of sigma in the normalisation; 2 is scale-invariant, less favours small blobs.
        flatten: Whether to divide by a wide local mean (bias field) and take a robust z-score inside the brain.
        suppress: Peaks nearer than this many times their ball's radius to a stronger one are dropped.
        erode_mm: Peaks this close to the edge of the brain are dropped.
    """

    sigmas_mm: tuple[float, ...] = (0.9, 1.4, 2.1, 3.1, 4.4)
    scale_power: float = 2.0
    flatten: bool = True
    suppress: float = 1.0
    erode_mm: float = 0.0


@dataclass(frozen=True)
class Blobs:
    """Candidates by descending response: centres (n, 3) as indices z, y, x, and responses (n,)."""

    centres_zyx: npt.NDArray[np.int64]
    responses: npt.NDArray[np.float64]


def prepare(volume: Volume, flatten: bool) -> Array:
    """Fill the background with brain, so that the edge is no blob; correct shading; take a robust z-score."""
    array = volume.array.astype(np.float32)
    mask = array > 0
    sigma = 15.0 / volume.geometry.spacing_zyx_mm[0]
    inside = mask.astype(np.float32)
    # A median-clipped copy keeps vessels and lesions from pulling the estimate of the shading up.
    middle = float(np.median(array[mask]))
    calm = np.clip(array, 0.5 * middle, 1.5 * middle) * inside
    shading = ndimage.gaussian_filter(calm, sigma, truncate=2.5) / np.maximum(
        ndimage.gaussian_filter(inside, sigma, truncate=2.5), 1e-3
    )
    if flatten:
        array = array / np.maximum(shading, 0.1 * middle)
        shading = np.ones_like(array)
    low, centre, high = np.percentile(array[mask], (15.9, 50, 84.1))
    scale = np.float32((high - low) / 2)
    filled = np.where(mask, array, shading if flatten else np.float32(centre))
    return np.asarray((filled - np.float32(centre)) / scale, dtype=np.float32)


class BlobFinder:
    """Finds the bright blobs of one volume under any settings, computing each filter response once."""

    def __init__(self, volume: Volume) -> None:
        self._volume = volume
        self._spacing = volume.geometry.spacing_zyx_mm[0]
        mask = np.asarray(volume.array > 0)
        self._depth = ndimage.distance_transform_edt(mask, sampling=self._spacing)
        self._image = cache(lambda flatten: prepare(volume, flatten))
        self._response = cache(self._compute_response)
        self._peaks = cache(self._compute_peaks)

    def find(self, settings: LogSettings, most: int = 200) -> Blobs:
        """The strongest bright blobs, strongest first."""
        centres, strength, radii = self._peaks(settings.sigmas_mm, settings.scale_power, settings.flatten)
        deep = self._depth[tuple(centres.T)] > settings.erode_mm
        centres, strength, radii = centres[deep], strength[deep], radii[deep]
        kept = _suppress(centres * self._spacing, radii * settings.suppress, most)
        return Blobs(centres[kept], strength[kept].astype(np.float64))

    def _compute_response(self, flatten: bool, sigma_mm: float) -> Array:
        sigma = sigma_mm / self._spacing
        return np.asarray(
            -ndimage.gaussian_laplace(self._image(flatten), sigma, truncate=3) * sigma**2, dtype=np.float32
        )

    def _compute_peaks(
        self, sigmas_mm: tuple[float, ...], power: float, flatten: bool, most: int = 3000
    ) -> tuple[npt.NDArray[np.int64], Array, npt.NDArray[np.float64]]:
        """Local maxima over space and scale: indices z, y, x, responses, and radii (mm) of balls that answer so."""
        stack = [self._response(flatten, sigma) * np.float32(sigma ** (power - 2)) for sigma in sigmas_mm]
        best = np.max(stack, axis=0)
        centres = np.argwhere((best == ndimage.maximum_filter(best, size=3)) & (self._depth > 0) & (best > 0))
        strength = best[tuple(centres.T)]
        order = np.argsort(strength)[::-1][:most]
        centres, strength = centres[order], strength[order]
        scales = np.argmax([response[tuple(centres.T)] for response in stack], axis=0)
        return centres, strength, np.sqrt(3) * np.asarray(sigmas_mm)[scales]


def find_blobs(volume: Volume, settings: LogSettings) -> Blobs:
    """Bright blobs of a volume, strongest first."""
    return BlobFinder(volume).find(settings)


def _suppress(points_mm: npt.NDArray[np.float64], radii_mm: npt.NDArray[np.float64], most: int) -> list[int]:
    """Numbers of the peaks that no stronger, kept peak covers."""
    kept: list[int] = []
    for k, point in enumerate(points_mm):
        apart = np.linalg.norm(points_mm[kept] - point, axis=1)
        if (apart > np.maximum(radii_mm[kept], radii_mm[k])).all():
            kept.append(k)
        if len(kept) == most:
            break
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(description="Lists the strongest bright blobs of a head phantom.")
    parser.add_argument("--seed", type=int, default=0, help="seed of the phantom")
    phantom = head_phantom(parser.parse_args().seed)
    blobs = find_blobs(phantom.volume, LogSettings())
    for centre, response in zip(blobs.centres_zyx[:20], blobs.responses, strict=False):
        x, y, z = phantom.volume.geometry.lps_from_index(centre)
        label = int(phantom.labels.array[tuple(centre)])
        print(f"{response:6.2f} at {x:6.1f} {y:6.1f} {z:6.1f} LPS mm, {f'lesion {label}' if label else 'no lesion'}")


if __name__ == "__main__":
    main()
