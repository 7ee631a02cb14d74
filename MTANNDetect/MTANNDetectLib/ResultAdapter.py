"""A detection result as nodes in the scene."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import slicer

from .Coordinates import flipped
from .LikelihoodAdapter import OVERLAY_OPACITY, labelMapNodeFromResult, likelihoodNodeFromResult
from .MarkupsAdapter import markupsNodeFromResult
from .PlaceAdapter import bodyOf, placedFindings
from .Review.About import About
from .Review.ResultNodes import tieTogether
from .SegmentationAdapter import segmentationNodeFromResult
from .Spaces import isRigidToWorld, turnToWorldDegrees
from .SubjectHierarchy import placeBeside
from .TableAdapter import tableNodeFromFindings
from .Transaction import allOrNothing
from .Translation import _

if TYPE_CHECKING:
    from mtann.detection.candidate import DetectionResult
    from mtann.geometry import FloatArray, Geometry
    from mtann.volume import Volume

    from .Review.Places import Body

_LARGEST_TURN_DEGREES = 5.0
"""A parent transform that turns an axis further than this is warned of: axial is then not what the user sees."""


@dataclass(frozen=True)
class DetectionNodes:
    """What one detection put into the scene.

    Attributes:
        likelihoodNode: Likelihood volume, shown as an overlay in our own colours.
        labelMapNode: Label map: value k is candidate k, those below the threshold included.
        segmentationNode: One segment for each reported candidate.
        markupsNode: One point at each reported candidate's centroid, with its score.
        tableNode: One row a candidate, those below the threshold included.
        result: The library's result; positions in it are LPS inside the input's parent transform.
        warnings: What the reader must know before trusting the result.
    """

    likelihoodNode: slicer.vtkMRMLScalarVolumeNode
    labelMapNode: slicer.vtkMRMLLabelMapVolumeNode
    segmentationNode: slicer.vtkMRMLSegmentationNode
    markupsNode: slicer.vtkMRMLMarkupsFiducialNode
    tableNode: slicer.vtkMRMLTableNode
    result: "DetectionResult"
    warnings: tuple[str, ...] = ()


def nodesFromResult(
    result: "DetectionResult",
    inputNode: slicer.vtkMRMLScalarVolumeNode,
    *,
    channels: "Mapping[str, slicer.vtkMRMLScalarVolumeNode] | None" = None,
    bodyPart: str = "",
    mask: "Volume | None" = None,
) -> DetectionNodes:
    """Add a result to the scene: five new nodes, where the input stands in space and in the subject hierarchy.

    Nothing that was there is replaced. If any part fails, none of the nodes stays.

    Args:
        result: What was found.
        inputNode: The first image.
        channels: The images by channel, to be remembered for teaching; the first image alone if None.
        bodyPart: What the model says that its images show; for parts with two sides, places are told in words.
        mask: Where was looked, in the first image's own coordinates: a better outline to tell places from.
    """
    with allOrNothing():
        likelihood = likelihoodNodeFromResult(result, _name(inputNode, "likelihood"))
        labelMap = labelMapNodeFromResult(result, _name(inputNode, "candidate map"))
        for node in (likelihood, labelMap):
            node.SetAndObserveTransformNodeID(inputNode.GetTransformNodeID())
        segmentation = segmentationNodeFromResult(result, _name(inputNode, "segmentation"), inputNode)
        markups = markupsNodeFromResult(result, _name(inputNode, "candidates"), inputNode)
        warnings, body = _warnings(result, inputNode), bodyOf(inputNode, bodyPart, mask)
        table = tableNodeFromFindings(placedFindings(result, inputNode, body), _name(inputNode, "table"), inputNode)
        placeBeside(inputNode, (likelihood, labelMap, segmentation, markups, table))
        tieTogether(
            table,
            _about(result, warnings, body),
            OVERLAY_OPACITY,
            channels or {result.inputs[0].channel if result.inputs else "image": inputNode},
            inputNode=inputNode,
            likelihoodNode=likelihood,
            labelMapNode=labelMap,
            segmentationNode=segmentation,
            markupsNode=markups,
        )
        return DetectionNodes(likelihood, labelMap, segmentation, markups, table, result, warnings)


def _about(result: "DetectionResult", warnings: tuple[str, ...], body: "Body | None") -> About:
    return About(
        model=f"{result.model.name} {result.model.version}".strip(),
        className=result.candidates[0].class_name if result.candidates else "lesion",
        threshold=result.threshold,
        thresholdOrigin=result.threshold_origin,
        outlineFraction=result.settings.outline_fraction,
        lowestScore=min((one.score for one in result.candidates), default=0.0),
        warnings=warnings,
        body=body,
    )


def _name(inputNode: slicer.vtkMRMLScalarVolumeNode, what: str) -> str:
    return slicer.mrmlScene.GenerateUniqueName(f"{inputNode.GetName()} MTANN {what}")


def _warnings(result: "DetectionResult", inputNode: slicer.vtkMRMLScalarVolumeNode) -> tuple[str, ...]:
    name = inputNode.GetName()
    warnings = list(result.warnings)
    if not isRigidToWorld(inputNode):
        warnings.append(
            _(
                "The parent transform of '{name}' scales or bends space: diameters and volumes are "
                "measured in the volume's own space, not as displayed."
            ).format(name=name)
        )
    if turnToWorldDegrees(inputNode, _cornersRas(result.likelihood.geometry)) > _LARGEST_TURN_DEGREES:
        warnings.append(
            _(
                "The parent transform of '{name}' turns it: axial diameters are measured in the volume's "
                "own axial plane, not in the displayed one, and the model is given the image in its own "
                "orientation."
            ).format(name=name)
        )
    return tuple(warnings)


def _cornersRas(geometry: "Geometry") -> "FloatArray":
    """The eight corners of a grid, at the voxels' outer edges so that a single slice has a thickness, too."""
    unit = np.stack(np.meshgrid([0, 1], [0, 1], [0, 1], indexing="ij"), axis=-1).reshape(-1, 3)
    return flipped(geometry.lps_from_index(unit * geometry.shape_zyx - 0.5))
