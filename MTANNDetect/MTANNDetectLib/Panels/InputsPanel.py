"""Choosing the model and an image for each of its channels."""

from collections.abc import Callable
from typing import Any, Protocol

import qt
import slicer
import slicer.util

from mtann.errors import MTANNError

from ..ImageFactsAdapter import factsOf, imagesInScene, straightenedCopy
from ..Presenters import InputsPresenter, ModelsPresenter
from ..Presenters.InputsPresenter import ImageFacts
from ..Presenters.ModelsPresenter import ModelChoice
from ..Translation import _
from .QtTools import connect, fillCombo, say, show

MAX_CHANNELS = 4


class Models(Protocol):
    """What this part needs of a logic."""

    def models(self) -> tuple[ModelChoice, ...]:
        """The models to choose from."""

    def addModel(self, folder: str) -> ModelChoice:
        """Put a folder with a model on the list."""

    def removeModel(self, model: ModelChoice) -> None:
        """Delete an own model, or take a folder off the list."""


class InputsPanel:
    """The sections "Images and model" and "About this model".

    Args:
        ui: The panel's widgets.
        models: Where the list of models comes from.
        changed: Called when the model, an image or another input changes.
        told: Called with what the user must be told.
    """

    def __init__(self, ui: Any, models: Models, changed: Callable[[], None], told: Callable[[str], None]) -> None:
        self.ui = ui
        self._models = models
        self._changed, self._told = changed, told
        self._choices: tuple[ModelChoice, ...] = ()
        self._facts: dict[str, ImageFacts | None] = {}
        self.rows = [
            tuple(getattr(ui, f"{part}{row}") for part in ("channelLabel", "channelSelector", "channelNote"))
            for row in range(MAX_CHANNELS)
        ]
        connect(ui.modelSelector, "currentIndexChanged(int)", self.onModelChanged)
        connect(ui.addModelButton, "clicked()", self.onAddModel)
        connect(ui.removeModelButton, "clicked()", self.onRemoveModel)
        connect(ui.hardenButton, "clicked()", self.onHarden)
        for _label, selector, _note in self.rows:
            connect(selector, "currentNodeChanged(vtkMRMLNode*)", self.onInputChanged)
        for selector in (ui.maskSelector, ui.roiSelector, ui.landmarksSelector):
            connect(selector, "currentNodeChanged(vtkMRMLNode*)", self.onInputChanged)

    @property
    def model(self) -> ModelChoice | None:
        """The chosen model."""
        index = self.ui.modelSelector.currentIndex
        return self._choices[index] if 0 <= index < len(self._choices) else None

    @property
    def models(self) -> tuple[ModelChoice, ...]:
        """The models of the list."""
        return self._choices

    @property
    def channelNodes(self) -> dict[str, Any]:
        """The chosen node of each channel, or None."""
        channels = self.model.channels if self.model else ()
        return {channel: self.rows[row][1].currentNode() for row, channel in enumerate(channels)}

    @property
    def whatIsMissing(self) -> str:
        """Why a run cannot start yet, or nothing."""
        if self.model is None:
            return _("Choose a model.") if self._choices else _("There is no model to run; the reason stands below.")
        # An image may have left the scene since it was chosen.
        there = {channel: self._facts.get(channel) for channel, node in self.channelNodes.items() if node is not None}
        return InputsPresenter.whatIsMissing(self.model.channels, there)

    def landmarks(self) -> dict[str, tuple[float, float, float]]:
        """The chosen named points in world RAS millimetres."""
        node = self.ui.landmarksSelector.currentNode()
        if node is None:
            return {}
        world = slicer.util.arrayFromMarkupsControlPoints(node, world=True)
        return {node.GetNthControlPointLabel(index): tuple(place) for index, place in enumerate(world.tolist())}

    def refreshModels(self) -> None:
        """Fill the list of models, keeping the choice; where the list cannot be read, say why instead."""
        former = self.model
        try:
            listed = tuple(self._models.models())
        except MTANNError as error:
            listed = ()
            self._told(str(error))
        else:
            self._told(ModelsPresenter.invitation(listed, MAX_CHANNELS))
        self._choices = tuple(model for model in listed if ModelsPresenter.fits(model, MAX_CHANNELS))
        # By folder: a bundled model and one of the user's may share a name.
        folders = [model.directory for model in self._choices]
        index = folders.index(former.directory) if former is not None and former.directory in folders else 0
        fillCombo(self.ui.modelSelector, [ModelsPresenter.entryText(model) for model in self._choices], index)
        self.onModelChanged()

    def chooseModel(self, folder: str) -> None:
        """Choose the model of a folder, if it is listed."""
        for index, model in enumerate(self._choices):
            if str(model.directory) == folder:
                self.ui.modelSelector.currentIndex = index

    def onModelChanged(self, *_args: Any) -> None:
        """Show one row for each channel that the model needs, and fill the rows as far as can be told."""
        model = self.model
        channels = model.channels if model else ("image",)
        for row, (label, selector, note) in enumerate(self.rows):
            show(row < len(channels), label, selector)
            note.visible = False
            if row < len(channels):
                label.text = f"{channels[row]}:"
        self.ui.modelSelector.toolTip = model.summary if model else _("What to look for, and with which model.")
        say(self.ui.modelSummaryLabel, ModelsPresenter.shortSummary(model) if model else "")
        self.ui.modelCardText.plainText = "\n\n".join(model.card or (model.summary,)) if model else ""
        self.ui.removeModelButton.enabled = model is not None and model.origin != ModelsPresenter.BUNDLED
        self.matchImages()

    def matchImages(self) -> None:
        """Choose images for the channels that have none, where names or order tell which."""
        if self.model is not None:
            taken = {node.GetID() for node in self.channelNodes.values() if node is not None}
            free = [factsOf(node) for node in imagesInScene() if node.GetID() not in taken]
            open_ = [channel for channel, node in self.channelNodes.items() if node is None]
            matched = InputsPresenter.matchChannels(open_, free)
            for row, channel in enumerate(self.model.channels):
                if channel in matched:
                    self.rows[row][1].setCurrentNode(slicer.mrmlScene.GetNodeByID(matched[channel]))
        self.onInputChanged()

    def onInputChanged(self, *_args: Any) -> None:
        """Say under each row what to know of its image."""
        nodes = self.channelNodes
        first = next(iter(nodes.values()), None)
        self._facts = {
            channel: None if node is None else factsOf(node, first if _usable(first) else None)
            for channel, node in nodes.items()
        }
        facts = list(self._facts.values())
        expected = self.model.spacingMm if self.model else 0.0
        for row, (channel, one) in enumerate(self._facts.items()):
            say(self.rows[row][2], InputsPresenter.noteOn(one, facts[0], expected, channel))
        self.ui.hardenButton.visible = any(one is not None and one.bends for one in facts)
        self._changed()

    def onHarden(self) -> None:
        """Choose copies with the transform applied in place of the images under a bending one."""
        for row, one in enumerate(self._facts.values()):
            if one is not None and one.bends:
                self.rows[row][1].setCurrentNode(straightenedCopy(slicer.mrmlScene.GetNodeByID(one.id)))

    def onAddModel(self) -> None:
        """Ask for a folder and put its model on the list."""
        folder = qt.QFileDialog.getExistingDirectory(self.ui.addModelButton, _("Folder with a model"), "")
        if not folder:
            return
        try:
            added = self._models.addModel(folder)
        except MTANNError as error:
            slicer.util.errorDisplay(str(error))
            return
        self.refreshModels()
        self.chooseModel(str(added.directory))

    def onRemoveModel(self) -> None:
        """Remove the chosen model after asking."""
        model = self.model
        if model is None or not slicer.util.confirmOkCancelDisplay(ModelsPresenter.removalQuestion(model)):
            return
        try:
            self._models.removeModel(model)
        except MTANNError as error:
            slicer.util.errorDisplay(str(error))
        self.refreshModels()


def _usable(node: Any) -> bool:
    return node is not None and node.GetImageData() is not None and node.GetImageData().GetNumberOfPoints() > 0
