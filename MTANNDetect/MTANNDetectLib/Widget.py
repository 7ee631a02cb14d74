"""The panel: choose images and a model, run, look at the result.

It knows its logic only as a :class:`Backend`, so that tests can drive it with another one, and so that a worker process
can take the place of the in-process run.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import slicer
import slicer.util

from mtann.errors import CancelledError, MTANNError, SettingsError
from mtann.progress import CancelCheck, Progress, ProgressCallback

from .LikelihoodAdapter import OVERLAY_OPACITY

if TYPE_CHECKING:
    from .Models import ModelChoice
    from .ResultAdapter import DetectionNodes

MAX_CHANNELS = 4


class Backend(Protocol):
    """What the panel needs of a logic."""

    def models(self) -> Sequence["ModelChoice"]:
        """The models to choose from."""

    def detect(
        self,
        volumeNodes: Mapping[str, slicer.vtkMRMLScalarVolumeNode],
        model: Path,
        *,
        mask: slicer.vtkMRMLNode | None,
        threshold: float | None,
        device: str,
        progress: ProgressCallback,
        cancelled: CancelCheck,
    ) -> "DetectionNodes":
        """Detect and add the result to the scene."""


class DetectPanel:
    """The module's panel. ``root`` is the widget to be put into the module's layout."""

    def __init__(self, backend: Backend, uiPath: Path | str) -> None:
        self._backend = backend
        self._models: tuple[ModelChoice, ...] = ()
        self._running = False
        self._cancelRequested = False
        # The root is kept here: a widget without parent is deleted with its last Python reference.
        self.root = slicer.util.loadUI(str(uiPath))
        self.ui = slicer.util.childWidgetVariables(self.root)
        self._channelRows = [
            (getattr(self.ui, f"channelLabel{row}"), getattr(self.ui, f"channelSelector{row}"))
            for row in range(MAX_CHANNELS)
        ]
        self.root.setMRMLScene(slicer.mrmlScene)
        self._connect()
        self.refreshModels()

    def cleanup(self) -> None:
        """Stop a run that may be going on, before the panel is taken down."""
        self._cancelRequested = True
        self.ui.candidateTable.setMRMLTableNode(None)

    def refreshModels(self) -> None:
        """Fill the list of models, keeping the choice; where the list cannot be read, say why instead."""
        if self._running:
            return
        chosen = self._model()
        self.ui.modelSelector.clear()
        try:
            models = tuple(self._backend.models())
        except MTANNError as error:
            models = ()
            self._say(str(error))
        else:
            self._say(_invitation(models))
        self._models = tuple(model for model in models if _fits(model))
        for model in self._models:
            self.ui.modelSelector.addItem(model.name)
        # By folder: a bundled model and one of the user's may share a name.
        folders = [model.directory for model in self._models]
        if chosen is not None and chosen.directory in folders:
            self.ui.modelSelector.currentIndex = folders.index(chosen.directory)
        self.onModelChanged()

    def onModelChanged(self, *_args: Any) -> None:
        """Show one row for each channel that the model needs."""
        model = self._model()
        channels = model.channels if model else ("image",)
        for row, (label, selector) in enumerate(self._channelRows):
            shown = row < len(channels)
            label.visible = shown
            selector.visible = shown
            if shown:
                label.text = f"{channels[row]}:"
        self.ui.modelSelector.toolTip = model.summary if model else ""
        self.updateButtons()

    def updateButtons(self, *_args: Any) -> None:
        """Offer Run only when everything that it needs is chosen."""
        model = self._model()
        chosen = model is not None and all(node is not None for node in self._volumeNodes(model).values())
        self.ui.runButton.enabled = chosen and not self._running
        self.ui.cancelButton.enabled = self._running and not self._cancelRequested

    def onRun(self) -> None:
        """Run the detection, keeping the window alive, and show what it found or what was wrong."""
        if self._running:
            return
        self._running, self._cancelRequested = True, False
        self.updateButtons()
        try:
            found = self._detect()
        except CancelledError:
            self._finish("Cancelled. Nothing was added to the scene.")
        except MTANNError as error:
            self._finish("The run ended with an error.")
            slicer.util.errorDisplay(str(error))
        except Exception as error:  # noqa: BLE001 - PythonQt drops what a slot raises, and the user would see nothing.
            self._finish("The run ended with an unexpected error.")
            slicer.util.errorDisplay(
                f"Something unexpected went wrong ({type(error).__name__}: {error}). "
                "Please report it to the developers with Slicer's error log (menu Help)."
            )
        else:
            self._show(found)

    def onCancel(self) -> None:
        """Ask the run to stop; it does so at its next step."""
        self._cancelRequested = True
        self._say("Stopping…")
        self.updateButtons()

    def _detect(self) -> "DetectionNodes":
        model = self._model()
        if model is None:
            raise SettingsError("No model is chosen. Choose one from the list.")
        return self._backend.detect(
            self._volumeNodes(model),
            model.directory,
            mask=self.ui.maskSelector.currentNode(),
            threshold=thresholdFromText(self.ui.thresholdEdit.text),
            device=self.ui.deviceSelector.currentText,
            progress=self._onProgress,
            cancelled=lambda: self._cancelRequested,
        )

    def _onProgress(self, progress: Progress) -> None:
        self.ui.progressBar.value = round(100 * progress.fraction)
        if not self._cancelRequested:
            self._say(progress.message)
        # The run is in this process: without this the window would freeze and Cancel could not be pressed.
        slicer.app.processEvents()

    def _show(self, found: "DetectionNodes") -> None:
        self.ui.candidateTable.setMRMLTableNode(found.tableNode)
        image = self._channelRows[0][1].currentNode()
        slicer.util.setSliceViewerLayers(image, found.likelihoodNode, foregroundOpacity=OVERLAY_OPACITY)
        reported = len(found.result.reported)
        sentences = [
            f"{reported} candidate{'' if reported == 1 else 's'} reported at threshold {found.result.threshold:.3g}."
        ]
        self._finish(" ".join([*sentences, *found.warnings]))
        self.ui.progressBar.value = 100

    def _finish(self, message: str) -> None:
        self._running, self._cancelRequested = False, False
        self.ui.progressBar.value = 0
        self._say(message)
        self.updateButtons()

    def _say(self, message: str) -> None:
        self.ui.statusLabel.text = message

    def _model(self) -> "ModelChoice | None":
        index = self.ui.modelSelector.currentIndex
        return self._models[index] if 0 <= index < len(self._models) else None

    def _volumeNodes(self, model: "ModelChoice") -> dict[str, slicer.vtkMRMLScalarVolumeNode | None]:
        return {channel: self._channelRows[row][1].currentNode() for row, channel in enumerate(model.channels)}

    def _connect(self) -> None:
        connect(self.ui.runButton, "clicked()", self.onRun)
        connect(self.ui.cancelButton, "clicked()", self.onCancel)
        connect(self.ui.modelSelector, "currentIndexChanged(int)", self.onModelChanged)
        for _label, selector in self._channelRows:
            connect(selector, "currentNodeChanged(vtkMRMLNode*)", self.updateButtons)


def _fits(model: "ModelChoice") -> bool:
    return len(model.channels) <= MAX_CHANNELS


def _invitation(models: Sequence["ModelChoice"]) -> str:
    """What to do first, and which models the panel has too few rows for."""
    if not models:
        return "There is no model yet. Train one, or copy one into place."
    sentences = ["Choose images and a model."] if any(map(_fits, models)) else []
    if unfit := [model.name for model in models if not _fits(model)]:
        sentences.append(
            f"Not listed, because the panel takes at most {MAX_CHANNELS} images: {', '.join(unfit)}. "
            "Use MTANNDetectLogic().detect in the Python console."
        )
    return " ".join(sentences)


def connect(widget: Any, signal: str, slot: Callable[..., None]) -> None:
    """Connect a signal, and fail at once where it does not exist: Qt's own answer is only a line on the console."""
    if not widget.connect(signal, slot):
        raise RuntimeError(f"{widget.objectName} has no signal {signal}")


def thresholdFromText(text: str) -> float | None:
    """The threshold that a user typed; None where the field is blank.

    Raises:
        SettingsError: It is not a number.
    """
    if not text.strip():
        return None
    try:
        return float(text.strip().replace(",", "."))
    except ValueError as error:
        raise SettingsError(
            f"The threshold must be a number or blank for the model's own; found '{text}'. Correct it."
        ) from error
