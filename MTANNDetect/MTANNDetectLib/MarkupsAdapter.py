"""The reported candidates of a result as a point list with scores."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import slicer
import slicer.util
import vtk

from .Coordinates import flipped

if TYPE_CHECKING:
    from mtann.detection.candidate import Candidate, DetectionResult

SCORE = "score"
PROBABILITY = "probability"
NUMBER = "candidate"
NO_SCORE = -1.0
"""The score of a lesion that the reader added: the file format cannot say that there is none."""
_COLOUR = (0.2, 0.9, 1.0)


def markupsNodeFromResult(
    result: "DetectionResult", name: str, inputNode: slicer.vtkMRMLScalarVolumeNode
) -> slicer.vtkMRMLMarkupsFiducialNode:
    """Add a point list with a point at each reported candidate's centroid, labelled such as "1: 0.83".

    Numbers and scores are also there as per-point measurements, which are saved in the ``.mrk.json`` file.
    """
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", name)
    node.SetAndObserveTransformNodeID(inputNode.GetTransformNodeID())
    node.CreateDefaultDisplayNodes()
    _setDisplay(node.GetDisplayNode())
    fillMarkups(node, result.reported)
    return node


def fillMarkups(node: slicer.vtkMRMLMarkupsFiducialNode, candidates: Sequence["Candidate"]) -> None:
    """Make a point list hold one point a candidate, in their order, whatever it held before."""
    with slicer.util.NodeModify(node):
        node.RemoveAllControlPoints()
        node.RemoveAllMeasurements()
        for candidate in candidates:
            index = node.AddControlPoint(flipped(candidate.centroid_lps_mm).tolist(), _label(candidate))
            node.SetNthControlPointDescription(index, _description(candidate))
            # A slip of the mouse must not move a finding; a click on it still selects it in the panel.
            node.SetNthControlPointLocked(index, True)
        if not candidates:
            return
        _addMeasurement(node, NUMBER, [candidate.id for candidate in candidates])
        scores = [NO_SCORE if math.isnan(candidate.score) else candidate.score for candidate in candidates]
        _addMeasurement(node, SCORE, scores)
        probabilities = [candidate.probability for candidate in candidates if candidate.probability is not None]
        if len(probabilities) == len(candidates):
            _addMeasurement(node, PROBABILITY, probabilities)


def numbersOfPoints(node: slicer.vtkMRMLMarkupsFiducialNode) -> list[int]:
    """Which candidate each point stands for."""
    if not node.GetNumberOfControlPoints():
        return []
    numbers = slicer.util.arrayFromMarkupsControlPointData(node, NUMBER)
    return [int(number) for number in np.asarray(numbers)]


def _label(candidate: "Candidate") -> str:
    return f"{candidate.id}" if math.isnan(candidate.score) else f"{candidate.id}: {candidate.score:.2f}"


def _addMeasurement(node: slicer.vtkMRMLMarkupsFiducialNode, name: str, values: Sequence[float]) -> None:
    array = vtk.vtkDoubleArray()
    array.SetName(name)
    for value in values:
        array.InsertNextValue(value)
    measurement = slicer.vtkMRMLStaticMeasurement()
    measurement.SetName(name)
    measurement.SetControlPointValues(array)
    node.AddMeasurement(measurement)


def _description(candidate: "Candidate") -> str:
    diameters = f"{candidate.axial_diameter_mm:.1f} x {candidate.perpendicular_diameter_mm:.1f} mm"
    return f"{candidate.class_name}, {diameters}, {candidate.volume_mm3:.0f} mm3"


def _setDisplay(display: slicer.vtkMRMLMarkupsDisplayNode) -> None:
    display.SetSelectedColor(*_COLOUR)
    display.SetColor(*_COLOUR)
    # A thin cross leaves the finding itself to be seen.
    display.SetGlyphType(slicer.vtkMRMLMarkupsDisplayNode.Cross2D)
    display.SetGlyphScale(2.0)
    display.SetTextScale(3.0)
    # In 3-D the points lie inside the segments; without this they would never be seen.
    display.SetOccludedVisibility(True)
    display.SetOccludedOpacity(1.0)
    display.SetPropertiesLabelVisibility(False)
    display.SetPointLabelsVisibility(True)
