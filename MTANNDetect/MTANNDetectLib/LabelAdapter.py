"""A segmentation of the library as a segmentation node: one segment a label, overlapping where regions overlap."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import slicer
import vtk

from mtann.errors import OutputError

from .Library import libraryModule
from .SubjectHierarchy import placeBeside
from .Transaction import allOrNothing
from .Translation import _
from .VolumeAdapter import updateNodeFromVolume

if TYPE_CHECKING:
    from mtann.segmentation.result import Segmentation, SegmentedLabel
    from mtann.volume import Volume


@dataclass(frozen=True)
class SegmentedNodes:
    """The new node, the library's result, and what the reader must know."""

    segmentationNode: slicer.vtkMRMLSegmentationNode
    result: "Segmentation"
    warnings: tuple[str, ...]


def nodesFromSegmentation(result: "Segmentation", inputNode: slicer.vtkMRMLScalarVolumeNode) -> SegmentedNodes:
    """Add a segmentation node under the input's parent transform, within its study; all of it or nothing.

    Raises:
        OutputError: Slicer could not make a segment.
    """
    name = slicer.mrmlScene.GenerateUniqueName(f"{inputNode.GetName()} segmentation")
    with allOrNothing():
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
        node.CreateDefaultDisplayNodes()
        for number, label in enumerate(result.labels):
            _addSegment(node, number, label, result.label_map)
        # As with candidates: the import moves voxels between parent transforms, and neither node has one until here.
        node.SetAndObserveTransformNodeID(inputNode.GetTransformNodeID())
        node.SetReferenceImageGeometryParameterFromVolumeNode(inputNode)
        placeBeside(inputNode, [node])
    return SegmentedNodes(node, result, result.warnings)


def labelSegmentId(number: int) -> str:
    """The segment id of a label, counted from 0."""
    return f"label_{number + 1}"


def _addSegment(node: slicer.vtkMRMLSegmentationNode, number: int, label: "SegmentedLabel", labelMap: "Volume") -> None:
    inside = np.isin(labelMap.array, label.values) if label.mask is None else label.mask.array
    segmentId = labelSegmentId(number)
    if np.any(inside):
        # This label map never enters the scene; it only carries the voxels into the import.
        carrier = slicer.vtkMRMLLabelMapVolumeNode()
        updateNodeFromVolume(carrier, labelMap.with_array(inside.astype(np.uint8)))
        ids = vtk.vtkStringArray()
        ids.InsertNextValue(segmentId)
        if not slicer.vtkSlicerSegmentationsModuleLogic.ImportLabelmapToSegmentationNode(carrier, node, ids):
            raise OutputError(
                _(
                    "The segment '{name}' could not be made from the label map. Try again; if it happens again, "
                    "send Slicer's error log to the developers."
                ).format(name=label.name)
            )
    else:
        # Nothing was found: the label is listed all the same, or its absence would look like an oversight.
        node.GetSegmentation().AddEmptySegment(segmentId)
    colours = libraryModule("mtann.segmentation.colours")
    segment = node.GetSegmentation().GetSegment(segmentId)
    segment.SetName(label.name)
    segment.SetColor(*(part / 255 for part in colours.label_colour(label.name, number)))
    term = colours.term_of(label.name)
    if term is not None:
        segment.SetTerminology(_terminology(term.category, term.code))


def _terminology(category: tuple[str, str], code: tuple[str, str]) -> str:
    """Slicer's way of writing a category and a type of its standard list."""
    return (
        f"Segmentation category and type - 3D Slicer General Anatomy list~SCT^{category[0]}^{category[1]}"
        f"~SCT^{code[0]}^{code[1]}~^^~Anatomic codes - DICOM master list~^^~^^"
    )
