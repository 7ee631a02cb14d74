"""The reported candidates of a result as a point list with scores."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import slicer
import vtk

from .Coordinates import flipped

if TYPE_CHECKING:
    from mtann.detection.candidate import Candidate, DetectionResult

SCORE = "score"
PROBABILITY = "probability"
_COLOUR = (0.2, 0.9, 1.0)


def markupsNodeFromResult(
    result: "DetectionResult", name: str, inputNode: slicer.vtkMRMLScalarVolumeNode
) -> slicer.vtkMRMLMarkupsFiducialNode:
    """Add a point list with a point at each reported candidate's centroid, labelled such as "1: 0.83".

    The scores are also there as a per-point measurement, which is saved in the ``.mrk.json`` file.
    """
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", name)
    node.SetAndObserveTransformNodeID(inputNode.GetTransformNodeID())
    node.CreateDefaultDisplayNodes()
    _setDisplay(node.GetDisplayNode())
    candidates = result.reported
    for candidate in candidates:
        label = f"{candidate.id}: {candidate.score:.2f}"
        index = node.AddControlPoint(flipped(candidate.centroid_lps_mm).tolist(), label)
        node.SetNthControlPointDescription(index, _description(candidate))
    if candidates:
        _addMeasurement(node, SCORE, [candidate.score for candidate in candidates])
        probabilities = [candidate.probability for candidate in candidates if candidate.probability is not None]
        if len(probabilities) == len(candidates):
            _addMeasurement(node, PROBABILITY, probabilities)
    # A slip of the mouse must not move a finding.
    node.SetLocked(True)
    return node


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
