"""Volume nodes and the library's volumes, in both directions.

A volume holds the node's voxels and their place in the node's own coordinates; the parent transform stays outside.
"""

import numpy as np
import slicer
import slicer.util

from mtann.errors import ImageError
from mtann.volume import Volume

from .Coordinates import geometryFromIjkToRas, ijkToRasFromNode, setIjkToRas
from .Translation import _

SCALAR_CLASS = "vtkMRMLScalarVolumeNode"
LABEL_MAP_CLASS = "vtkMRMLLabelMapVolumeNode"
_DICOM_ATTRIBUTE = "DICOM.instanceUIDs"


def volumeFromNode(node: slicer.vtkMRMLScalarVolumeNode, name: str | None = None) -> Volume:
    """Copy a scalar volume node into a volume, in the node's own coordinates (parent transform left out).

    Args:
        node: The image. Label maps, colour and other multi-component volumes are refused.
        name: What the volume is called in results. By default the node's name, or "DICOM series" for a node loaded from
            DICOM, whose name may tell who the patient is.

    Raises:
        ImageError: The node is no image, or is empty.
        GeometryError: The node's axes are not at right angles.
    """
    checkImage(node)
    return _volume(node, name)


def checkImage(node: slicer.vtkMRMLScalarVolumeNode) -> None:
    """Make sure that a node is an image that can be searched.

    Raises:
        ImageError: It is none, or is empty; the message says which and what to do.
    """
    if node is not None and node.IsA(LABEL_MAP_CLASS):
        raise ImageError(
            _(
                "'{name}' is a label map, but an image is needed here. Choose a scalar volume, or "
                "convert the label map in the Volumes module if it really holds an image."
            ).format(name=node.GetName())
        )
    _requireScalarVoxels(node)


def labelVolumeFromNode(node: slicer.vtkMRMLScalarVolumeNode, name: str | None = None) -> Volume:
    """Copy a label map node, or a scalar volume node that holds labels, into a volume.

    Raises:
        ImageError: The node is no volume, or is empty.
        GeometryError: The node's axes are not at right angles.
    """
    return _volume(node, name)


def nodeFromVolume(volume: Volume, name: str, className: str = SCALAR_CLASS) -> slicer.vtkMRMLScalarVolumeNode:
    """Add a volume node with its display node to the scene; it gets no parent transform."""
    node = slicer.mrmlScene.AddNewNodeByClass(className, name)
    updateNodeFromVolume(node, volume)
    node.CreateDefaultDisplayNodes()
    return node


def updateNodeFromVolume(node: slicer.vtkMRMLScalarVolumeNode, volume: Volume) -> None:
    """Replace a node's voxels and geometry by a copy of a volume's; its parent transform stays."""
    setIjkToRas(node, volume.geometry)
    slicer.util.updateVolumeFromArray(node, _storable(volume.array))


def _volume(node: slicer.vtkMRMLScalarVolumeNode, name: str | None) -> Volume:
    _requireScalarVoxels(node)
    # A copy: the user may change or delete the node while a run still works on its voxels.
    array = np.array(slicer.util.arrayFromVolume(node))
    geometry = geometryFromIjkToRas(array.shape, ijkToRasFromNode(node), node.GetName())
    return Volume(array, geometry, _resultName(node) if name is None else name)


def _requireScalarVoxels(node: slicer.vtkMRMLScalarVolumeNode) -> None:
    if node is None:
        raise ImageError(_("No volume was given where an image is needed. Choose a volume."))
    name = node.GetName()
    if not node.IsA("vtkMRMLVolumeNode"):
        kind = node.GetNodeTagName()
        raise ImageError(
            _("'{name}' is a {kind} node, but a scalar volume is needed. Choose a volume.").format(name=name, kind=kind)
        )
    image = node.GetImageData()
    if image is None or image.GetNumberOfPoints() == 0 or image.GetPointData().GetScalars() is None:
        raise ImageError(
            _("The volume '{name}' holds no voxels. Load or choose a volume with image data.").format(name=name)
        )
    components = image.GetNumberOfScalarComponents()
    if components != 1:
        raise ImageError(
            _(
                "The volume '{name}' has {components} values a voxel (colour or vector), but one is "
                "needed. Extract one component, or convert it with the Vector to Scalar Volume module."
            ).format(name=name, components=components)
        )
    if node.GetClassName() not in (SCALAR_CLASS, LABEL_MAP_CLASS):
        raise ImageError(
            _("'{name}' is a {kind}, but a scalar volume is needed. Convert it in the Volumes module.").format(
                name=name, kind=node.GetClassName()
            )
        )


def _resultName(node: slicer.vtkMRMLScalarVolumeNode) -> str:
    return "DICOM series" if node.GetAttribute(_DICOM_ATTRIBUTE) else node.GetName()


def _storable(array: np.ndarray) -> np.ndarray:
    """The array in a voxel type that Slicer displays: it has neither booleans nor 64-bit integers."""
    if array.dtype == np.bool_:
        return array.astype(np.uint8)
    if array.dtype in (np.int64, np.uint64):
        limits = np.iinfo(np.int32)
        fits = limits.min <= array.min() and array.max() <= limits.max
        return array.astype(np.int32 if fits else np.float64)
    if array.dtype == np.float16:
        return array.astype(np.float32)
    return array
