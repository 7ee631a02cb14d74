"""The upper part of the section "Findings": which result, its table, threshold and overlay."""

from collections.abc import Callable, Sequence
from typing import Any

import qt
import slicer
import slicer.util

from mtann.errors import MTANNError

from ..Navigation import jumpTo
from ..Presenters import ResultsPresenter
from ..Review.ResultNodes import isResult, resultTables
from ..Review.Session import ReviewSession
from ..Translation import _
from .QtTools import connect, makeTimer, quietly, say

_SETTLE_MS = 300
_PER_CENT = 100.0
_WIDTHS = {0: 30, 1: 46, 2: 48, 3: 40, 5: 66}
_WHERE = 4
"""The column that takes what room is left."""
_ROW_PIXELS = 24
_NUMERIC = 4
"""The first columns hold numbers, which stand at the right."""


class ResultsPanel(slicer.util.VTKObservationMixin):
    """Shows one result of the scene.

    Args:
        ui: The panel's widgets.
        landmarks: Named points that places are told by.
        changed: Called when another result is shown, the selection changes, or the reader did something.
    """

    def __init__(self, ui: Any, landmarks: Callable[[], dict[str, Any]], changed: Callable[[], None]) -> None:
        super().__init__()
        self.ui = ui
        self._landmarks, self._changed = landmarks, changed
        self.session: ReviewSession | None = None
        self._filling = False
        self._written: dict[int, ResultsPresenter.Row] = {}
        ui.resultSelector.addAttribute("vtkMRMLTableNode", "MTANNDetect.result", "1")
        self._settling = makeTimer(ui.findingsTable, _SETTLE_MS, self.onSettled)
        for column, width in _WIDTHS.items():
            ui.findingsTable.setColumnWidth(column, width)
        ui.findingsTable.horizontalHeader().setSectionResizeMode(_WHERE, qt.QHeaderView.Stretch)
        ui.findingsTable.verticalHeader().visible = False
        ui.findingsTable.verticalHeader().defaultSectionSize = _ROW_PIXELS
        connect(ui.resultSelector, "currentNodeChanged(vtkMRMLNode*)", self.onResultChosen)
        connect(ui.findingsTable, "itemSelectionChanged()", self.onRowsChosen)
        connect(ui.liveThresholdSlider, "valueChanged(double)", self.onThreshold)
        connect(ui.opacitySlider, "valueChanged(double)", self.onOpacity)
        self.showSession(None)

    @property
    def chosen(self) -> tuple[int, ...]:
        """The numbers of the selected findings."""
        return self.session.chosen if self.session else ()

    def open(self, tableNode: Any) -> None:
        """Show a result, and its images in the views."""
        quietly(self.ui.resultSelector, "enabled", True)
        if self.ui.resultSelector.currentNode() is not tableNode:
            self.ui.resultSelector.setCurrentNode(tableNode)
        if self.session is not None:
            self.session.showInViews()

    def refresh(self) -> None:
        """Show the newest result where none is shown; let go of one that is no longer whole."""
        if self.session is not None and not self.session.nodes.isWhole:
            self.showSession(None)
        tables = resultTables()
        if self.session is None and tables:
            self.ui.resultSelector.setCurrentNode(tables[-1])

    def onResultChosen(self, *_args: Any) -> None:
        """Show the result that the user chose."""
        node = self.ui.resultSelector.currentNode()
        if not isResult(node):
            self.showSession(None)
            return
        if self.session is not None and self.session.nodes.tableNode is node:
            return
        try:
            session = ReviewSession(node, self.onReviewed)
        except MTANNError as error:
            self.showSession(None)
            say(self.ui.summaryLabel, str(error))
            return
        self.showSession(session)

    def showSession(self, session: ReviewSession | None) -> None:
        """Show a result under review, or that there is none."""
        self.removeObservers()
        self.session = session
        self.ui.findingsBox.visible = session is not None
        if session is None:
            self.ui.findingsTable.setRowCount(0)
            self._written = {}
            say(self.ui.summaryLabel, _("No result yet. Press Run, or load a scene with one."))
            self._changed()
            return
        scores = [one.candidate.score for one in session.findings]
        slider = self.ui.liveThresholdSlider
        blocked = slider.blockSignals(True)
        slider.minimum = min([0.0, session.threshold, *scores])
        slider.maximum = max([1.0, session.threshold, *scores])
        slider.value = session.threshold
        slider.blockSignals(blocked)
        quietly(self.ui.opacitySlider, "value", _PER_CENT * session.opacity)
        display = session.nodes.markupsNode.GetDisplayNode()
        self.addObserver(display, slicer.vtkMRMLMarkupsDisplayNode.JumpToPointEvent, self.onPointClicked)
        self.onReviewed()

    def onThreshold(self, value: float) -> None:
        """Let everything follow the threshold at once; segments that are new come when the slider rests."""
        if self.session is not None:
            self.session.setThreshold(value)
            self._settling.start()

    def onSettled(self) -> None:
        """Bring the segments up to date."""
        if self.session is not None and self.session.nodes.isWhole:
            self.session.settle()

    def onOpacity(self, value: float) -> None:
        """Let the overlay follow the slider."""
        if self.session is not None:
            self.session.setOpacity(value / _PER_CENT)

    def onReviewed(self) -> None:
        """Show the findings as they are now."""
        session = self.session
        if session is None:
            return
        say(
            self.ui.summaryLabel,
            ResultsPresenter.summaryInWords(session.findings, session.threshold, session.about),
        )
        world = session.worldPlaces()
        rows = ResultsPresenter.rowsOf(session.findings, session.threshold, session.about, world, self._landmarks())
        self._filling = True
        self._fill(rows)
        self._select(session.chosen)
        self._filling = False
        self._changed()

    def onRowsChosen(self) -> None:
        """Go to the finding whose row was selected."""
        if self.session is None or self._filling:
            return
        rows = sorted({item.row() for item in self.ui.findingsTable.selectedItems()})
        self.session.chosen = tuple(self.session.findings[row].id for row in rows)
        if rows:
            jumpTo(self.session.worldOf(self.session.chosen[0]).tolist())
        self._changed()

    def onPointClicked(self, display: Any, _event: Any) -> None:
        """Select the row of the point that was clicked in a view."""
        if self.session is not None:
            number = self.session.numberOfPoint(display.GetActiveComponentIndex())
            if number is not None:
                self.choose((number,))

    def choose(self, numbers: Sequence[int]) -> None:
        """Select findings, and go to the first of them."""
        if self.session is None:
            return
        self._filling = True
        self._select(numbers)
        self._filling = False
        self.onRowsChosen()

    def _fill(self, rows: Sequence[ResultsPresenter.Row]) -> None:
        """Write only the cells that changed: a slider calls this many times a second."""
        table = self.ui.findingsTable
        if table.rowCount != len(rows):
            table.setRowCount(len(rows))
            self._written = {}
        for index, row in enumerate(rows):
            if self._written.get(index) == row:
                continue
            self._written[index] = row
            if table.isRowHidden(index) == row.visible:
                table.setRowHidden(index, not row.visible)
            for column, text in enumerate(row.cells):
                self._write(index, column, text, row)

    def _write(self, index: int, column: int, text: str, row: ResultsPresenter.Row) -> None:
        item = self.ui.findingsTable.item(index, column)
        if item is None:
            item = qt.QTableWidgetItem(text)
            if column < _NUMERIC:
                item.setTextAlignment(qt.Qt.AlignRight | qt.Qt.AlignVCenter)
            self.ui.findingsTable.setItem(index, column, item)
        elif item.text() != text:
            item.setText(text)
        if item.toolTip() != row.toolTip:
            item.setToolTip(row.toolTip)
        struck = row.visible and not row.counts
        font = item.font()
        if font.strikeOut() != struck:
            font.setStrikeOut(struck)
            item.setFont(font)

    def _select(self, numbers: Sequence[int]) -> None:
        if self.session is None:
            return
        selected = {item.row() for item in self.ui.findingsTable.selectedItems()}
        for index, finding in enumerate(self.session.findings):
            wanted = finding.id in numbers
            if wanted == (index in selected):
                continue
            for column in range(self.ui.findingsTable.columnCount):
                self.ui.findingsTable.item(index, column).setSelected(wanted)
