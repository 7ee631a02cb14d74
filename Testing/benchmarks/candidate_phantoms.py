"""Candidates to tell apart: a ball (lesion), or a tube, bend, fork, slab or edge (non-lesion), in noise, one a case.

Frozen: the figures in RESULTS.md hold for these settings, and the phantoms are not made easier. Run, it draws some:

    python Testing/dev.py bench candidate_phantoms --output look.png
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mtann.geometry import Geometry, Triple
from mtann.volume import Volume

Field = npt.NDArray[np.float64]
Kind = Literal["sphere", "cylinder", "bend", "fork", "slab", "edge"]
KINDS: tuple[Kind, ...] = get_args(Kind)
NON_LESIONS: tuple[Kind, ...] = KINDS[1:]

EDGE_VOXELS = 45
RADII_MM = (2.0, 5.0)
CONTRASTS = (0.7, 2.1)
NOISE = 0.38
BACKGROUND = 0.15
"""Deviation of the smooth background; contrasts and noise are in the same units."""
_BACKGROUND_SIGMA_VOXELS = 6.0

GEOMETRY = Geometry((EDGE_VOXELS,) * 3, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))


@dataclass(frozen=True)
class CandidatePhantom:
    """One structure in a small volume of 1 mm voxels.

    Attributes:
        volume: float32, axes z, y, x.
        kind: What the structure is; only a sphere is a lesion.
        centre_lps_mm: A point on its axis or middle plane (of a sphere: its centre), within half a voxel of the middle.
        radius_mm: Of sphere and tubes; half the thickness of a slab.
        contrast: What it adds to the background.
    """

    volume: Volume
    kind: Kind
    centre_lps_mm: Triple
    radius_mm: float
    contrast: float

    @property
    def is_lesion(self) -> bool:
        return self.kind == "sphere"


def make_phantom(seed: int, kind: Kind) -> CandidatePhantom:
    """The phantom of a seed and kind. Radius, contrast, place, background and noise do not depend on the kind."""
    random = np.random.default_rng([seed, 171])
    radius = float(random.uniform(*RADII_MM))
    contrast = float(random.uniform(*CONTRASTS))
    centre = (EDGE_VOXELS - 1) / 2 + random.uniform(-0.5, 0.5, 3)
    smooth = ndimage.gaussian_filter(random.standard_normal(GEOMETRY.shape_zyx), _BACKGROUND_SIGMA_VOXELS, mode="wrap")
    image = BACKGROUND * smooth / smooth.std() + NOISE * random.standard_normal(GEOMETRY.shape_zyx)
    points = np.stack(np.meshgrid(*[np.arange(EDGE_VOXELS)] * 3, indexing="ij"), axis=-1) - centre
    # One voxel from outside to inside: its partial volume, nearly.
    share = np.clip(0.5 - distance(kind, points, radius, random), 0, 1)
    z, y, x = centre.tolist()
    volume = Volume((image + contrast * share).astype(np.float32), GEOMETRY, f"{kind} {seed}")
    return CandidatePhantom(volume, kind, (x, y, z), radius, contrast)


def make_sample(
    first_seed: int, lesions: int, non_lesions: int, kinds: Sequence[Kind] = ("cylinder",)
) -> list[CandidatePhantom]:
    """Lesions from ``first_seed`` on, then non-lesions, going round the kinds; no seed is used twice."""
    sample = [make_phantom(first_seed + number, "sphere") for number in range(lesions)]
    start = first_seed + lesions
    return sample + [make_phantom(start + number, kinds[number % len(kinds)]) for number in range(non_lesions)]


def distance(kind: Kind, points: Field, radius: float, random: np.random.Generator) -> Field:
    """Signed distance (...,) of points (..., 3) from a structure through the origin, negative inside; random turn."""
    turned = points @ random_rotation(random)
    a, b, c = np.moveaxis(turned, -1, 0)
    if kind == "sphere":
        return np.asarray(np.linalg.norm(turned, axis=-1) - radius)
    if kind == "cylinder":
        return np.asarray(np.hypot(a, b) - radius)
    if kind == "bend":
        # A ring in the plane c = 0 that passes through the origin.
        bow = radius * random.uniform(2.0, 4.0)
        return np.asarray(np.hypot(np.hypot(a - bow, b) - bow, c) - radius)
    if kind == "fork":
        spread = random.uniform(np.pi / 6, np.pi / 3)
        arms = [(0.0, -1.0), (np.sin(spread), np.cos(spread)), (-np.sin(spread), np.cos(spread))]
        return np.asarray(np.min([_ray(a, b, c, arm) for arm in arms], axis=0) - radius)
    if kind == "slab":
        return np.asarray(np.abs(a) - radius)
    return np.asarray(a)


def _ray(a: Field, b: Field, c: Field, direction: tuple[float, float]) -> Field:
    """Distance from the half-line that leaves the origin along ``direction`` (unit vector) in the plane c = 0."""
    along = np.maximum(a * direction[0] + b * direction[1], 0)
    return np.asarray(np.sqrt((a - along * direction[0]) ** 2 + (b - along * direction[1]) ** 2 + c**2))


def random_rotation(random: np.random.Generator) -> Field:
    """A rotation matrix (3, 3), all rotations equally likely."""
    matrix, triangle = np.linalg.qr(random.standard_normal((3, 3)))
    matrix = matrix * np.sign(np.diag(triangle))
    if np.linalg.det(matrix) < 0:
        matrix[:, 0] *= -1
    return np.asarray(matrix)


def auc(lesion_scores: npt.ArrayLike, other_scores: npt.ArrayLike) -> float:
    """Area under the ROC curve: the chance that a lesion scores above a non-lesion; ties count half (Mann-Whitney)."""
    lesions, others = np.asarray(lesion_scores, float), np.asarray(other_scores, float)
    difference = lesions[:, None] - others[None, :]
    return float(np.mean((difference > 0) + 0.5 * (difference == 0)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="PNG to write")
    arguments = parser.parse_args()
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(len(KINDS), 6, figsize=(12, 2 * len(KINDS)))
    for line, kind in zip(axes, KINDS, strict=True):
        for seed, axis in enumerate(line):
            phantom = make_phantom(seed, kind)
            axis.imshow(phantom.volume.array[EDGE_VOXELS // 2], cmap="gray", vmin=-1.5, vmax=3)
            axis.set_title(f"{kind} r {phantom.radius_mm:.1f} c {phantom.contrast:.1f}", fontsize=8)
            axis.axis("off")
    figure.tight_layout()
    figure.savefig(arguments.output, dpi=70)


if __name__ == "__main__":
    main()
