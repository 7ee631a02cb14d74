"""Post-processing of a finished label map: only the largest component of a label, none that is too small."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mtann.models.unet_card import PostProcessing

LabelArray = npt.NDArray[np.unsignedinteger]
BoolArray = npt.NDArray[np.bool_]

_NEIGHBOURS = np.ones((3, 3, 3), dtype=bool)


def tidy(
    labels: LabelArray, values: dict[str, tuple[int, ...]], rules: Sequence[PostProcessing], voxel_volume_mm3: float
) -> BoolArray | None:
    """Set what the rules remove to background, in place; tells which voxels those were, None if the rules are none."""
    if not rules:
        return None
    removed = np.zeros(labels.shape, dtype=bool)
    for rule in rules:
        gone = _removed(np.isin(labels, values[rule.label]), rule, voxel_volume_mm3)
        labels[gone] = 0
        removed |= gone
    return removed


def _removed(inside: BoolArray, rule: PostProcessing, voxel_volume_mm3: float) -> BoolArray:
    components, count = ndimage.label(inside, _NEIGHBOURS)
    if not count:
        return np.zeros(inside.shape, dtype=bool)
    sizes = np.bincount(components.ravel(), minlength=count + 1)
    gone = sizes * voxel_volume_mm3 < rule.min_volume_mm3
    if rule.keep_largest:
        gone |= np.arange(count + 1) != 1 + int(np.argmax(sizes[1:]))
    gone[0] = False
    found: BoolArray = gone[components]
    return found
