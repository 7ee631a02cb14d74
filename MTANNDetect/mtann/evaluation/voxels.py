"""Voxel by voxel: how a segmentation covers the reference, and how far their surfaces lie apart.

A surface voxel is one with a neighbour (of 6) outside; distances run between centres of surface voxels, in mm, as in
MONAI. Where both masks are empty they agree: overlap 1, distance 0. Where one is empty, overlap is 0 and there is no
distance.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

BoolVolume = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class VoxelMeasures:
    """One case, or one lesion.

    Attributes:
        dice: Twice what both share over the sum of both.
        iou: What both share over what either covers.
        surface_dice_1mm: Share of both surfaces within 1 mm of the other.
        surface_dice_2mm: Within 2 mm.
        hd95_mm: The greater of both directions' 95th percentiles of the distance; not-a-number if one mask is empty.
        assd_mm: Mean distance over both surfaces; not-a-number if one mask is empty.
        volume_mm3: Volume of the segmentation.
        reference_mm3: Volume of the reference.
    """

    dice: float
    iou: float
    surface_dice_1mm: float
    surface_dice_2mm: float
    hd95_mm: float
    assd_mm: float
    volume_mm3: float
    reference_mm3: float


def measure_voxels(
    found: BoolVolume, reference: BoolVolume, spacing_zyx_mm: tuple[float, float, float]
) -> VoxelMeasures:
    """Compare two masks (z, y, x) of one shape."""
    voxel = float(np.prod(spacing_zyx_mm))
    sizes = int(np.count_nonzero(found)), int(np.count_nonzero(reference))
    volumes = sizes[0] * voxel, sizes[1] * voxel
    if not any(sizes):
        return VoxelMeasures(1.0, 1.0, 1.0, 1.0, 0.0, 0.0, *volumes)
    both = int(np.count_nonzero(found & reference))
    dice, iou = 2 * both / sum(sizes), both / (sum(sizes) - both)
    if not all(sizes):
        return VoxelMeasures(dice, iou, 0.0, 0.0, np.nan, np.nan, *volumes)
    there, back = surface_distances(found, reference, spacing_zyx_mm)
    every = np.concatenate([there, back])
    hd95 = max(np.percentile(there, 95), np.percentile(back, 95))
    near = [float(np.mean(every <= tolerance)) for tolerance in (1.0, 2.0)]
    return VoxelMeasures(dice, iou, near[0], near[1], float(hd95), float(every.mean()), *volumes)


def surface_distances(
    found: BoolVolume, reference: BoolVolume, spacing_zyx_mm: tuple[float, float, float]
) -> tuple[FloatArray, FloatArray]:
    """Distance in mm from each surface voxel of the first mask to the second's surface, and back."""
    box = ndimage.find_objects((found | reference).astype(np.uint8))[0]
    first, second = (np.pad(mask[box], 1) for mask in (found, reference))
    edges = [mask & ~ndimage.binary_erosion(mask) for mask in (first, second)]
    far = [ndimage.distance_transform_edt(~edge, sampling=spacing_zyx_mm) for edge in edges]
    return far[1][edges[0]], far[0][edges[1]]
