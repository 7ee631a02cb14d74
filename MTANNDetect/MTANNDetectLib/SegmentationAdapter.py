"""The reported candidates of a result as a segmentation node, one segment each."""

import math
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np
import slicer
import slicer.util
import vtk
from scipy import ndimage
from vtk.util import numpy_support

from mtann.errors import OutputError
from mtann.volume import Volume

from .Colours import candidateColour
from .Coordinates import ijkToRasFromGeometry
from .Translation import _

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
    candidates = sorted(result.reported, key=lambda c: c.id)
    fillSegmentation(node, candidates, result.candidate_map)
    node.SetAndObserveTransformNodeID(inputNode.GetTransformNodeID())
    node.SetReferenceImageGeometryParameterFromVolumeNode(inputNode)
    return node


def fillSegmentation(
    node: slicer.vtkMRMLSegmentationNode,
    candidates: Sequence["Candidate"],
    labels: Volume,
    changed: Collection[int] = (),
) -> None:
    """Make a segmentation hold one segment a candidate, each on its own part of the grid.

    Segments that are there already are kept, but for those of the candidates ``changed``. Candidates without a voxel
    get none.
    """
    segmentation = node.GetSegmentation()
    wanted = {segmentId(candidate.id) for candidate in candidates}
    outdated = {segmentId(number) for number in changed}
    with slicer.util.NodeModify(node):
        for there in list(segmentation.GetSegmentIDs()):
            if there not in wanted or there in outdated:
                segmentation.RemoveSegment(there)
        missing = [one for one in candidates if not segmentation.GetSegment(segmentId(one.id))]
        boxes = ndimage.find_objects(labels.array.astype(np.int32, copy=False)) if missing else []
        for candidate in missing:
            if candidate.id <= len(boxes) and boxes[candidate.id - 1] is not None:
                _addSegment(node, candidate, labels, boxes[candidate.id - 1])
    for candidate in candidates:
        if segment := segmentation.GetSegment(segmentId(candidate.id)):
            segment.SetName(_name(candidate))


def segmentId(candidateId: int) -> str:
    """The segment id of a candidate."""
    return f"candidate_{candidateId}"


def _addSegment(
    node: slicer.vtkMRMLSegmentationNode, candidate: "Candidate", labels: Volume, box: tuple[slice, ...]
) -> None:
    inside = (labels.array[box] == candidate.id).astype(np.uint8)
    image = slicer.vtkOrientedImageData()
    image.SetImageToWorldMatrix(slicer.util.vtkMatrixFromArray(ijkToRasFromGeometry(labels.geometry)))
    z, y, x = ((part.start, part.stop - 1) for part in box)
    image.SetExtent(*x, *y, *z)
    scalars = numpy_support.numpy_to_vtk(inside.ravel(), deep=True, array_type=vtk.VTK_UNSIGNED_CHAR)
    scalars.SetName("ImageScalars")
    image.GetPointData().SetScalars(scalars)
    segment = slicer.vtkSegment()
    segment.SetName(_name(candidate))
    segment.SetTerminology(_TERMINOLOGY)
    segment.SetColor(*candidateColour(candidate.id))
    representation = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
    segment.AddRepresentation(representation, image)
    if not node.GetSegmentation().AddSegment(segment, segmentId(candidate.id)):
        raise OutputError(
            _(
                "The segment of candidate {number} could not be added to '{name}'. Try again; if it happens "
                "again, send Slicer's error log to the developers."
            ).format(number=candidate.id, name=node.GetName())
        )


def _name(candidate: "Candidate") -> str:
    score = "added" if math.isnan(candidate.score) else f"{candidate.score:.2f}"
    return f"Candidate {candidate.id} ({score})"
