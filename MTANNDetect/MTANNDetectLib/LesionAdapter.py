"""Lesions and masks drawn in Slicer, brought into the coordinates of the image that they belong to."""

from typing import TYPE_CHECKING

import numpy as np
import slicer
import slicer.util
import vtk
from vtk.util import numpy_support

from mtann.errors import CasesError, ImageError
from mtann.geometry import Geometry
from mtann.volume import Volume

from .ChannelAdapter import volumeInSpaceOf
from .Coordinates import flipped, geometryFromIjkToRas
from .Spaces import transformBetween, transformedPoints
from .Translation import _
from .VolumeAdapter import labelVolumeFromNode

if TYPE_CHECKING:
    from mtann.sampling.lesions import Lesion

_FIDUCIAL_CLASS = "vtkMRMLMarkupsFiducialNode"
_SEGMENTATION_CLASS = "vtkMRMLSegmentationNode"


def lesionsFromNode(
    node: slicer.vtkMRMLNode,
    imageNode: slicer.vtkMRMLScalarVolumeNode,
    imageGeometry: Geometry,
    keepInstances: bool = False,
) -> tuple["Lesion", ...]:
    """The lesions that a node marks, in the image node's own coordinates.

    Args:
        node: A point list (one point a lesion), a label map, or a segmentation.
        imageNode: The first channel of the case.
        imageGeometry: Its geometry, as :func:`~.VolumeAdapter.volumeFromNode` gives it.
        keepInstances: For label maps and segmentations: whether each value or segment is one lesion. Otherwise each
            connected part is one.

    Raises:
        CasesError: The node is of another kind, or marks nothing that could be placed.
    """
    from mtann.sampling.lesions import lesions_from_label_map, lesions_from_points

    if node is not None and node.IsA(_FIDUCIAL_CLASS):
        return lesions_from_points(_pointsLps(node, imageNode))
    return lesions_from_label_map(_labelsInSpaceOf(node, imageNode, imageGeometry), keep_instances=keepInstances)


def maskFromNode(
    node: slicer.vtkMRMLNode, imageNode: slicer.vtkMRMLScalarVolumeNode, imageGeometry: Geometry
) -> Volume:
    """The mask that a label map or segmentation node holds, in the image node's own coordinates.

    Raises:
        CasesError: The node is neither of these.
        ImageError: It is empty.
    """
    return _labelsInSpaceOf(node, imageNode, imageGeometry)


def _pointsLps(node: slicer.vtkMRMLMarkupsFiducialNode, imageNode: slicer.vtkMRMLScalarVolumeNode) -> np.ndarray:
    world = slicer.util.arrayFromMarkupsControlPoints(node, world=True)
    # A list may hold points that the user is still placing, or has skipped: those have no position.
    placed = [
        index
        for index in range(node.GetNumberOfControlPoints())
        if node.GetNthControlPointPositionStatus(index) == slicer.vtkMRMLMarkupsNode.PositionDefined
    ]
    if not placed:
        raise CasesError(
            _("The point list '{name}' holds no placed point. Place one at the centre of each lesion.").format(
                name=node.GetName()
            )
        )
    local = transformedPoints(transformBetween(None, imageNode.GetParentTransformNode()), world[placed])
    return flipped(local)


def _labelsInSpaceOf(
    node: slicer.vtkMRMLNode, imageNode: slicer.vtkMRMLScalarVolumeNode, imageGeometry: Geometry
) -> Volume:
    if node is None:
        raise CasesError(_("No lesions or mask were given. Choose a point list, label map or segmentation."))
    if node.IsA(_SEGMENTATION_CLASS):
        labels = _labelsFromSegmentation(node)
    elif node.IsA("vtkMRMLVolumeNode"):
        labels = labelVolumeFromNode(node)
    else:
        raise CasesError(
            _(
                "'{name}' is a {kind} node, which can mark no lesions or mask. Choose a point list, a "
                "label map or a segmentation."
            ).format(name=node.GetName(), kind=node.GetNodeTagName())
        )
    return volumeInSpaceOf(labels, node, imageGeometry, imageNode, nearest=True)


def _labelsFromSegmentation(node: slicer.vtkMRMLSegmentationNode) -> Volume:
    name = node.GetName()
    representation = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
    if not node.GetSegmentation().ContainsRepresentation(representation):
        raise ImageError(
            _(
                "The segmentation '{name}' has no voxels (binary labelmap representation). Create that "
                "representation in the Segmentations module."
            ).format(name=name)
        )
    image = slicer.vtkOrientedImageData()
    if not node.GenerateMergedLabelmapForAllSegments(image) or image.GetNumberOfPoints() == 0:
        raise ImageError(
            _("The segmentation '{name}' is empty. Draw something in it, or choose another one.").format(name=name)
        )
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    ijkToRas = slicer.util.arrayFromVTKMatrix(matrix)
    # The image holds only the part of the grid with segments in it; its first voxel is not index 0.
    first = np.array(image.GetExtent()[::2], dtype=np.float64)
    ijkToRas[:3, 3] += ijkToRas[:3, :3] @ first
    shape = image.GetDimensions()[::-1]
    array = np.array(numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())).reshape(shape)
    return Volume(array, geometryFromIjkToRas(shape, ijkToRas, name), name)
