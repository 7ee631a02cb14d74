"""What MTANN and U-Net found together as nodes: the findings as after a detection, the outlines a segment a label."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import slicer

from .LabelAdapter import SegmentedNodes, nodesFromSegmentation
from .ResultAdapter import DetectionNodes, nodesFromResult
from .Transaction import allOrNothing

if TYPE_CHECKING:
    from mtann.unets.two_stage import TwoStageResult


@dataclass(frozen=True)
class TwoStageNodes:
    """The findings' nodes, the segmentation's, the library's result, and what the reader must know."""

    findings: DetectionNodes
    segmented: SegmentedNodes
    result: "TwoStageResult"
    warnings: tuple[str, ...]


def nodesFromTwoStage(
    result: "TwoStageResult", inputNode: slicer.vtkMRMLScalarVolumeNode, **options: Any
) -> TwoStageNodes:
    """Add both results to the scene; all of it or nothing.

    Args:
        result: What was found.
        inputNode: The MTANN's first image.
        options: Handed on to :func:`~.ResultAdapter.nodesFromResult`.

    Raises:
        OutputError: Slicer could not make a segment.
    """
    with allOrNothing():
        findings = nodesFromResult(result.findings, inputNode, **options)
        segmented = nodesFromSegmentation(result.segmentation, inputNode)
    warnings = tuple(dict.fromkeys((*findings.warnings, *segmented.warnings)))
    return TwoStageNodes(findings, segmented, result, warnings)
