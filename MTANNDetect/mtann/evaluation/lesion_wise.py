"""Lesion by lesion Dice and HD95 by the rules of the BraTS metastases challenge.

After Moawad et al., The Brain Tumor Segmentation - Metastases Challenge 2023 (arXiv:2306.00838), and the challenge's
published evaluation: reference lesions whose dilations (one voxel, 18 neighbours) touch are one lesion; every component
of the segmentation that touches a dilated lesion belongs to it; the other components are false. A missed lesion and a
false component count as Dice 0 and 374 mm. Reference lesions of at most 2 mm3 are left out. Unlike the challenge's own
code, surfaces are voxels, not meshes, and distances are in mm of the image.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mtann.evaluation.outlines import NEIGHBOURS_18
from mtann.evaluation.voxels import measure_voxels

BoolVolume = npt.NDArray[np.bool_]

PENALTY_MM = 374.0
_LEAST_MM3 = 2.0
_NEIGHBOURS_26 = np.ones((3, 3, 3), dtype=bool)


@dataclass(frozen=True)
class LesionWise:
    """One case.

    Attributes:
        dice: Of each reference lesion; 0 where it was missed.
        hd95_mm: Of each reference lesion; the penalty where it was missed.
        false_components: Components of the segmentation on no lesion.
    """

    dice: tuple[float, ...]
    hd95_mm: tuple[float, ...]
    false_components: int

    @property
    def mean_dice(self) -> float:
        """The case's Dice; 1 where there is neither a lesion nor a false component."""
        parts = len(self.dice) + self.false_components
        return sum(self.dice) / parts if parts else 1.0

    @property
    def mean_hd95_mm(self) -> float:
        """The case's HD95; 0 where there is neither a lesion nor a false component."""
        parts = len(self.dice) + self.false_components
        return (sum(self.hd95_mm) + PENALTY_MM * self.false_components) / parts if parts else 0.0


def lesion_wise(found: BoolVolume, reference: BoolVolume, spacing_zyx_mm: tuple[float, float, float]) -> LesionWise:
    """Compare two masks (z, y, x) lesion by lesion."""
    # Dilation must not fall off the edge, where two lesions could still touch.
    found, reference = np.pad(found, 1), np.pad(reference, 1)
    components, count = ndimage.label(found, structure=_NEIGHBOURS_26)
    grown, lesions = ndimage.label(ndimage.binary_dilation(reference, NEIGHBOURS_18), structure=_NEIGHBOURS_26)
    voxel = float(np.prod(spacing_zyx_mm))
    dice, hd95, used = [], [], set[int]()
    for number in range(1, lesions + 1):
        own = reference & (grown == number)
        touching = {int(label) for label in np.unique(components[_dilated(own)])} - {0}
        used |= touching
        if np.count_nonzero(own) * voxel <= _LEAST_MM3:
            continue
        if not touching:
            dice.append(0.0)
            hd95.append(PENALTY_MM)
            continue
        measured = measure_voxels(np.isin(components, list(touching)), own, spacing_zyx_mm)
        dice.append(measured.dice)
        hd95.append(measured.hd95_mm)
    return LesionWise(tuple(dice), tuple(hd95), count - len(used))


def _dilated(mask: BoolVolume) -> BoolVolume:
    grown: BoolVolume = ndimage.binary_dilation(mask, NEIGHBOURS_18)
    return grown
