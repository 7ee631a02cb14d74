"""The outline of the body in an image, and where findings lie in it."""

from typing import TYPE_CHECKING

import numpy as np
import slicer
import slicer.util

from .Coordinates import flipped, geometryFromIjkToRas, ijkToRasFromNode
from .Review.Findings import Finding
from .Review.Places import Body, bodyFromPoints, hasSides, placeInWords
from .Spaces import worldFromLocal

if TYPE_CHECKING:
    from mtann.detection.candidate import DetectionResult
    from mtann.volume import Volume

_POINTS_AN_AXIS = 48
_FOREGROUND_SHARE = 0.15
"""A voxel shows the body where it lies this far from the darkest towards the brightest hundredth."""


def bodyOf(inputNode: slicer.vtkMRMLScalarVolumeNode, bodyPart: str, mask: "Volume | None" = None) -> Body | None:
    """The outline that places are told from: the mask's, else the image's own; None where sides mean nothing."""
    if not hasSides(bodyPart):
        return None
    if mask is not None:
        array, geometry = mask.array, mask.geometry
    else:
        array = slicer.util.arrayFromVolume(inputNode)
        geometry = geometryFromIjkToRas(array.shape, ijkToRasFromNode(inputNode), inputNode.GetName())
    steps = [max(1, size // _POINTS_AN_AXIS) for size in array.shape]
    coarse = array[tuple(slice(None, None, step) for step in steps)]
    inside = coarse > 0 if mask is not None else _foreground(coarse)
    points = geometry.lps_from_index(np.argwhere(inside) * steps)
    return bodyFromPoints(worldFromLocal(inputNode, flipped(points)), mask is not None)


def placedFindings(
    result: "DetectionResult", inputNode: slicer.vtkMRMLScalarVolumeNode, body: Body | None
) -> list[Finding]:
    """A result's candidates as findings that nobody has looked at, with their places in words."""
    centres = [candidate.centroid_lps_mm for candidate in result.candidates]
    world = worldFromLocal(inputNode, flipped(centres)) if centres else ()
    return [
        Finding(candidate, place=placeInWords(ras.tolist(), body))
        for candidate, ras in zip(result.candidates, world, strict=True)
    ]


def _foreground(array: np.ndarray) -> np.ndarray:
    low, high = np.percentile(array, (1, 99))
    return array > low + _FOREGROUND_SHARE * (high - low)
