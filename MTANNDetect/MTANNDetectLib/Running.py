"""A run from the chosen nodes to the new ones: what the button "Run" starts."""

import time
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from mtann.errors import MTANNError
from mtann.progress import Progress

from .CaseNodes import imagesFromNodes, requireStillThere
from .ImageFactsAdapter import extentMm
from .Jobs import Job, Runner
from .LabelAdapter import nodesFromSegmentation
from .Presenters import RunPresenter
from .Presenters.ModelsPresenter import BOTH, DETECT, OUTLINE, THEN_OUTLINE, ModelChoice
from .Presenters.RunPresenter import Clock, Failure
from .Restriction import insideOnly, restricted
from .ResultAdapter import nodesFromResult
from .Translation import _
from .TwoStageAdapter import nodesFromTwoStage

_MM3_A_ML = 1000.0


@dataclass(frozen=True)
class RunRequest:
    """What the user chose.

    Attributes:
        model: The model.
        nodes: A volume node for each of its channels.
        mask: Label map or segmentation within which to look, or None.
        roi: Box outside of which findings are left out, or None.
        task: "detect", "segment" or "both".
        operatingPoint: Name of one of the model's.
        threshold: The user's own, or None.
        device: Where to compute.
        precision: Number format.
        unet: The U-Net that outlines what the model detects, or None.
    """

    model: ModelChoice
    nodes: dict[str, Any]
    mask: Any = None
    roi: Any = None
    task: str = DETECT
    operatingPoint: str = "balanced"
    threshold: float | None = None
    device: str = "auto"
    precision: str = "auto"
    unet: ModelChoice | None = None

    @property
    def steps(self) -> list[str]:
        """The kinds of jobs that it takes."""
        if self.task == BOTH:
            return [DETECT, OUTLINE]
        return [THEN_OUTLINE] if self.task == DETECT and self.unet is not None else [self.task]


class RunView(Protocol):
    """Who shows how a run goes."""

    def runningChanged(self) -> None:
        """A run has begun or ended."""

    def progressed(self, fraction: float, message: str) -> None:
        """The run is so far, 0 to 1."""

    def ended(self, message: str, done: bool) -> None:
        """The run is over: done, or stopped."""

    def failed(self, failure: Failure) -> None:
        """The run ended without a result."""

    def found(self, tableNode: Any) -> None:
        """A detection's nodes are in the scene."""


