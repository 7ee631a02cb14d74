"""What the panel needs to know of the scene's volumes before a run."""

import numpy as np
import slicer
import slicer.util

from mtann.errors import MTANNError

from .Coordinates import ijkToRasFromNode
from .Presenters.InputsPresenter import ImageFacts
from .Spaces import linearMatrix, transformBetween, transformedPoints
from .Translation import _
from .VolumeAdapter import checkImage

_LATTICE_POINTS = 9
_SERIES = "DICOM.SeriesDescription"


def factsOf(
    node: slicer.vtkMRMLVolumeNode, firstNode: slicer.vtkMRMLVolumeNode | None = None, series: str = ""
) -> ImageFacts:
    """What is known of a volume node, beside the first channel's."""
    problem = ""
    try:
        checkImage(node)
    except MTANNError as error:
        problem = str(error)
    overlap = 1.0
    if not problem and firstNode is not None and firstNode is not node:
        overlap = overlapOf(node, firstNode)
    if overlap == 0.0:
        problem = _("It does not overlap the first image in space. Check its transform, or choose another one.")
    return ImageFacts(
        id=node.GetID(),
        name=node.GetName(),
        series=series or node.GetAttribute(_SERIES) or "",
        spacingMm=tuple(node.GetSpacing()),
        overlap=overlap,
        problem=problem,
        notes=tuple(_sequenceNotes(node)),
        bends=bendsSpace(node),
    )


def imagesInScene() -> list[slicer.vtkMRMLScalarVolumeNode]:
    """The volumes that may be images, those that a result brought left out, in the scene's order."""
    made = _madeByResults()
    count = slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")
    nodes = [slicer.mrmlScene.GetNthNodeByClass(index, "vtkMRMLScalarVolumeNode") for index in range(count)]
    return [node for node in nodes if node.GetClassName() == "vtkMRMLScalarVolumeNode" and node.GetID() not in made]


def overlapOf(node: slicer.vtkMRMLVolumeNode, firstNode: slicer.vtkMRMLVolumeNode) -> float:
    """Share of the first image that a volume covers in the world, 0 to 1."""
    size = np.array(firstNode.GetImageData().GetDimensions())
    axes = [np.linspace(0, count - 1, min(int(count), _LATTICE_POINTS)) for count in size]
    lattice = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    local = _affine(ijkToRasFromNode(firstNode), lattice)
    between = transformBetween(firstNode.GetParentTransformNode(), node.GetParentTransformNode())
    index = _affine(np.linalg.inv(ijkToRasFromNode(node)), transformedPoints(between, local))
    limits = np.array(node.GetImageData().GetDimensions()) - 0.5
    return float(np.mean(np.all((index >= -0.5) & (index <= limits), axis=1)))


def extentMm(node: slicer.vtkMRMLVolumeNode) -> tuple[float, ...]:
    """A volume's extent along its axes."""
    return tuple(np.multiply(node.GetImageData().GetDimensions(), node.GetSpacing()).tolist())


def bendsSpace(node: slicer.vtkMRMLTransformableNode) -> bool:
    """Whether a node's parent transform is more than a shift, turn, scaling or shear."""
    parent = node.GetParentTransformNode()
    return parent is not None and linearMatrix(transformBetween(parent, None)) is None


def straightenedCopy(node: slicer.vtkMRMLScalarVolumeNode) -> slicer.vtkMRMLScalarVolumeNode:
    """A copy of a volume with its parent transform applied to the voxels; the original stays as it is."""
    copy = slicer.vtkSlicerVolumesLogic.CloneVolume(slicer.mrmlScene, node, f"{node.GetName()} straightened")
    copy.SetAndObserveTransformNodeID(node.GetTransformNodeID())
    copy.HardenTransform()
    return copy


def _affine(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def _madeByResults() -> set[str]:
    from .Review.ResultNodes import resultTables

    return {table.GetNodeReferenceID("MTANNDetect.likelihood") for table in resultTables()}


def _sequenceNotes(node: slicer.vtkMRMLVolumeNode) -> list[str]:
    """What to know of a volume that shows one frame of a sequence."""
    count = slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSequenceBrowserNode")
    for index in range(count):
        browser = slicer.mrmlScene.GetNthNodeByClass(index, "vtkMRMLSequenceBrowserNode")
        if browser.IsProxyNodeID(node.GetID()):
            return [
                _("It is frame {frame} of {count} of a sequence: only this frame is searched.").format(
                    frame=browser.GetSelectedItemNumber() + 1, count=browser.GetNumberOfItems()
                )
            ]
    return []
