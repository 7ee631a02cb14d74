"""A made-up result to report on: a head with bright spheres, in any geometry, with sizes known by construction."""

import numpy as np

from mtann.detection.candidate import Candidate, DetectionResult, InputReference, ModelReference
from mtann.geometry import FloatArray, Geometry, Triple
from mtann.settings import DetectionSettings
from mtann.volume import Volume
from unit.grids import grid, turned, world_points

Sphere = tuple[Triple, float, float]
"""Centre in LPS mm, radius in mm, score."""

SPHERES: tuple[Sphere, ...] = (
    ((-34.2, -12.0, 45.1), 7.0, 0.91),
    ((28.0, 30.0, 20.0), 4.0, 0.78),
    ((-20.0, 40.0, -5.0), 3.0, 0.64),
    ((40.0, -20.0, 10.0), 2.5, 0.55),
    ((10.0, -50.0, 15.0), 2.5, 0.52),
    ((-30.0, -20.0, 30.0), 3.0, 0.31),
)


def centred(shape_zyx: tuple[int, int, int], spacing_xyz_mm: Triple, axes: FloatArray | None = None) -> Geometry:
    """A grid whose middle lies at (0, 0, 15) in LPS."""
    return grid(shape_zyx, spacing_xyz_mm, axes, (0.0, 0.0, 15.0))


OBLIQUE = centred((60, 96, 80), (2.0, 2.0, 2.5), turned(20, 0, 0))


def candidate(number: int, sphere: Sphere, threshold: float) -> Candidate:
    centre, radius, score = sphere
    volume = 4 / 3 * np.pi * radius**3
    return Candidate(
        number,
        centre,
        centre,
        score,
        None,
        "lesion",
        score >= threshold,
        volume,
        2 * radius,
        1.8 * radius,
        2.1 * radius,
    )


def make_result(
    geometry: Geometry = OBLIQUE, spheres: tuple[Sphere, ...] = SPHERES, threshold: float = 0.5
) -> tuple[Volume, DetectionResult]:
    """An image of a noisy ellipsoid with bright spheres, and the result that has found them all."""
    points = world_points(geometry)
    radius = np.linalg.norm((points - (0, 0, 15)) / (68, 85, 65), axis=-1)
    noise = np.random.default_rng(0).normal(0, 25, geometry.shape_zyx)
    image = np.where(radius < 1, 350 + 120 * np.cos(9 * radius) + noise, 0)
    likelihood = np.zeros(geometry.shape_zyx)
    labels = np.zeros(geometry.shape_zyx, np.uint16)
    for number, (centre, size, score) in enumerate(spheres, 1):
        distance = np.linalg.norm(points - centre, axis=-1)
        image[distance <= size] += 300
        likelihood += score * np.exp(-((distance / size) ** 2) * np.log(2))
        labels[distance <= size] = number
    result = DetectionResult(
        Volume(likelihood.astype(np.float32), geometry, "likelihood"),
        Volume(labels, geometry, "candidates"),
        tuple(candidate(number, sphere, threshold) for number, sphere in enumerate(spheres, 1)),
        ModelReference("brain-metastases", "1.2.0", "ab" * 32),
        (InputReference("t1c", "scan.nii.gz", "cd" * 32),),
        DetectionSettings(),
        threshold,
        "operating point 'balanced': sensitivity 0.90 at 2.0 false positives a case, on 120 held-out cases",
    )
    return Volume(image.astype(np.float32), geometry, "scan.nii.gz", "cd" * 32), result
