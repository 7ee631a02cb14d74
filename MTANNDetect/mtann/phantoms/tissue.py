"""The noise-free brightness of a synthetic brain's tissues on contrast-enhanced T1, with white matter at 1."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtann.phantoms.brain import (
    Brain,
    Coordinates,
    Outline,
    fissure_depth,
    nuclei_depth,
    outline,
    ventricle_depth,
)
from mtann.phantoms.fields import Float32, chain_depth, coverage, smooth_step

WHITE, GREY, NUCLEI, FLUID, DURA, PLEXUS = 1.0, 0.74, 0.80, 0.26, 1.12, 1.6

_SKIN_MM = 1.6
"""Fluid that skull stripping leaves outside the cortex."""


@dataclass(frozen=True)
class Tissue:
    """Brightness and mask of the brain without vessels and lesions.

    Attributes:
        signal: Brightness, white matter 1; axes z, y, x.
        mask: What skull stripping keeps.
    """

    signal: Float32
    mask: npt.NDArray[np.bool_]


def paint_tissue(brain: Brain, template: Coordinates, variation_grid: Float32, edge_mm: float) -> Tissue:
    """Paint the brain on a grid of template coordinates.

    Args:
        brain: The anatomy.
        template: Template x, y and z of each voxel, each with axes z, y, x.
        variation_grid: The brain's ``gradual`` field on the same grid.
        edge_mm: Width over which borders blend: about a voxel.
    """
    full = outline(template)
    outside = np.maximum(
        full.whole, -np.hypot(np.clip(-full.cerebrum, 0, None), np.clip(-full.cerebellum, 0, None)) + 5
    )
    mask = outside > -_SKIN_MM
    points = (template[0][mask], template[1][mask], template[2][mask])
    shape = Outline(**{name: getattr(full, name)[mask] for name in Outline.__dataclass_fields__})
    variation = variation_grid[mask]
    values = _cerebrum(brain, points, shape, variation, edge_mm)
    values = _hindbrain(points, shape, variation, values, edge_mm)
    values = _ventricles(brain, points, shape, variation, values, edge_mm)
    values = _dura(points, shape, variation, values, edge_mm)
    signal = np.zeros(mask.shape, dtype=np.float32)
    signal[mask] = values
    return Tissue(signal, mask)


def _mix(below: Float32, value: float | Float32, share: Float32) -> Float32:
    return np.asarray(below + (np.float32(value) - below) * share, dtype=np.float32)


def fluid_depth(brain: Brain, points: Coordinates, shape: Outline, variation: Float32) -> Float32:
    """Depth inside the fluid between gyri and around the cerebrum."""
    sulci = brain.sulcus_depth(points, shape, variation)
    return np.maximum(np.maximum(sulci, fissure_depth(points)), -shape.cerebrum)


def _cerebrum(brain: Brain, points: Coordinates, shape: Outline, variation: Float32, edge_mm: float) -> Float32:
    fluid = fluid_depth(brain, points, shape, variation)
    # The callosum and what lies below it have no cortex; the ribbon is there wherever fluid touches the hemispheres.
    ribbon = np.float32(2.7) + np.float32(0.35) * variation + fluid
    values = _mix(np.full(fluid.shape, WHITE, dtype=np.float32), GREY, coverage(ribbon, 1.3 * edge_mm))
    values = _mix(values, NUCLEI, coverage(nuclei_depth(points), 2 * edge_mm))
    return _mix(values, FLUID, coverage(fluid, edge_mm))


def _hindbrain(points: Coordinates, shape: Outline, variation: Float32, values: Float32, edge_mm: float) -> Float32:
    x, y, z = points
    # Folia: thin leaves that run round the cerebellum, seen as fine stripes parallel to its surface.
    leaves = np.sin(2 * np.pi * (z + 0.45 * y + 2.4 * variation + 0.006 * x * x) / 3.8)
    depth = shape.cerebellum
    arbor = smooth_step(depth + 2.5 * leaves, 8, 14)
    folia = GREY + 0.05 * leaves - 0.26 * smooth_step(-leaves, 0.5, 1.0) * (1 - smooth_step(depth, 5, 9))
    cerebellum = folia + (WHITE - folia) * arbor
    values = _mix(values, cerebellum, coverage(depth, edge_mm))
    return _mix(values, 0.93 * WHITE, coverage(shape.brainstem, 1.5 * edge_mm))


def _ventricles(
    brain: Brain, points: Coordinates, shape: Outline, variation: Float32, values: Float32, edge_mm: float
) -> Float32:
    depth = ventricle_depth(points, brain.ventricle_size)
    values = _mix(values, FLUID * 0.92, coverage(depth, edge_mm))
    x, y, z = points
    strand = chain_depth((np.abs(x), y, z), [(9, -4, 15, 0.6), (13, 12, 17, 1.2), (19, 27, 13, 3.0), (29, 23, 0, 1.4)])
    rough = strand + 0.8 * variation + 0.5 * np.sin(1.9 * x + 1.3 * z) * np.sin(1.6 * y - 0.7 * x)
    return _mix(values, PLEXUS, coverage(np.minimum(rough, depth + 0.3), 1.4 * edge_mm))


def _dura(points: Coordinates, shape: Outline, variation: Float32, values: Float32, edge_mm: float) -> Float32:
    x, y, z = points
    ragged = 0.5 + 0.35 * variation
    # The falx ends above the callosum.
    relative = np.sqrt(((y - 2) / 47) ** 2 + ((z - 3) / 34) ** 2)
    falx = np.minimum(np.float32(0.55) - np.abs(x), (relative - 1) * 30)
    falx = np.minimum(falx, shape.tentorium)
    sheet = np.minimum(np.float32(0.6) - np.abs(shape.tentorium), np.minimum(y - 22, np.abs(x) - 4))
    share = np.clip(ragged, 0.25, 0.9) * np.maximum(coverage(falx, edge_mm), coverage(sheet, edge_mm))
    return _mix(values, DURA, share.astype(np.float32))
