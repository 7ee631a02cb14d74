"""Outlined lesions, a label map, as a segmentation node."""

import numpy as np
import slicer
import vtk

from mtann.errors import OutputError
from mtann.volume import Volume

from .Colours import candidateColour
from .SegmentationAdapter import TERMINOLOGY
from .SubjectHierarchy import placeBeside
from .Transaction import allOrNothing
from .Translation import _
from .VolumeAdapter import updateNodeFromVolume

_MM3_A_ML = 1000.0


def outlineNodeFromLabelMap(labels: Volume, inputNode: slicer.vtkMRMLScalarVolumeNode, className: str) -> str:
    """Add a segmentation with one segment a class to the scene, and say in words how much was outlined.

    Args:
        labels: 0 outside; value k is the k-th class.
        inputNode: The first image, whose parent transform the segmentation gets.
        className: What was looked for; the classes' names, separated by commas.
    """
    values = [int(value) for value in np.unique(labels.array) if value]
    if not values:
        return _("Nothing was outlined.")
    with allOrNothing():
        name = slicer.mrmlScene.GenerateUniqueName(f"{inputNode.GetName()} MTANN outlines")
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
        node.CreateDefaultDisplayNodes()
        _importSegments(labels, node, values, className)
        node.SetAndObserveTransformNodeID(inputNode.GetTransformNodeID())
        node.SetReferenceImageGeometryParameterFromVolumeNode(inputNode)
        node.CreateClosedSurfaceRepresentation()
        placeBeside(inputNode, (node,))
    volume = np.count_nonzero(labels.array) * labels.geometry.voxel_volume_mm3 / _MM3_A_ML
    return _("{volume:.2f} ml outlined.").format(volume=volume)


def _importSegments(labels: Volume, node: slicer.vtkMRMLSegmentationNode, values: list[int], className: str) -> None:
    names = [part.strip() for part in className.split(",")]
    # This label map never enters the scene; it only carries the voxels into the import.
    labelMapNode = slicer.vtkMRMLLabelMapVolumeNode()
    updateNodeFromVolume(labelMapNode, labels.with_array(labels.array.astype(np.int32)))
    ids = vtk.vtkStringArray()
    for value in values:
        ids.InsertNextValue(f"class_{value}")
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    if not logic.ImportLabelmapToSegmentationNode(labelMapNode, node, ids):
        raise OutputError(
            f"The segmentation '{node.GetName()}' could not be made from the label map. "
            "Try again; if it happens again, send Slicer's error log to the developers."
        )
    for value in values:
        segment = node.GetSegmentation().GetSegment(f"class_{value}")
        segment.SetName(names[value - 1] if value <= len(names) and names[value - 1] else f"class {value}")
        segment.SetTerminology(TERMINOLOGY)
        segment.SetColor(*candidateColour(value))
