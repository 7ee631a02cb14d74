"""Nodes and transforms to test with."""

from collections.abc import Sequence

import numpy as np
import slicer
import slicer.util
import vtk

from MTANNDetectLib.VolumeAdapter import labelVolumeFromNode, volumeFromNode


def rotation(axis: Sequence[float], angle: float) -> np.ndarray:
    """3x3 rotation matrix about an axis, by an angle in radians (Rodrigues)."""
    x, y, z = np.array(axis) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def rigid(axis: Sequence[float], angle: float, offset_ras_mm: Sequence[float] = (0, 0, 0)) -> np.ndarray:
    """4x4 matrix of a turn and a shift."""
    matrix = np.eye(4)
    matrix[:3, :3] = rotation(axis, angle)
    matrix[:3, 3] = offset_ras_mm
    return matrix


def put_under(node: slicer.vtkMRMLNode, matrix: np.ndarray) -> slicer.vtkMRMLLinearTransformNode:
    """Put a node under a new linear transform, a 4x4 matrix in RAS; returns the transform."""
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "transform")
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
    node.SetAndObserveTransformNodeID(transform.GetID())
    return transform


def node_like(
    image: slicer.vtkMRMLVolumeNode, array: np.ndarray, name: str, kind: str = "vtkMRMLLabelMapVolumeNode"
) -> slicer.vtkMRMLVolumeNode:
    """A volume node of other voxels on another's grid."""
    matrix = vtk.vtkMatrix4x4()
    image.GetIJKToRASMatrix(matrix)
    return slicer.util.addVolumeFromArray(array, matrix, name, kind)


def scene_label_map(
    segmentation: slicer.vtkMRMLSegmentationNode, segment_id: str, reference: slicer.vtkMRMLVolumeNode
) -> np.ndarray:
    """A segment's voxels on the reference volume's grid, by way of the world."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "export")
    slicer.vtkSlicerSegmentationsModuleLogic.ExportSegmentsToLabelmapNode(segmentation, [segment_id], node, reference)
    # The export leaves its voxels in the reference volume's coordinates.
    array = np.zeros(slicer.util.arrayFromVolume(reference).shape)
    exported = labelVolumeFromNode(node)
    offset = np.round(volumeFromNode(reference).geometry.index_from_lps(exported.geometry.origin_lps_mm)).astype(int)
    array[tuple(slice(o, o + n) for o, n in zip(offset, exported.array.shape, strict=True))] = exported.array
    slicer.mrmlScene.RemoveNode(node)
    return array
