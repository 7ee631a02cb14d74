"""The lower part of the section "Findings": the reader's decisions."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import slicer
import slicer.util

from mtann.errors import MTANNError

from ..Navigation import crosshairRas, startPlacing, takePlaced
from ..Presenters import ReviewPresenter
from ..Review.Findings import ACCEPTED, NEW, REJECTED, byId
from ..Review.Session import ReviewSession
from ..Translation import _
from .QtTools import connect, makeShortcut, say
from .ResultsPanel import ResultsPanel


class ReviewPanel(slicer.util.VTKObservationMixin):
    """Turns buttons and keys into review steps.

    Args:
        ui: The panel's widgets.
        results: Which result is shown, and what is selected.
    """

    def __init__(self, ui: Any, results: ResultsPanel) -> None:
        super().__init__()
        self.ui = ui
        self._results = results
        steps = {
            "acceptButton": lambda: self._decide(ACCEPTED),
            "rejectButton": lambda: self._decide(REJECTED),
            "undecideButton": lambda: self._decide(NEW),
            "addCrosshairButton": self.onAddAtCrosshair,
            "addClickButton": self.onAddByClick,
            "mergeButton": lambda: self._do(lambda session: session.merge(session.chosen)),
            "splitButton": lambda: self._do(lambda session: session.split(session.chosen[0])),
            "renameButton": self.onRename,
            "undoButton": lambda: self._do(ReviewSession.undo),
            "redoButton": lambda: self._do(ReviewSession.redo),
        }
        for name, step in steps.items():
            connect(getattr(ui, name), "clicked()", step)
        connect(ui.nameEdit, "textChanged(QString)", self.update)
        connect(ui.nameEdit, "returnPressed()", self.onRename)
        # A shortcut lives as long as its Python reference.
        self.shortcuts = [
            makeShortcut(key, ui.findingsTable, self._presser(name)) for key, name in ReviewPresenter.SHORTCUTS
        ]
        self.update()

    def update(self, *_args: Any) -> None:
        """Offer the steps that are possible."""
        session = self._results.session
        chosen = [byId(session.findings, number) for number in session.chosen] if session else []
        possible = ReviewPresenter.possible(
            session is not None,
            chosen,
            self.ui.nameEdit.text,
            session is not None and session.history.canUndo,
            session is not None and session.history.canRedo,
        )
        for name, can in asdict(possible).items():
            getattr(self.ui, name).enabled = can

    def onAddAtCrosshair(self) -> None:
        """Add a lesion where the crosshair stands."""
        place = crosshairRas()
        if place is None:
            self._say(_("There is no crosshair. Hold Shift and move the mouse over a slice view."))
            return
        self._add(place)

    def onAddByClick(self) -> None:
        """Add a lesion where the user clicks next."""
        node = startPlacing()
        self.removeObservers()
        self.addObserver(node, slicer.vtkMRMLMarkupsNode.PointPositionDefinedEvent, self.onPlaced)
        self._say(_("Click on the lesion in any view."))

    def onPlaced(self, node: Any, _event: Any) -> None:
        """A point was placed."""
        self.removeObservers()
        place = takePlaced(node)
        if place is not None:
            self._add(place)

    def onRename(self) -> None:
        """Give the selected findings the typed name."""
        self._do(lambda session: session.relabel(session.chosen, self.ui.nameEdit.text))

    def cleanup(self) -> None:
        """Listen to nothing any more."""
        self.removeObservers()

    def _add(self, place: tuple[float, float, float]) -> None:
        radius = self.ui.diameterBox.value / 2
        self._do(lambda session: session.addAt(place, radius))

    def _decide(self, status: str) -> None:
        """Decide on the selected findings, and go on to the next that waits."""

        def step(session: ReviewSession) -> None:
            last = session.chosen[-1]
            session.decide(session.chosen, status)
            following = ReviewPresenter.nextUndecided(session.findings, last, session.threshold)
            if status != NEW and following is not None:
                self._results.choose((following,))

        self._do(step)

    def _do(self, step: Callable[[ReviewSession], None]) -> None:
        session = self._results.session
        if session is None:
            return
        try:
            step(session)
        except MTANNError as error:
            self._say(str(error))
        else:
            self._say("")

    def _say(self, text: str) -> None:
        say(self.ui.reviewLabel, text)

    def _presser(self, name: str) -> Callable[[], None]:
        """What a key does: press the button, if it may be pressed."""

        def press() -> None:
            button = getattr(self.ui, name)
            if button.enabled:
                button.click()

        return press
