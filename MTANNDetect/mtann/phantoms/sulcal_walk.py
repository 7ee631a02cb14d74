"""Paths that wind along the sulci of a synthetic brain, for the vessels that run there."""

import numpy as np

from mtann.phantoms.brain import Brain, Coordinates, outline
from mtann.phantoms.fields import FloatArray

_STEP_MM = 0.8
_PROBE_MM = 0.75
_STEPS = 90


def sulcal_paths(brain: Brain, rng: np.random.Generator, starts_mm: FloatArray) -> FloatArray:
    """Walk from each start (n, 3): forward along the sulcal sheet, back onto it sideways, at a slowly changing depth.

    Returns:
        Template points (n, steps, 3), 0.8 mm apart. The first few are still on their way to a sulcus.
    """
    count = len(starts_mm)
    points, heading = starts_mm, rng.normal(0, 1, (count, 3))
    depth = rng.uniform(1.0, 11.0, count)
    trend = rng.normal(0, 0.12, count)
    path = []
    for _ in range(_STEPS):
        heading, shift = _walk(brain, points, heading, depth)
        points = points + _STEP_MM * heading + shift
        trend = 0.95 * trend + rng.normal(0, 0.05, count)
        depth = np.clip(depth + trend, 0.8, 12)
        path.append(points)
    return np.stack(path, axis=1)


def _levels(brain: Brain, points: FloatArray) -> FloatArray:
    """Signed distance from the sulcal sheet, and depth below the hull, as rows of (2, n)."""
    coordinates = as_coordinates(points)
    shape = outline(coordinates)
    return np.stack([brain.fold_distance(coordinates, shape), shape.cerebrum]).astype(np.float64)


def as_coordinates(points: FloatArray) -> Coordinates:
    """Split points (n, 3) into x, y and z."""
    x, y, z = (np.ascontiguousarray(points[:, k], dtype=np.float32) for k in range(3))
    return x, y, z


def _walk(brain: Brain, points: FloatArray, heading: FloatArray, depth_mm: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Direction along the sulcal sheet at constant depth, and the correction back onto the sheet and that depth."""
    steps = _PROBE_MM * np.eye(3)
    probes = np.concatenate([points, *(points + step for step in steps), *(points - step for step in steps)])
    fold, below = _levels(brain, probes).reshape(2, 7, -1)
    fold_normal = ((fold[1:4] - fold[4:]) / (2 * _PROBE_MM)).T
    down = ((below[1:4] - below[4:]) / (2 * _PROBE_MM)).T
    fold_normal /= np.linalg.norm(fold_normal, axis=1, keepdims=True) + 1e-3
    down /= np.linalg.norm(down, axis=1, keepdims=True) + 1e-3
    along = np.cross(fold_normal, down)
    along *= np.sign(np.sum(along * heading, axis=1, keepdims=True))
    blended = 0.6 * heading / (np.linalg.norm(heading, axis=1, keepdims=True) + 1e-6) + along
    unit = blended / (np.linalg.norm(blended, axis=1, keepdims=True) + 1e-6)
    sideways = -np.clip(0.4 * fold[0], -0.8, 0.8)[:, None] * fold_normal
    inward = np.clip(0.3 * (depth_mm - below[0]), -0.6, 0.6)[:, None] * down
    return unit, sideways + inward
