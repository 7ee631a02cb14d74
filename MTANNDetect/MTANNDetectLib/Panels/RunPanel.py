"""The section "Run": task, threshold, device, and how the run goes."""

from collections.abc import Callable, MutableMapping
from typing import Any

from mtann.errors import MTANNError

from ..ImageFactsAdapter import extentMm
from ..Jobs import Runner
from ..Presenters import ModelsPresenter, RunPresenter
from ..Presenters.ModelsPresenter import ModelChoice
from ..Presenters.RunPresenter import Failure
from ..Running import RunController, RunRequest
from ..Translation import _
from .InputsPanel import InputsPanel
from .QtTools import connect, fillCombo, say

PRECISIONS = ("auto", "fp32", "bf16", "fp16")
_PER_CENT = 100


class RunPanel:
    """Shows and starts runs; it is the view of a :class:`~..Running.RunController`.

    Args:
        ui: The panel's widgets.
        inputs: Model and images.
        runner: Who computes.
        rates: Measured speeds.
        isBusy: Whether something else computes.
        changed: Called when a run begins or ends.
        found: Called with the table of each new result.
    """

    def __init__(
        self,
        ui: Any,
        inputs: InputsPanel,
        runner: Runner,
        rates: MutableMapping[str, float],
        isBusy: Callable[[], bool],
        changed: Callable[[], None],
        found: Callable[[Any], None],
    ) -> None:
        self.ui = ui
        self._inputs, self._runner, self._rates = inputs, runner, rates
        self._isBusy, self._changed, self.found = isBusy, changed, found
        self.controller = RunController(runner, self, rates)
        self._tasks: tuple[str, ...] = ()
        self._points: tuple[ModelsPresenter.Point, ...] = ()
        self._shown: ModelChoice | None = None
        self._unets: tuple[ModelChoice, ...] = ()
        self._devices: tuple[str, ...] = ("auto",)
        connect(ui.runButton, "clicked()", self.onRun)
        for combo in (ui.taskSelector, ui.unetSelector, ui.operatingPointSelector, ui.deviceSelector):
            connect(combo, "currentIndexChanged(int)", self.update)
        connect(ui.thresholdEdit, "textChanged(QString)", self.update)

    @property
    def task(self) -> str:
        """The chosen task."""
        index = self.ui.taskSelector.currentIndex
        return self._tasks[index] if 0 <= index < len(self._tasks) else ModelsPresenter.DETECT

    @property
    def unet(self) -> ModelChoice | None:
        """The U-Net that is to outline what is detected; None where none is chosen, or something else is to be done."""
        index = self.ui.unetSelector.currentIndex - 1
        chosen = self.task == ModelsPresenter.DETECT and 0 <= index < len(self._unets)
        return self._unets[index] if chosen else None

    @property
    def device(self) -> str:
        """The chosen device's name."""
        index = self.ui.deviceSelector.currentIndex
        return self._devices[index] if 0 <= index < len(self._devices) else "auto"

    @property
    def point(self) -> ModelsPresenter.Point | None:
        """The chosen operating point; None for a threshold of the user's own."""
        index = self.ui.operatingPointSelector.currentIndex
        return self._points[index] if 0 <= index < len(self._points) else None

    def showModel(self) -> None:
        """Offer what the chosen model can do."""
        model = self._inputs.model
        if model is not None and model is not self._shown:
            self._shown = model
            self._tasks = ModelsPresenter.tasksOf(model)
            fillCombo(self.ui.taskSelector, [RunPresenter.taskInWords(task) for task in self._tasks], 0)
            self._points = RunPresenter.pointsInOrder(model.points)
            texts = [RunPresenter.pointInWords(point) for point in self._points]
            fillCombo(
                self.ui.operatingPointSelector,
                [*texts, _("From a threshold of your own")],
                RunPresenter.preferredPoint(self._points),
            )
        self._showUnets()
        self.showDevices()
        self.update()

    def _showUnets(self) -> None:
        """Offer the U-Nets that can outline what the model detects, keeping the choice."""
        found = ModelsPresenter.outlinersOf(self._inputs.models, self._inputs.model)
        if found != self._unets:
            former, self._unets = self.unet, found
            texts = [ModelsPresenter.entryText(one) for one in found]
            fillCombo(self.ui.unetSelector, [_("nothing"), *texts], found.index(former) + 1 if former in found else 0)

    def chooseUnet(self, folder: str) -> None:
        """Choose the U-Net of a folder, if it is listed; none where the text is blank."""
        folders = ["", *(str(one.directory) for one in self._unets)]
        self.ui.unetSelector.currentIndex = folders.index(folder) if folder in folders else 0

    def showDevices(self) -> None:
        """List what the machine computes with, once that is known."""
        known = self._runner.devices()
        names = ("auto", *(device.name for device in known)) if known else ("auto", "cpu", "cuda", "mps", "xpu")
        if names == self._devices:
            return
        former = self.device
        self._devices = names
        texts = [_("automatic"), *(RunPresenter.deviceInWords(device) for device in known)] if known else list(names)
        fillCombo(self.ui.deviceSelector, texts, names.index(former) if former in names else 0)

    def choose(self, task: str, operatingPoint: str, device: str, precision: str) -> None:
        """Choose what was kept with a scene, as far as the model and the machine have it."""
        names = [point.name for point in self._points]
        for combo, known, wanted in (
            (self.ui.taskSelector, self._tasks, task),
            (self.ui.operatingPointSelector, (*names, ""), operatingPoint),
            (self.ui.deviceSelector, self._devices, device),
            (self.ui.precisionSelector, PRECISIONS, precision),
        ):
            if wanted in known:
                combo.currentIndex = known.index(wanted)

    def update(self, *_args: Any) -> None:
        """Say what a run would take, and offer Run only when everything that it needs is chosen."""
        model, running = self._inputs.model, self.controller.isRunning
        detects = self.task != ModelsPresenter.OUTLINE
        for widget in (self.ui.operatingPointSelector, self.ui.operatingPointLabel):
            widget.visible = detects
        for widget in (self.ui.thresholdEdit, self.ui.thresholdLabel):
            widget.visible = detects and self.point is None
        for widget in (self.ui.unetSelector, self.ui.unetLabel):
            widget.visible = self.task == ModelsPresenter.DETECT and bool(self._unets)
        # An MTANN has one number format; U-Nets run in several.
        self.ui.precisionSelector.visible = self.unet is not None or (model is not None and model.kind != "mtann")
        self.ui.progressBar.visible = running or self._isBusy()
        missing = self._inputs.whatIsMissing
        ready = model is not None and not missing
        say(self.ui.expectationLabel, self._expectation(model) if ready and model else missing)
        self.ui.runButton.enabled = ready and not running and not self._isBusy()
        self.ui.cancelButton.enabled = (running or self._isBusy()) and not self.controller.isStopping

    def onRun(self) -> None:
        """Start the run that is chosen."""
        model = self._inputs.model
        if model is None or self.controller.isRunning:
            return
        self.ui.failureText.visible = False
        try:
            threshold = RunPresenter.thresholdFromText(self.ui.thresholdEdit.text) if self.point is None else None
        except MTANNError as error:
            self.failed(Failure(str(error)))
            return
        self.controller.start(
            RunRequest(
                model=model,
                nodes=self._inputs.channelNodes,
                mask=self.ui.maskSelector.currentNode(),
                roi=self.ui.roiSelector.currentNode(),
                task=self.task,
                operatingPoint=self.point.name if self.point else "balanced",
                threshold=threshold,
                device=self.device,
                precision=self.ui.precisionSelector.currentText,
                unet=self.unet,
            )
        )

    # --- What the controller tells ----------------------------------------------------------------------------------

    def runningChanged(self) -> None:
        """A run has begun or ended."""
        self._changed()

    def progressed(self, fraction: float, message: str) -> None:
        """The run is so far, 0 to 1."""
        self.ui.progressBar.value = round(_PER_CENT * fraction)
        self.told(message)

    def ended(self, message: str, done: bool) -> None:
        """The run is over: done, or stopped."""
        self.ui.progressBar.value = _PER_CENT if done else 0
        self.told(message)

    def failed(self, failure: Failure) -> None:
        """The run ended without a result: say why and what to do, here rather than in a window."""
        self.ui.progressBar.value = 0
        self.told(failure.text)
        self.ui.failureText.plainText = "\n".join(failure.lastLines)
        self.ui.failureText.visible = bool(failure.lastLines)

    def told(self, message: str) -> None:
        """Say something below the progress bar."""
        say(self.ui.statusLabel, message)

    def _expectation(self, model: ModelChoice) -> str:
        node = next(iter(self._inputs.channelNodes.values()))
        expected = RunPresenter.expectation(model, extentMm(node), node.GetSpacing(), self.device, self._rates)
        text = RunPresenter.expectationInWords(expected)
        return text if self.unet is None else _("{text} The U-Net comes on top.").format(text=text)
