"""The section "Teach"."""

from collections.abc import Callable
from typing import Any

import qt
import slicer
import slicer.util

from mtann.errors import MTANNError

from ..Jobs import Runner
from ..Presenters import TeachPresenter
from ..Presenters.RunPresenter import Failure
from ..Presenters.TeachPresenter import ReviewedCase
from ..Review.ResultNodes import channelsOfResult
from ..Teaching import TeachController, casesFromFile, reviewedCases, trainingCaseFromResult
from ..Translation import _
from .InputsPanel import InputsPanel
from .QtTools import connect, say


class TeachPanel:
    """Lists reviewed results, teaches from the ticked ones; it is the view of a :class:`~..Teaching.TeachController`.

    Args:
        ui: The panel's widgets.
        inputs: The chosen model, to retrain.
        runner: Who computes.
        isBusy: Whether something else computes.
        changed: Called when teaching begins or ends.
    """

    def __init__(
        self, ui: Any, inputs: InputsPanel, runner: Runner, isBusy: Callable[[], bool], changed: Callable[[], None]
    ) -> None:
        self.ui = ui
        self._inputs, self._isBusy, self._changed = inputs, isBusy, changed
        self.controller = TeachController(runner, self)
        self._cases: list[ReviewedCase] = []
        connect(ui.trainButton, "clicked()", lambda: self._start("train"))
        connect(ui.retrainButton, "clicked()", lambda: self._start("retrain"))
        connect(ui.keepButton, "clicked()", self.onKeep)
        connect(ui.discardButton, "clicked()", self.controller.discard)
        connect(ui.caseFileButton, "clicked()", self.onChooseFile)
        connect(ui.casesList, "itemChanged(QListWidgetItem*)", self.update)
        for edit in (ui.caseFileEdit, ui.modelNameEdit):
            connect(edit, "textChanged(QString)", self.update)
        self.update()

    @property
    def chosen(self) -> list[ReviewedCase]:
        """The ticked cases."""
        ticks = [self.ui.casesList.item(index).checkState() for index in range(len(self._cases))]
        return [case for case, tick in zip(self._cases, ticks, strict=True) if tick == qt.Qt.Checked]

    def refresh(self) -> None:
        """List the scene's results anew; new ones with a decision are ticked."""
        former = {case.id: case in self.chosen for case in self._cases if case.isUseful}
        cases = reviewedCases()
        if cases == self._cases:
            return
        blocked = self.ui.casesList.blockSignals(True)
        self.ui.casesList.clear()
        for case in cases:
            item = qt.QListWidgetItem(TeachPresenter.caseText(case))
            ticked = case.isUseful and former.get(case.id, True)
            item.setCheckState(qt.Qt.Checked if ticked else qt.Qt.Unchecked)
            self.ui.casesList.addItem(item)
        self.ui.casesList.blockSignals(blocked)
        self._cases = cases
        self.update()

    def update(self, *_args: Any) -> None:
        """Offer what can be done, and say why the rest cannot."""
        free = not self._isBusy() and not self.controller.isRunning
        name, file = self.ui.modelNameEdit.text, self.ui.caseFileEdit.text
        noTraining = TeachPresenter.whyNotTrain(self.chosen, file, name)
        kind = self._inputs.model.kind if self._inputs.model else ""
        noRetraining = TeachPresenter.whyNotRetrain(self.chosen, file, name, kind)
        self.ui.trainButton.enabled = free and not noTraining
        self.ui.retrainButton.enabled = free and not noRetraining
        waits = self.controller.taught is not None
        self.ui.keepButton.enabled = waits and not self.controller.isRunning
        self.ui.discardButton.enabled = waits and not self.controller.isRunning
        say(self.ui.teachLabel, noTraining or TeachPresenter.advice(self.chosen))

    def onChooseFile(self) -> None:
        """Ask for the list of cases."""
        path = qt.QFileDialog.getOpenFileName(self.ui.caseFileButton, _("List of cases"), "", "CSV (*.csv)")
        if path:
            self.ui.caseFileEdit.text = path

    def onKeep(self) -> None:
        """Put the taught model among the user's own, and choose it."""
        try:
            folder = self.controller.keep(self.ui.modelNameEdit.text)
        except MTANNError as error:
            self.teachingEnded(str(error))
            return
        self._inputs.refreshModels()
        self._inputs.chooseModel(str(folder))
        self.teachingEnded(_("'{name}' is among your models now, and chosen.").format(name=folder.name))

    # --- What the controller tells ----------------------------------------------------------------------------------

    def teachingChanged(self) -> None:
        """Teaching has begun or ended, or a model waits to be kept."""
        self._changed()

    def taughtSoFar(self, fraction: float, message: str) -> None:
        """It is so far, 0 to 1."""
        self.ui.progressBar.value = round(100 * fraction)
        say(self.ui.teachStatusLabel, message)

    def teachingEnded(self, message: str) -> None:
        """It is over."""
        say(self.ui.teachStatusLabel, message)

    def teachingFailed(self, failure: Failure) -> None:
        """It ended without a model."""
        self.ui.progressBar.value = 0
        say(self.ui.teachStatusLabel, failure.text)

    def _start(self, kind: str) -> None:
        try:
            cases, channels = self._casesToLearn()
        except MTANNError as error:
            self.teachingEnded(str(error))
            return
        model = self._inputs.model.directory if kind == "retrain" and self._inputs.model else None
        name = self.ui.modelNameEdit.text.strip()
        self.controller.start(kind, cases, channels, name=name, model=model)

    def _casesToLearn(self) -> tuple[Any, Any]:
        file = self.ui.caseFileEdit.text.strip()
        if file:
            return casesFromFile(file)
        tables = [slicer.mrmlScene.GetNodeByID(case.id) for case in self.chosen if case.isUseful]
        channels = tuple(channelsOfResult(tables[0])) if tables else ()
        return [trainingCaseFromResult(table) for table in tables], channels