class RunController:
    """Starts runs, follows them, and adds what they bring to the scene; a run that fails adds nothing.

    Args:
        runner: Who computes.
        view: Who shows it.
        rates: Measured speeds, see :func:`~.Presenters.RunPresenter.expectation`; a run that is done adds its own.
        now: A clock in seconds.
    """

    def __init__(
        self,
        runner: Runner,
        view: RunView,
        rates: MutableMapping[str, float],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._runner, self._view, self._rates, self._now = runner, view, rates, now
        self._request: RunRequest | None = None
        self._images: Any = None
        self._waiting: list[str] = []
        self._steps, self._begun = 1, 0.0
        self._clock = Clock(0.0)
        self._stopping = False
        self._sentences: list[str] = []

    @property
    def isRunning(self) -> bool:
        """Whether a run is going on."""
        return self._request is not None

    @property
    def isStopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._stopping

    def start(self, request: RunRequest) -> None:
        """Start a run; nothing happens while another one goes on."""
        if self.isRunning:
            return
        self._request, self._stopping, self._sentences = request, False, []
        self._waiting = request.steps
        self._steps = len(self._waiting)
        self._clock = Clock(self._now())
        self._view.runningChanged()
        self._view.progressed(0.0, _("Starting…"))
        try:
            self._images = imagesFromNodes(request.nodes, request.mask)
        except MTANNError as error:
            self.failed(Failure(str(error)))
            return
        self._next()

    def cancel(self) -> None:
        """Stop the run; nothing more is added to the scene."""
        if self.isRunning and not self._stopping:
            self._stopping = True
            self._view.progressed(0.0, _("Stopping…"))
            self._view.runningChanged()
            self._runner.cancel()

    def progressed(self, progress: Progress) -> None:
        """The job is so far."""
        if self._stopping:
            return
        done = self._steps - len(self._waiting) - 1
        fraction = (done + progress.fraction) / self._steps
        self._view.progressed(fraction, self._clock.inWords(self._now(), fraction, progress.message))

    def finished(self, outcome: Any) -> None:
        """A job is done: add its result to the scene, and go on with the next."""
        if self._request is None:
            return
        try:
            requireStillThere(self._images.node)
            sentence = self._add(self._request, outcome)
        except MTANNError as error:
            self.failed(Failure(str(error)))
            return
        self._sentences.append(sentence)
        self._next()

    def failed(self, failure: Failure) -> None:
        """The job ended without a result."""
        self._finish()
        if self._sentences:
            failure = replace(failure, cause=" ".join([*self._sentences, failure.cause]))
        self._view.failed(failure)

    def cancelled(self) -> None:
        """The job was stopped as asked."""
        self._finish()
        # Of two steps the first may be done: what it found is in the scene, and stays.
        kept = " ".join(self._sentences) or _("Nothing was added to the scene.")
        self._view.ended(_("Cancelled. {kept}").format(kept=kept), False)

    def _next(self) -> None:
        request = self._request
        if request is None:
            return
        if not self._waiting:
            self._finish()
            self._view.ended(" ".join(self._sentences), True)
            return
        kind = self._waiting.pop(0)
        self._begun = self._now()
        self._runner.submit(
            Job(
                kind,
                request.model.directory,
                self._images.volumes,
                self._images.mask,
                request.threshold,
                request.operatingPoint,
                request.device,
                request.precision,
                unet=request.unet.directory if request.unet else None,
            ),
            self,
        )

    def _add(self, request: RunRequest, outcome: Any) -> str:
        image, roi = self._images.node, request.roi
        shown = {"channels": request.nodes, "bodyPart": request.model.bodyPart, "mask": self._images.mask}
        if hasattr(outcome, "findings"):
            return self._addBoth(outcome, roi, shown)
        if not hasattr(outcome, "candidates"):
            segmentation = outcome if roi is None else insideOnly(outcome, roi, image)
            segmented = nodesFromSegmentation(segmentation, image)
            segmented.segmentationNode.CreateClosedSurfaceRepresentation()
            return " ".join([_outlinedInWords(segmentation.labels), *segmented.warnings])
        self._learnSpeed(request)
        result = outcome if roi is None else restricted(outcome, roi, image)
        nodes = nodesFromResult(result, image, **shown)
        self._view.found(nodes.tableNode)
        return " ".join([_foundInWords(len(result.reported), result.threshold), *nodes.warnings])

    def _addBoth(self, outcome: Any, roi: Any, shown: dict[str, Any]) -> str:
        """Add what an MTANN and a U-Net found together."""
        image = self._images.node
        if roi is not None:
            findings = restricted(outcome.findings, roi, image)
            outcome = replace(outcome, findings=findings, segmentation=insideOnly(outcome.segmentation, roi, image))
        nodes = nodesFromTwoStage(outcome, image, **shown)
        nodes.segmented.segmentationNode.CreateClosedSurfaceRepresentation()
        self._view.found(nodes.findings.tableNode)
        found = _foundInWords(len(outcome.findings.reported), outcome.findings.threshold)
        return " ".join([found, _outlinedInWords(outcome.segmentation.labels), *nodes.warnings])

    def _learnSpeed(self, request: RunRequest) -> None:
        node = self._images.node
        voxels = RunPresenter.workVoxels(request.model, extentMm(node), node.GetSpacing())
        key = RunPresenter.rateKey(request.model, request.device)
        self._rates[key] = RunPresenter.measuredRate(request.model, voxels, self._now() - self._begun)

    def _finish(self) -> None:
        self._request, self._images, self._stopping = None, None, False
        self._view.runningChanged()


def _outlinedInWords(labels: Sequence[Any]) -> str:
    """Such as "Outlined: lesion 0.19 ml."."""
    parts = [_("{name} {volume:.2f} ml").format(name=one.name, volume=one.volume_mm3 / _MM3_A_ML) for one in labels]
    return _("Outlined: {parts}.").format(parts=", ".join(parts)) if parts else _("Nothing was outlined.")


def _foundInWords(count: int, threshold: float) -> str:
    if count == 1:
        return _("1 candidate reported at threshold {threshold:.3g}.").format(threshold=threshold)
    return _("{count} candidates reported at threshold {threshold:.3g}.").format(count=count, threshold=threshold)
