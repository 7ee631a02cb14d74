"""Phantoms of simple solids in noise, on any grid, whose truth is known by formula.

Solids are defined in the world and sampled several times within each voxel, so a sphere on an oblique, flipped or
anisotropic grid, even one of a single slice, has the right partial volume everywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from mtann.errors import SettingsError
from mtann.geometry import Geometry, Triple
from mtann.phantoms.fields import FloatArray
from mtann.volume import Volume

_SUBSAMPLES = 4
"""Sample points along each edge of a voxel that a border passes through."""


@dataclass(frozen=True)
class Sphere:
    """A bright ball.

    Attributes:
        centre_lps_mm: Its centre.
        radius_mm: Its radius.
        contrast: What it adds to the background.
    """

    centre_lps_mm: Triple
    radius_mm: float
    contrast: float = 1.0

    def depth(self, points_lps_mm: FloatArray) -> FloatArray:
        """Signed distance (mm) of points (..., 3) from the surface, positive inside."""
        return np.asarray(self.radius_mm - np.linalg.norm(points_lps_mm - np.asarray(self.centre_lps_mm), axis=-1))


@dataclass(frozen=True)
class Cylinder:
    """A bright straight tube with flat ends.

    Attributes:
        centre_lps_mm: Its middle.
        radius_mm: Its radius.
        axis_lps: Unit vector along it.
        length_mm: End to end.
        contrast: What it adds to the background.
    """

    centre_lps_mm: Triple
    radius_mm: float
    axis_lps: Triple
    length_mm: float
    contrast: float = 1.0

    def depth(self, points_lps_mm: FloatArray) -> FloatArray:
        """Signed distance (mm) of points (..., 3) from the surface, positive inside; exact near side and ends."""
        offsets = points_lps_mm - np.asarray(self.centre_lps_mm)
        along = offsets @ np.asarray(self.axis_lps)
        across = np.sqrt(np.maximum(np.sum(offsets**2, axis=-1) - along**2, 0))
        return np.asarray(np.minimum(self.radius_mm - across, self.length_mm / 2 - np.abs(along)))


@dataclass(frozen=True)
class Ellipsoid:
    """A body for solids to lie in, its axes along LPS; outside it the image is 0.

    Attributes:
        centre_lps_mm: Its centre.
        half_axes_lps_mm: Half-axes along left, posterior, superior.
    """

    centre_lps_mm: Triple
    half_axes_lps_mm: Triple

    def contains(self, points_lps_mm: FloatArray) -> npt.NDArray[np.bool_]:
        """Whether points (..., 3) lie inside."""
        relative = (points_lps_mm - np.asarray(self.centre_lps_mm)) / np.asarray(self.half_axes_lps_mm)
        return np.asarray(np.linalg.norm(relative, axis=-1) <= 1)


@dataclass(frozen=True)
class Box:
    """A body with flat sides along LPS; outside it the image is 0.

    Attributes:
        centre_lps_mm: Its centre.
        half_axes_lps_mm: Half its edges along left, posterior, superior.
    """

    centre_lps_mm: Triple
    half_axes_lps_mm: Triple

    def contains(self, points_lps_mm: FloatArray) -> npt.NDArray[np.bool_]:
        """Whether points (..., 3) lie inside."""
        relative = np.abs(points_lps_mm - np.asarray(self.centre_lps_mm)) / np.asarray(self.half_axes_lps_mm)
        return np.asarray(relative.max(axis=-1) <= 1)


@dataclass(frozen=True)
class ShapesPhantom:
    """A synthetic image and the truth about it.

    Attributes:
        volume: The image, float32, axes z, y, x.
        labels: uint8 on the same grid: value k where sphere k (from 1) fills at least half of the voxel, else 0.
        spheres: The lesions, in label order.
        cylinders: The look-alikes.
    """

    volume: Volume
    labels: Volume
    spheres: tuple[Sphere, ...]
    cylinders: tuple[Cylinder, ...] = ()


def sphere_phantom(
    geometry: Geometry,
    lesions: Sequence[Sphere],
    cylinders: Sequence[Cylinder] = (),
    background: float = 1.0,
    noise_sigma: float = 0.0,
    body: Ellipsoid | Box | None = None,
    seed: int = 0,
) -> ShapesPhantom:
    """Image balls and tubes on a grid.

    Args:
        geometry: Any grid.
        lesions: Balls; each adds its contrast to the background.
        cylinders: Tubes, drawn likewise but not labelled. Where solids overlap, the stronger contrast counts.
        background: Value of the tissue.
        noise_sigma: Standard deviation of Gaussian noise, in the same units.
        body: Where tissue is; exactly 0 outside. None fills the grid.
        seed: Of the noise; 0 or more.

    Raises:
        SettingsError: A radius is not positive, the noise or the seed is negative, or there are more than 255 balls.
    """
    _check(lesions, cylinders, noise_sigma, seed)
    added = np.zeros(geometry.shape_zyx, dtype=np.float32)
    labels = np.zeros(geometry.shape_zyx, dtype=np.uint8)
    solids: list[Sphere | Cylinder] = [*lesions, *cylinders]
    for number, solid in enumerate(solids):
        box, share = solid_share(geometry, solid)
        patch = np.asarray(share * solid.contrast, dtype=np.float32)
        added[box] = np.where(np.abs(patch) > np.abs(added[box]), patch, added[box])
        if number < len(lesions):
            labels[box][share >= 0.5] = number + 1
    rng = np.random.default_rng(seed)
    image = (
        added + np.float32(background) + np.float32(noise_sigma) * rng.standard_normal(added.shape, dtype=np.float32)
    )
    if body is not None:
        inside = body.contains(_voxel_centres(geometry, (0, 0, 0), geometry.shape_zyx))
        image[~inside] = 0
        labels[~inside] = 0
    image_volume, label_volume = Volume(image, geometry, "shapes"), Volume(labels, geometry, "shapes-lesions")
    return ShapesPhantom(image_volume, label_volume, tuple(lesions), tuple(cylinders))


def _check(lesions: Sequence[Sphere], cylinders: Sequence[Cylinder], noise_sigma: float, seed: int) -> None:
    if len(lesions) > 255:
        raise SettingsError(f"A phantom has at most 255 lesions, found {len(lesions)}.")
    radii = [*(sphere.radius_mm for sphere in lesions), *(cylinder.radius_mm for cylinder in cylinders)]
    if radii and min(radii) <= 0:
        raise SettingsError(f"The radius of every solid must be above 0 mm, found {min(radii)}.")
    if noise_sigma < 0 or seed < 0:
        raise SettingsError(f"Noise and seed must be 0 or more, found noise {noise_sigma} and seed {seed}.")


def solid_share(
    geometry: Geometry, solid: Sphere | Cylinder
) -> tuple[tuple[slice, slice, slice], npt.NDArray[np.float32]]:
    """The part of the grid round a solid, and the share (0 to 1) of each voxel there that the solid fills."""
    half_length = solid.length_mm / 2 if isinstance(solid, Cylinder) else 0.0
    reach_mm = float(np.hypot(half_length, solid.radius_mm)) if half_length else solid.radius_mm
    reach = reach_mm / np.array(geometry.spacing_zyx_mm) + 1
    centre = geometry.index_from_lps(solid.centre_lps_mm)
    shape = np.array(geometry.shape_zyx)
    low = np.clip(np.floor(centre - reach).astype(int), 0, shape)
    high = np.clip(np.ceil(centre + reach).astype(int) + 1, low, shape)
    box = (slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2]))
    points = _voxel_centres(geometry, low, high)
    depth = solid.depth(points)
    share = (depth > 0).astype(np.float32)
    # Only voxels that the border may cross need samples within.
    border = np.abs(depth) < np.linalg.norm(geometry.spacing_xyz_mm) / 2
    ticks = (np.arange(_SUBSAMPLES) + 0.5) / _SUBSAMPLES - 0.5
    inner_zyx = np.array(list(product(ticks, repeat=3)))
    inner_mm = geometry.lps_from_index(inner_zyx) - np.asarray(geometry.origin_lps_mm)
    if border.any():
        share[border] = np.mean(solid.depth(points[border][:, None, :] + inner_mm) > 0, axis=-1)
    return box, share


def _voxel_centres(geometry: Geometry, low_zyx: npt.ArrayLike, high_zyx: npt.ArrayLike) -> FloatArray:
    axes = [np.arange(a, b) for a, b in zip(np.asarray(low_zyx), np.asarray(high_zyx), strict=True)]
    return geometry.lps_from_index(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1))


def spheres_and_cylinders(
    seed: int,
    count: int = 12,
    noise_sigma: float = 0.2,
    radii_mm: tuple[float, float] = (2.0, 5.0),
    contrasts: tuple[float, float] = (0.6, 1.4),
) -> ShapesPhantom:
    """Balls (lesions) and tubes (look-alikes) of the same radii and contrasts, one to a cell of a 1 mm grid.

    The classical task of an MTANN: along two of a tube's three axes it looks like a ball.

    Args:
        seed: 0 or more; the same seed gives the same image.
        count: Balls, and as many tubes; 1 to 100.
        noise_sigma: Standard deviation of the noise; the background is 1.
        radii_mm: Least and greatest radius.
        contrasts: Least and greatest contrast.

    Raises:
        SettingsError: ``count``, a range or the seed is out of bounds.
    """
    if not 1 <= count <= 100 or seed < 0:
        raise SettingsError(f"Count must be 1 to 100 and the seed 0 or more, found count {count} and seed {seed}.")
    if not 0 < radii_mm[0] <= radii_mm[1] or not contrasts[0] <= contrasts[1]:
        raise SettingsError(
            f"Ranges must ascend, with radii above 0 mm; found radii {radii_mm} and contrasts {contrasts}."
        )
    rng = np.random.default_rng(seed)
    cell_mm = 6.4 * radii_mm[1]
    across = int(np.ceil((2 * count) ** (1 / 3)))
    down = int(np.ceil(2 * count / across**2))
    cells = np.array(list(product(range(across), range(across), range(down))))[:, :3]
    chosen = cells[rng.permutation(len(cells))[: 2 * count]]
    centres = (chosen + 0.5) * cell_mm + rng.uniform(-2, 2, (2 * count, 3))
    radii = rng.uniform(*radii_mm, 2 * count)
    strengths = rng.uniform(*contrasts, 2 * count)
    axes = rng.normal(0, 1, (2 * count, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    spheres = [
        Sphere(_triple(c), float(r), float(k)) for c, r, k in zip(centres[:count], radii, strengths, strict=False)
    ]
    # Each tube just stays within its cell's inscribed ball, so it meets no neighbour.
    length = 2 * float(np.sqrt((0.48 * cell_mm) ** 2 - radii_mm[1] ** 2))
    cylinders = [
        Cylinder(_triple(centres[k]), float(radii[k]), _triple(axes[k]), length, float(strengths[k]))
        for k in range(count, 2 * count)
    ]
    nx, ny, nz = (int(np.ceil(n * cell_mm)) for n in (across, across, down))
    geometry = Geometry((nz, ny, nx), (1.0, 1.0, 1.0), (0.5, 0.5, 0.5))
    return sphere_phantom(geometry, spheres, cylinders, 1.0, noise_sigma, None, seed)


def _triple(values: FloatArray) -> Triple:
    x, y, z = values.tolist()
    return (x, y, z)
