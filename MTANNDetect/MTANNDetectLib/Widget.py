"""The panel: its parts wired to each other, to the scene, and to whoever computes."""

from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any

import slicer
import slicer.util

from .Jobs import Runner
from .Panels.InputsPanel import MAX_CHANNELS, InputsPanel, Models
from .Panels.ParameterSync import ParameterSync
from .Panels.QtTools import connect, makeTimer, say
from .Panels.ResultsPanel import ResultsPanel
from .Panels.ReviewPanel import ReviewPanel
from .Panels.RunPanel import RunPanel
from .Panels.SetupPanel import Installer, SetupPanel
from .Panels.TeachPanel import TeachPanel
from .Presenters.RunPresenter import Failure
from .Speeds import Speeds

__all__ = ["MAX_CHANNELS", "DetectPanel"]

_REFRESH_MS = 100


class DetectPanel(slicer.util.VTKObservationMixin):
    """The module's panel. ``root`` is the widget to be put into the module's layout.

    Args:
        models: Where the list of models comes from.
        uiPath: The ``.ui`` file.
        runner: Who computes.
        parameterNode: Gives the scene's node in which the user's choices are kept.
        installer: Who installs what this Slicer lacks.
        rates: Measured speeds, to tell how long a run will take; those that are kept on this machine if None.
    """

    def __init__(
        self,
        models: Models,
        uiPath: Path | str,
        runner: Runner,
        parameterNode: Callable[[], Any],
        installer: Installer,
        rates: MutableMapping[str, float] | None = None,
    ) -> None:
        super().__init__()
        self._runner = runner
        # The root is kept here: a widget without parent is deleted with its last Python reference.
        self.root = slicer.util.loadUI(str(uiPath))
        self.ui = slicer.util.childWidgetVariables(self.root)
        self.root.setMRMLScene(slicer.mrmlScene)
        self.setup = SetupPanel(self.ui, installer, self.onInstalled)
        self.inputs = InputsPanel(self.ui, models, self.onInputs, self.told)
        self.results = ResultsPanel(self.ui, self.inputs.landmarks, self.onResults)
        self.review = ReviewPanel(self.ui, self.results)
        speeds = Speeds() if rates is None else rates
        self.run = RunPanel(self.ui, self.inputs, runner, speeds, self.isTeaching, self.onRunning, self.results.open)
        self.teach = TeachPanel(self.ui, self.inputs, runner, self.isDetecting, self.onRunning)
        self._ready = True
        self.parameters = ParameterSync(self, parameterNode)
        self._refreshing = makeTimer(self.root, _REFRESH_MS, self.refreshScene)
        scene = slicer.mrmlScene
        for event in (scene.NodeAddedEvent, scene.NodeRemovedEvent, scene.EndCloseEvent):
            self.addObserver(scene, event, self.onSceneChanged)
        self.addObserver(scene, scene.EndImportEvent, self.onSceneOpened)
        connect(self.ui.cancelButton, "clicked()", self.onCancel)
        self._connectChoices()
        self.refreshModels()
        self.parameters.restore()
        self.refreshScene()

    _ready = _warm = False
    _loaded: Path | None = None

    @property
    def isBusy(self) -> bool:
        """Whether something is being computed."""
        return self.isDetecting() or self.isTeaching()

    def isDetecting(self) -> bool:
        """Whether a run goes on."""
        return self._ready and self.run.controller.isRunning

    def isTeaching(self) -> bool:
        """Whether a model is being taught."""
        return self._ready and self.teach.controller.isRunning

    def cleanup(self) -> None:
        """Stop a run that may be going on, before the panel is taken down."""
        self._refreshing.stop()
        self.removeObservers()
        self.results.removeObservers()
        self.review.cleanup()
        self.run.controller.cancel()
        self.teach.controller.cancel()
        self.teach.controller.discard()
        self._runner.close()

    def onCancel(self) -> None:
        """Stop what is being computed."""
        self.run.controller.cancel()
        self.teach.controller.cancel()

    def enter(self) -> None:
        """The user came to the module: look for new models, and start whoever computes."""
        self.setup.refresh()
        self.refreshModels()
        if not self._warm and not self.setup.isMissing:
            self._warm = True
            self._runner.warmUp(self.onRunning, self.onNotReady)
        self._loadModel()

    def _loadModel(self) -> None:
        """Have the chosen model loaded ahead of its first run, once the user has come to the module."""
        model = self.inputs.model
        if self._warm and model is not None and model.directory != self._loaded and not self.isBusy:
            self._loaded = model.directory
            self._runner.load(model.directory)

    def onInstalled(self) -> None:
        """Everything is there now: go on."""
        self._warm = False
        self.enter()

    def onNotReady(self, failure: Failure) -> None:
        """Nothing can be computed yet: say why; the next visit tries again."""
        self._warm, self._loaded = False, None
        self.told(failure.text)

    def refreshModels(self) -> None:
        """Look for models, unless a run is under way."""
        if not self.isBusy:
            self.inputs.refreshModels()

    def refreshScene(self) -> None:
        """Follow the scene: new images, results that came or went."""
        if not self.isBusy:
            self.inputs.matchImages()
        self.results.refresh()
        self.teach.refresh()

    def onSceneChanged(self, *_args: Any) -> None:
        """Follow the scene once it rests: loading a scene tells of every node."""
        self._refreshing.start()

    def onSceneOpened(self, *_args: Any) -> None:
        """Choose what was kept with the scene, and show its result."""
        self.parameters.restore()
        self.refreshScene()

    def onInputs(self) -> None:
        """Model or images changed."""
        if self._ready:
            self.run.showModel()
            self._loadModel()
            self.teach.update()
            self.parameters.store()

    def onResults(self) -> None:
        """Another result is shown, or something in it changed."""
        if self._ready:
            self.review.update()
            self.teach.refresh()
            self.parameters.store()

    def onRunning(self) -> None:
        """Something began or ended."""
        if self._ready:
            self.run.showDevices()
            self.run.update()
            self._loadModel()
            self.teach.update()

    def _connectChoices(self) -> None:
        for combo in ("taskSelector", "unetSelector", "operatingPointSelector", "deviceSelector", "precisionSelector"):
            connect(getattr(self.ui, combo), "currentIndexChanged(int)", self._store)
        connect(self.ui.thresholdEdit, "textChanged(QString)", self._store)
        connect(self.ui.diameterBox, "valueChanged(double)", self._store)

    def _store(self, *_args: Any) -> None:
        self.parameters.store()

    def told(self, message: str) -> None:
        """Say something below the progress bar."""
        say(self.ui.statusLabel, message)
