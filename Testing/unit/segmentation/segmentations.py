"""Made-up segmentations whose sizes are known by construction."""

import numpy as np

from mtann.detection.candidate import InputReference, ModelReference
from mtann.geometry import Geometry
from mtann.segmentation.result import Segmentation, SegmentationSettings, SegmentedLabel
from mtann.volume import Volume

GRID = Geometry((20, 30, 40), (1.0, 2.0, 3.0), (-20.0, -30.0, 5.0))
"""x and y run to the left and to posterior; a voxel has 6 mm3."""


def image(grid: Geometry = GRID) -> Volume:
    random = np.random.default_rng(0)
    return Volume(random.normal(100, 20, grid.shape_zyx).astype(np.float32), grid, "t1.nii.gz", "ab" * 32)


def bars(grid: Geometry = GRID) -> np.ndarray:
    """Label 1: a bar of 3 x 4 x 5 voxels and one voxel apart from it; label 2: a bar of 2 x 2 x 10; 3 is not there."""
    labels = np.zeros(grid.shape_zyx, np.uint8)
    labels[4:7, 6:10, 8:13] = 1
    labels[15, 20, 30] = 1
    labels[10:12, 12:14, 20:30] = 2
    return labels


def segmentation(voxels=None, grid: Geometry = GRID, names=("lesion", "liver", "edema"), **values) -> Segmentation:
    array = bars(grid) if voxels is None else voxels
    label_map = Volume(array, grid, "t1 segmentation")
    voxel = grid.voxel_volume_mm3
    found = {
        "label_map": label_map,
        "labels": tuple(
            SegmentedLabel(name, (value,), float(np.count_nonzero(array == value) * voxel))
            for value, name in enumerate(names, 1)
        ),
        "model": ModelReference("small", "1.0.0", "cd" * 32),
        "inputs": (InputReference("t1", "name-of-a-patient/t1.nii.gz", "ab" * 32),),
        "settings": SegmentationSettings(folds=("0",)),
        "origin": "the most probable label",
    }
    return Segmentation(**{**found, **values})


def regions(grid: Geometry = GRID) -> Segmentation:
    """A whole of 4 x 4 x 4 voxels with a core of 2 x 2 x 2 in it, as masks that overlap."""
    whole, core = np.zeros(grid.shape_zyx, np.uint8), np.zeros(grid.shape_zyx, np.uint8)
    whole[4:8, 4:8, 4:8] = 1
    core[5:7, 5:7, 5:7] = 1
    masks = [Volume(array, grid, name) for array, name in ((whole, "whole"), (core, "core"))]
    labels = (
        SegmentedLabel("whole tumor", (1, 2), 64 * grid.voxel_volume_mm3, masks[0]),
        SegmentedLabel("tumor core", (2,), 8 * grid.voxel_volume_mm3, masks[1]),
    )
    return segmentation(whole + core, grid, labels=labels)
