"""From shapes in the world to voxels: vessels, lesions, resolution and noise."""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mtann.geometry import Geometry
from mtann.phantoms.fields import Float32, FloatArray
from mtann.phantoms.lesions import PlacedLesion
from mtann.phantoms.vessels import Tube

_SUBSAMPLES = 4
"""Sample points along each edge of a voxel when its share of a lesion is measured."""
_OEDEMA = 0.86
_OEDEMA_FROM_MM = 6.0


def add_tubes(signal: Float32, geometry: Geometry, tubes: list[Tube]) -> None:
    """Paint vessels over the signal, in place; a voxel takes the brightest vessel's share."""
    points = np.concatenate([tube.points_lps_mm for tube in tubes])
    radii = np.concatenate([tube.radii_mm for tube in tubes])
    bright = np.concatenate([np.full(len(tube.radii_mm), tube.brightness) for tube in tubes])
    share = np.zeros(signal.size, dtype=np.float32)
    glow = np.zeros(signal.size, dtype=np.float32)
    spacing = geometry.spacing_xyz_mm[0]
    for low, high in ((0.0, 1.0), (1.0, 1.6), (1.6, 2.4), (2.4, np.inf)):
        chosen = (radii >= low) & (radii < high)
        if chosen.any():
            voxels, cover = _tube_cover(geometry, points[chosen], radii[chosen], spacing)
            np.maximum.at(share, voxels.ravel(), cover.ravel())
            np.maximum.at(glow, voxels.ravel(), (cover * bright[chosen, None]).ravel().astype(np.float32))
    flat = signal.reshape(-1)
    hit = share > 0
    # The brightness of the vessel itself is its glow divided by its share.
    flat[hit] += share[hit] * (glow[hit] / share[hit] - flat[hit])


def _tube_cover(
    geometry: Geometry, points: FloatArray, radii: FloatArray, spacing_mm: float
) -> tuple[npt.NDArray[np.int64], Float32]:
    """Flat voxel numbers (n, m) near each point, and the share of each that the vessel covers."""
    reach = int(np.ceil(radii.max() / spacing_mm + 1))
    steps = np.arange(-reach, reach + 1)
    offsets = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    offsets = offsets[np.linalg.norm(offsets, axis=1) <= reach + 0.5]
    index = geometry.index_from_lps(points)
    nearest = np.round(index).astype(np.int64)
    shape = np.array(geometry.shape_zyx)
    inside = np.all((nearest >= reach) & (nearest < shape - reach), axis=1)
    away = (nearest - index).astype(np.float32)[:, None, :] + offsets.astype(np.float32)
    distance = np.sqrt(np.einsum("nmk,nmk->nm", away, away)) * np.float32(spacing_mm)
    cover = np.clip((radii[:, None].astype(np.float32) - distance) / np.float32(spacing_mm) + np.float32(0.5), 0, 1)
    # A vessel thinner than a voxel fills only part of it.
    cover *= np.minimum(1, (radii / (0.6 * spacing_mm)) ** 2).astype(np.float32)[:, None]
    cover[~inside] = 0
    clipped = np.clip(nearest, reach, shape - 1 - reach)
    strides = np.array([shape[1] * shape[2], shape[2], 1])
    return (clipped @ strides)[:, None] + offsets @ strides, cover.astype(np.float32)


def add_lesion(signal: Float32, labels: npt.NDArray[np.uint8], geometry: Geometry, lesion: PlacedLesion) -> None:
    """Paint one lesion and its label, in place."""
    spacing = geometry.spacing_xyz_mm[0]
    reach = lesion.shape.extent_mm * 1.5 + 2
    centre = geometry.index_from_lps(lesion.centre_lps_mm)
    low = np.maximum(np.floor(centre - reach / spacing).astype(int), 0)
    high = np.minimum(np.ceil(centre + reach / spacing).astype(int) + 1, geometry.shape_zyx)
    box = tuple(slice(a, b) for a, b in zip(low.tolist(), high.tolist(), strict=True))
    voxels = np.stack(np.meshgrid(*(np.arange(a, b) for a, b in zip(low, high, strict=True)), indexing="ij"), axis=-1)
    offsets = (geometry.lps_from_index(voxels) - np.asarray(lesion.centre_lps_mm)).astype(np.float32)
    share, core = _lesion_shares(lesion, offsets, spacing)
    labels[box][share >= 0.5] = lesion.label
    patch = signal[box]
    if lesion.shape.diameter_mm >= _OEDEMA_FROM_MM:
        halo = np.clip(1 + lesion.shape.depth(offsets) / (0.35 * lesion.shape.diameter_mm), 0, 1)
        patch = np.where((patch > 0.6) & (patch < 1.2), patch * (1 - (1 - _OEDEMA) * halo), patch)
    look = lesion.brightness
    inner = look if lesion.kind != "ring" else look + (lesion.core[0] - look) * core
    signal[box] = patch + (inner - patch) * share


def _lesion_shares(lesion: PlacedLesion, offsets: FloatArray | Float32, spacing_mm: float) -> tuple[Float32, Float32]:
    """Shares of voxels that the lesion and its core fill, by supersampling where the border passes."""
    depth = lesion.shape.depth(np.asarray(offsets, dtype=np.float64))
    share = (depth > 0).astype(np.float32)
    core_depth = depth - (1 - lesion.core[1]) * lesion.shape.diameter_mm / 2
    core = np.clip(core_depth / spacing_mm + 0.5, 0, 1).astype(np.float32)
    border = np.abs(depth) < 1.5 * spacing_mm
    ticks = ((np.arange(_SUBSAMPLES) + 0.5) / _SUBSAMPLES - 0.5) * spacing_mm
    inner = np.stack(np.meshgrid(ticks, ticks, ticks, indexing="ij"), axis=-1).reshape(-1, 3)
    samples = np.asarray(offsets, dtype=np.float64)[border][:, None, :] + inner
    share[border] = np.mean(lesion.shape.depth(samples) > 0, axis=1)
    return share, core


def blur(signal: Float32, mask: npt.NDArray[np.bool_], sigma_voxels: float) -> Float32:
    """Blur to the scanner's resolution without pulling the empty background into the brain."""
    weight = ndimage.gaussian_filter(mask.astype(np.float32), sigma_voxels, truncate=3)
    blurred = ndimage.gaussian_filter(signal * mask, sigma_voxels, truncate=3)
    return np.asarray(blurred / np.maximum(weight, 0.05), dtype=np.float32)


def rician(rng: np.random.Generator, signal: Float32, sigma: float) -> Float32:
    """Magnitude of the signal with complex Gaussian noise of standard deviation ``sigma``."""
    noise = rng.standard_normal((2, *signal.shape), dtype=np.float32) * np.float32(sigma)
    return np.asarray(np.hypot(signal + noise[0], noise[1]), dtype=np.float32)
