"""One result under review: the reader's steps, put into effect on its nodes at once."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import slicer
import slicer.util

from mtann.geometry import Geometry
from mtann.volume import Volume

from ..Coordinates import flipped, geometryFromIjkToRas, ijkToRasFromNode
from ..LikelihoodAdapter import setLeastDisplayed
from ..MarkupsAdapter import fillMarkups, numbersOfPoints
from ..SegmentationAdapter import fillSegmentation, segmentId
from ..Spaces import transformBetween, transformedPoints, worldFromLocal
from ..TableAdapter import fillTable, findingsFromTable, markReported
from . import Editing, ResultNodes
from .Editing import Change, Grid
from .Findings import Finding, byId, ordered, shown
from .History import History
from .Places import placeInWords


class ReviewSession:
    """Shows and changes one result; every step is kept in the nodes, so that saving the scene saves it.

    Args:
        tableNode: The table of the result.
        changed: Called after each step.

    Raises:
        CasesError: The table belongs to no result, or the result is no longer whole.
    """

    def __init__(self, tableNode: slicer.vtkMRMLTableNode, changed: Callable[[], None] | None = None) -> None:
        self.nodes = ResultNodes.nodesOfResult(tableNode)
        self.about = ResultNodes.aboutResult(tableNode)
        self.threshold = ResultNodes.rememberedThreshold(tableNode)
        self.opacity = ResultNodes.rememberedOpacity(tableNode)
        self.findings: tuple[Finding, ...] = ordered(findingsFromTable(tableNode))
        self.chosen: tuple[int, ...] = ()
        self.history: History[Change] = History()
        self._changed = changed or (lambda: None)

    @property
    def geometry(self) -> Geometry:
        """The grid of the result, in the input's own coordinates."""
        node = self.nodes.labelMapNode
        shape = slicer.util.arrayFromVolume(node).shape
        return geometryFromIjkToRas(shape, ijkToRasFromNode(node), node.GetName())

    @property
    def grid(self) -> Grid:
        """The candidate map and likelihood as the nodes hold them, not copied."""
        arrays = (slicer.util.arrayFromVolume(node) for node in (self.nodes.labelMapNode, self.nodes.likelihoodNode))
        return Grid(*arrays, self.geometry)

    # --- Looking ----------------------------------------------------------------------------------------------------

    def setThreshold(self, threshold: float) -> None:
        """Move the threshold: overlay, table, points and segments follow at once.

        Segments that were never made are added by :meth:`settle`, once the slider rests.
        """
        self.threshold = float(threshold)
        self.findings = tuple(finding.reportedAt(self.threshold) for finding in self.findings)
        setLeastDisplayed(self.nodes.likelihoodNode, self.threshold * self.about.outlineFraction)
        markReported(self.nodes.tableNode, self.findings)
        self._showPoints()
        self._showSegments()
        ResultNodes.rememberThreshold(self.nodes.tableNode, self.threshold)
        self._changed()

    def settle(self) -> None:
        """Make the segments those of the findings that count now, no more and no fewer."""
        self._fillSegments(())
        self._showSegments()

    def setOpacity(self, opacity: float) -> None:
        """Let the likelihood overlay cover the image more or less, 0 to 1."""
        self.opacity = float(opacity)
        ResultNodes.rememberOpacity(self.nodes.tableNode, self.opacity)
        slicer.util.setSliceViewerLayers(foregroundOpacity=self.opacity)

    def showInViews(self) -> None:
        """Show image and overlay in the slice views, and the segments' surfaces in 3-D."""
        slicer.util.setSliceViewerLayers(
            background=self.nodes.inputNode, foreground=self.nodes.likelihoodNode, foregroundOpacity=self.opacity
        )
        if self.nodes.segmentationNode.GetSegmentation().GetNumberOfSegments():
            self.nodes.segmentationNode.CreateClosedSurfaceRepresentation()

    def worldOf(self, number: int) -> np.ndarray:
        """Where a finding is, in world RAS millimetres."""
        centre = byId(self.findings, number).candidate.centroid_lps_mm
        return worldFromLocal(self.nodes.inputNode, flipped([centre]))[0]

    def worldPlaces(self) -> dict[int, Sequence[float]]:
        """Where each finding is, in world RAS millimetres."""
        if not self.findings:
            return {}
        centres = flipped([one.candidate.centroid_lps_mm for one in self.findings])
        world = worldFromLocal(self.nodes.inputNode, centres).tolist()
        return {finding.id: place for finding, place in zip(self.findings, world, strict=True)}

    def numberOfPoint(self, index: int) -> int | None:
        """Which finding a point of the point list stands for."""
        numbers = numbersOfPoints(self.nodes.markupsNode)
        return numbers[index] if 0 <= index < len(numbers) else None

    # --- Deciding ---------------------------------------------------------------------------------------------------

    def decide(self, numbers: Sequence[int], status: str) -> None:
        """Accept or reject findings, or take that back."""
        self._do(Editing.decided(self.findings, numbers, status))

    def relabel(self, numbers: Sequence[int], className: str) -> None:
        """Call findings something else."""
        self._do(Editing.relabelled(self.findings, numbers, className))

    def merge(self, numbers: Sequence[int]) -> None:
        """Make one finding of several."""
        self._do(Editing.merged(self.findings, self.grid, numbers))

    def split(self, number: int) -> None:
        """Make two findings of one."""
        self._do(Editing.split(self.findings, self.grid, number))

    def addAt(self, worldRas: Sequence[float], radiusMm: float) -> None:
        """Add a lesion at a place in the world; a candidate that lies there is accepted."""
        local = transformedPoints(
            transformBetween(None, self.nodes.inputNode.GetParentTransformNode()), [list(worldRas)]
        )
        about = self.about
        centre = flipped(local[0]).tolist()
        self._do(Editing.added(self.findings, self.grid, centre, radiusMm, about.outlineFraction, about.className))

    def undo(self) -> None:
        """Take the last step back."""
        self._return(self.history.undo())

    def redo(self) -> None:
        """Do again what was taken back."""
        self._return(self.history.redo())

    def _return(self, change: Change | None) -> None:
        if change is not None:
            self._apply(change)
            self._changed()

    def _do(self, change: Change) -> None:
        placed = tuple(self._placed(finding) for finding in change.findings)
        change = replace(change, findings=placed)
        former = None if change.box is None else self.grid.labels[change.box].copy()
        before = Change(self.findings, self.chosen, change.box, former)
        self._apply(change)
        self.history.record(before, change)
        self._changed()

    def _placed(self, finding: Finding) -> Finding:
        """The finding with its place in words, where it is new or has moved."""
        for known in self.findings:
            if known.id == finding.id and known.candidate.centroid_lps_mm == finding.candidate.centroid_lps_mm:
                return finding
        world = worldFromLocal(self.nodes.inputNode, flipped([finding.candidate.centroid_lps_mm]))[0]
        return replace(finding, place=placeInWords(world.tolist(), self.about.body))

    def _apply(self, change: Change) -> None:
        touched: set[int] = set()
        if change.box is not None and change.voxels is not None:
            labels = slicer.util.arrayFromVolume(self.nodes.labelMapNode)
            different = labels[change.box] != change.voxels
            touched = {*labels[change.box][different].tolist(), *change.voxels[different].tolist()}
            labels[change.box] = change.voxels
            slicer.util.arrayFromVolumeModified(self.nodes.labelMapNode)
        self.findings = tuple(finding.reportedAt(self.threshold) for finding in change.findings)
        self.chosen = change.chosen
        fillTable(self.nodes.tableNode, self.findings, self.nodes.inputNode)
        self._showPoints()
        self._fillSegments(touched)
        self._showSegments()

    def _showPoints(self) -> None:
        fillMarkups(self.nodes.markupsNode, [one.candidate for one in shown(self.findings, self.threshold)])

    def _fillSegments(self, touched: Collection[int]) -> None:
        counted = [one.candidate for one in shown(self.findings, self.threshold)]
        labels: Any = slicer.util.arrayFromVolume(self.nodes.labelMapNode)
        fillSegmentation(self.nodes.segmentationNode, counted, Volume(labels, self.geometry), touched)

    def _showSegments(self) -> None:
        display = self.nodes.segmentationNode.GetDisplayNode()
        with slicer.util.NodeModify(display):
            counted = {segmentId(one.id) for one in shown(self.findings, self.threshold)}
            for name in self.nodes.segmentationNode.GetSegmentation().GetSegmentIDs():
                display.SetSegmentVisibility(name, name in counted)
