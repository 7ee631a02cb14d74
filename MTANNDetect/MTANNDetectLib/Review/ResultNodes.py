"""The nodes of one result, found from its table, and what its table remembers about the run.

A table node refers to the other nodes, and scene files keep such references and a node's attributes. So a saved scene
brings back the result, the reader's decisions and the settings.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import slicer

from mtann.errors import CasesError

from ..Translation import _
from .About import About

_MARK = "MTANNDetect.result"
_ABOUT = "MTANNDetect.about"
_CHANNELS, _CHANNEL_ROLE = "MTANNDetect.channels", "MTANNDetect.channel"
_THRESHOLD, _OPACITY = "MTANNDetect.threshold", "MTANNDetect.opacity"
_ROLES = {
    "inputNode": "MTANNDetect.input",
    "likelihoodNode": "MTANNDetect.likelihood",
    "labelMapNode": "MTANNDetect.candidateMap",
    "segmentationNode": "MTANNDetect.segmentation",
    "markupsNode": "MTANNDetect.markups",
}


@dataclass(frozen=True)
class ResultNodes:
    """The nodes of one result."""

    tableNode: slicer.vtkMRMLTableNode
    inputNode: slicer.vtkMRMLScalarVolumeNode
    likelihoodNode: slicer.vtkMRMLScalarVolumeNode
    labelMapNode: slicer.vtkMRMLLabelMapVolumeNode
    segmentationNode: slicer.vtkMRMLSegmentationNode
    markupsNode: slicer.vtkMRMLMarkupsFiducialNode

    @property
    def isWhole(self) -> bool:
        """Whether all nodes are still in the scene."""
        return all(slicer.mrmlScene.IsNodePresent(node) for node in self.__dict__.values())


def tieTogether(
    tableNode: slicer.vtkMRMLTableNode, about: About, opacity: float, channels: Mapping[str, Any], **others: Any
) -> None:
    """Make the table remember the other nodes (named as in :class:`ResultNodes`), the channels' images and the run."""
    tableNode.SetAttribute(_CHANNELS, json.dumps(list(channels)))
    for node in channels.values():
        tableNode.AddNodeReferenceID(_CHANNEL_ROLE, node.GetID())
    for name, role in _ROLES.items():
        tableNode.SetNodeReferenceID(role, others[name].GetID())
    tableNode.SetAttribute(_MARK, "1")
    tableNode.SetAttribute(_ABOUT, about.toJson())
    rememberThreshold(tableNode, about.threshold)
    rememberOpacity(tableNode, opacity)


def nodesOfResult(tableNode: slicer.vtkMRMLTableNode) -> ResultNodes:
    """The nodes of the result that a table belongs to.

    Raises:
        CasesError: It is no table of ours, or one of its nodes was deleted.
    """
    if not isResult(tableNode):
        raise CasesError(
            _("The table '{name}' holds no result of MTANNDetect. Choose another one.").format(name=tableNode.GetName())
        )
    found = {name: tableNode.GetNodeReference(role) for name, role in _ROLES.items()}
    gone = [role.partition(".")[2] for name, role in _ROLES.items() if found[name] is None]
    if gone:
        raise CasesError(
            _(
                "The result '{name}' is no longer whole: its {gone} was deleted from the scene. Delete "
                "what is left of it, and run again."
            ).format(name=tableNode.GetName(), gone=", ".join(gone))
        )
    return ResultNodes(tableNode=tableNode, **found)


def channelsOfResult(tableNode: slicer.vtkMRMLTableNode) -> dict[str, slicer.vtkMRMLScalarVolumeNode]:
    """The image of each channel that was searched.

    Raises:
        CasesError: One was deleted.
    """
    names = json.loads(tableNode.GetAttribute(_CHANNELS))
    nodes = [tableNode.GetNthNodeReference(_CHANNEL_ROLE, index) for index in range(len(names))]
    gone = [name for name, node in zip(names, nodes, strict=True) if node is None]
    if gone:
        raise CasesError(
            _(
                "The image(s) {gone} of the result '{name}' were deleted from the scene. Load them again "
                "and repeat the run."
            ).format(gone=", ".join(gone), name=tableNode.GetName())
        )
    return dict(zip(names, nodes, strict=True))


def isResult(node: slicer.vtkMRMLNode | None) -> bool:
    """Whether a node is the table of a result."""
    return node is not None and node.IsA("vtkMRMLTableNode") and node.GetAttribute(_MARK) == "1"


def resultTables() -> list[slicer.vtkMRMLTableNode]:
    """The tables of all results in the scene, oldest first."""
    count = slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLTableNode")
    tables = [slicer.mrmlScene.GetNthNodeByClass(index, "vtkMRMLTableNode") for index in range(count)]
    return [table for table in tables if isResult(table)]


def aboutResult(tableNode: slicer.vtkMRMLTableNode) -> About:
    """What a result's table tells of the run."""
    return About.fromJson(tableNode.GetAttribute(_ABOUT))


def rememberedThreshold(tableNode: slicer.vtkMRMLTableNode) -> float:
    """The threshold that the reader left a result at."""
    return float(tableNode.GetAttribute(_THRESHOLD))


def rememberThreshold(tableNode: slicer.vtkMRMLTableNode, threshold: float) -> None:
    """Keep the threshold with the result."""
    tableNode.SetAttribute(_THRESHOLD, repr(float(threshold)))


def rememberedOpacity(tableNode: slicer.vtkMRMLTableNode) -> float:
    """The overlay's opacity that the reader left a result at, 0 to 1."""
    return float(tableNode.GetAttribute(_OPACITY))


def rememberOpacity(tableNode: slicer.vtkMRMLTableNode, opacity: float) -> None:
    """Keep the overlay's opacity with the result."""
    tableNode.SetAttribute(_OPACITY, repr(float(opacity)))
