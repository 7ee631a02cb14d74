"""The nodes of one case, and the library's values made of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import slicer

from mtann.errors import CasesError, ImageError
from mtann.geometry import Geometry
from mtann.volume import Volume

from .ChannelAdapter import volumesFromNodes
from .LesionAdapter import lesionsFromNode, maskFromNode
from .Library import libraryModule
from .Translation import _

if TYPE_CHECKING:
    from mtann.cases import TrainingCase

VolumeNode = slicer.vtkMRMLScalarVolumeNode
VolumeNodes = VolumeNode | Sequence[VolumeNode] | Mapping[str, VolumeNode]


@dataclass(frozen=True)
class TrainingNodes:
    """One case to learn from, as nodes of the scene.

    Attributes:
        volumes: The case's image, or its images in the order of the channels.
        lesions: A point list (one point a lesion), a label map, or a segmentation. None for a case without lesions.
        case: Unique name; by default the first image's name.
        patient: Cases of one patient never stand on both sides of a split; by default each case is a patient.
        mask: Label map or segmentation within which to look.
        keepInstances: Whether each label value or segment is one lesion; else each connected part is one.
        nonLesions: Places known to be no lesion, marked as lesions are; the task "classification" needs some.
    """

    volumes: VolumeNode | Sequence[VolumeNode]
    lesions: slicer.vtkMRMLNode | None
    case: str = ""
    patient: str = ""
    mask: slicer.vtkMRMLNode | None = None
    keepInstances: bool = False
    nonLesions: slicer.vtkMRMLNode | None = None


def trainingCaseFromNodes(nodes: TrainingNodes) -> "TrainingCase":
    """A case's nodes as the library's training case, in the first image's coordinates.

    Raises:
        MTANNError: A node cannot be used; the message names it.
    """
    _names, volumeNodes = _named(nodes.volumes)
    volumes: tuple[Volume, ...] = volumesFromNodes(volumeNodes)
    first, geometry = volumeNodes[0], volumes[0].geometry
    lesions, nonLesions = (
        () if node is None else lesionsFromNode(node, first, geometry, nodes.keepInstances)
        for node in (nodes.lesions, nodes.nonLesions)
    )
    mask = None if nodes.mask is None else maskFromNode(nodes.mask, first, geometry)
    case = nodes.case or first.GetName()
    return libraryModule("mtann.cases").TrainingCase(case, nodes.patient or case, volumes, lesions, mask, nonLesions)


@dataclass(frozen=True)
class CaseImages:
    """A case's images and mask in the coordinates of the first image's node."""

    node: VolumeNode
    geometry: Geometry
    volumes: tuple[Volume, ...] | dict[str, Volume]
    mask: Volume | None


def imagesFromNodes(volumeNodes: VolumeNodes, mask: slicer.vtkMRMLNode | None) -> CaseImages:
    """Copy a case's nodes.

    Raises:
        MTANNError: A node cannot be used; the message names it.
    """
    names, nodes = _named(volumeNodes)
    volumes = volumesFromNodes(nodes)
    first, geometry = nodes[0], volumes[0].geometry
    maskVolume = None if mask is None else maskFromNode(mask, first, geometry)
    return CaseImages(first, geometry, dict(zip(names, volumes, strict=True)) if names else volumes, maskVolume)


def _named(volumeNodes: VolumeNodes) -> tuple[tuple[str, ...], list[VolumeNode]]:
    """Channel names (none if the order says it) and nodes."""
    if isinstance(volumeNodes, Mapping):
        return tuple(volumeNodes), list(volumeNodes.values())
    if isinstance(volumeNodes, str):
        raise ImageError(
            _("A volume node is needed, not the name '{name}'. Use slicer.util.getNode('{name}').").format(
                name=volumeNodes
            )
        )
    if volumeNodes is None or hasattr(volumeNodes, "GetID"):
        return (), [volumeNodes]
    return (), list(volumeNodes)


def requireStillThere(node: VolumeNode) -> None:
    """Make sure that a run's image was not removed while it ran.

    Raises:
        CasesError: It was.
    """
    if slicer.mrmlScene.IsNodePresent(node):
        return
    raise CasesError(
        _(
            "The volume '{name}' was removed from the scene during the run, so its result was "
            "dropped. Load the volume again and repeat the run."
        ).format(name=node.GetName())
    )
