"""The reported candidates of a result as a segmentation node, one segment each."""

from typing import TYPE_CHECKING

import numpy as np
import slicer
import vtk

from mtann.errors import OutputError

from .Colours import candidateColour
from .VolumeAdapter import updateNodeFromVolume

if TYPE_CHECKING:
    from mtann.detection.candidate import Candidate, DetectionResult

# Slicer's standard terminology knows no unconfirmed finding; "Mass" is its general morphological abnormality.
_TERMINOLOGY = (
    "Segmentation category and type - 3D Slicer General Anatomy list~SCT^49755003^Morphologically Altered Structure"
    "~SCT^4147007^Mass~^^~Anatomic codes - DICOM master list~^^~^^"
)


def segmentationNodeFromResult(
    result: "DetectionResult", name: str, inputNode: slicer.vtkMRMLScalarVolumeNode
) -> slicer.vtkMRMLSegmentationNode:
    """Add a segmentation node with one segment for each reported candidate, under the input's parent transform."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.CreateDefaultDisplayNodes()
    present = set(np.unique(result.candidate_map.array).tolist())
    candidates = [candidate for candidate in sorted(result.reported, key=lambda c: c.id) if candidate.id in present]
    if candidates:
        _importSegments(result, node, candidates, inputNode)
    # The import moves voxels from one node's parent transform to the other's. Neither has one then: the transform comes
    # after. The reference geometry is taken through the transforms, too; by then both nodes have the same.
    node.SetAndObserveTransformNodeID(inputNode.GetTransformNodeID())
    node.SetReferenceImageGeometryParameterFromVolumeNode(inputNode)
    return node


def segmentId(candidateId: int) -> str:
    """The segment id of a candidate."""
    return f"candidate_{candidateId}"


def _importSegments(
    result: "DetectionResult",
    node: slicer.vtkMRMLSegmentationNode,
    candidates: list["Candidate"],
    inputNode: slicer.vtkMRMLScalarVolumeNode,
) -> None:
    labelMap = result.candidate_map
    reported = np.where(np.isin(labelMap.array, [candidate.id for candidate in candidates]), labelMap.array, 0)
    # This label map never enters the scene; it only carries the voxels into the import.
    labelMapNode = slicer.vtkMRMLLabelMapVolumeNode()
    updateNodeFromVolume(labelMapNode, labelMap.with_array(reported.astype(np.int32)))
    ids = vtk.vtkStringArray()
    for candidate in candidates:
        ids.InsertNextValue(segmentId(candidate.id))
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    if not logic.ImportLabelmapToSegmentationNode(labelMapNode, node, ids):
        raise OutputError(
            f"The segmentation of '{inputNode.GetName()}' could not be made from the candidate map. "
            "Try again; if it happens again, send Slicer's error log to the developers."
        )
    for candidate in candidates:
        segment = node.GetSegmentation().GetSegment(segmentId(candidate.id))
        segment.SetName(f"Candidate {candidate.id} ({candidate.score:.2f})")
        segment.SetTerminology(_TERMINOLOGY)
        segment.SetColor(*candidateColour(candidate.id))
