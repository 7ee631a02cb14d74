"""The likelihood volume and the label map of a result, as volume nodes."""

from typing import TYPE_CHECKING

import numpy as np
import slicer

from .Colours import likelihoodColourTable
from .VolumeAdapter import LABEL_MAP_CLASS, nodeFromVolume

if TYPE_CHECKING:
    from mtann.detection.candidate import DetectionResult

OVERLAY_OPACITY = 0.6
_LEAST_DISPLAYED = 0.05


def likelihoodNodeFromResult(result: "DetectionResult", name: str) -> slicer.vtkMRMLScalarVolumeNode:
    """The likelihood volume, displayed as an overlay in our own colours from 0 to 1, faint values left out."""
    node = nodeFromVolume(result.likelihood, name)
    display = node.GetDisplayNode()
    display.SetAndObserveColorNodeID(likelihoodColourTable().GetID())
    display.AutoWindowLevelOff()
    display.SetWindowLevelMinMax(0.0, 1.0)
    # The upper end must lie above every voxel, or the brightest ones would be hidden.
    highest = float(np.max(result.likelihood.array))
    display.SetThreshold(displayThreshold(result), max(1.0, highest) + 1.0)
    display.SetApplyThreshold(True)
    return node


def labelMapNodeFromResult(result: "DetectionResult", name: str) -> slicer.vtkMRMLLabelMapVolumeNode:
    """The candidate map: value k is candidate k, those below the threshold included."""
    return nodeFromVolume(result.candidate_map, name, LABEL_MAP_CLASS)


def displayThreshold(result: "DetectionResult") -> float:
    """The likelihood from which the overlay is shown: the outline of a candidate that just reaches the threshold."""
    return max(_LEAST_DISPLAYED, result.threshold * result.settings.outline_fraction)


def setLeastDisplayed(node: slicer.vtkMRMLScalarVolumeNode, likelihood: float) -> None:
    """Let the overlay begin at this likelihood."""
    node.GetDisplayNode().SetLowerThreshold(max(_LEAST_DISPLAYED, likelihood))
