"""Teaching a model from reviewed results: what the buttons "Train" and "Retrain" start."""

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import slicer
import slicer.util

from mtann.errors import CasesError, ModelError, MTANNError
from mtann.progress import Progress
from mtann.volume import Volume

from .ChannelAdapter import volumesFromNodes
from .Coordinates import geometryFromIjkToRas, ijkToRasFromNode
from .Jobs import Job, Runner, Taught
from .Library import libraryModule
from .Plots import frocPlot, showPlot
from .Presenters import TeachPresenter
from .Presenters.RunPresenter import Clock, Failure
from .Presenters.TeachPresenter import ReviewedCase
from .Review.Findings import REJECTED, Finding, ordered
from .Review.ResultNodes import channelsOfResult, nodesOfResult, rememberedThreshold, resultTables
from .TableAdapter import findingsFromTable
from .Translation import _

if TYPE_CHECKING:
    from mtann.cases import TrainingCase


class TeachView(Protocol):
    """Who shows how teaching goes."""

    def teachingChanged(self) -> None:
        """Teaching has begun or ended, or a model waits to be kept."""

    def taughtSoFar(self, fraction: float, message: str) -> None:
        """It is so far, 0 to 1."""

    def teachingEnded(self, message: str) -> None:
        """It is over."""

    def teachingFailed(self, failure: Failure) -> None:
        """It ended without a model."""


class TeachController:
    """Teaches, shows the curve, and keeps the model or forgets it.

    Args:
        runner: Who computes.
        view: Who shows it.
        now: A clock in seconds.
    """

    def __init__(self, runner: Runner, view: TeachView, now: Callable[[], float] = time.monotonic) -> None:
        self._runner, self._view, self._now = runner, view, now
        self._clock = Clock(0.0)
        self.isRunning = False
        self.taught: Taught | None = None
        self._name = ""

    def start(self, kind: str, cases: "Sequence[TrainingCase]", channels: Sequence[str], **options: Any) -> None:
        """Train or retrain; nothing happens while something is being taught."""
        if self.isRunning:
            return
        self.discard()
        self.isRunning, self._name = True, options["name"]
        self._clock = Clock(self._now())
        self._view.teachingChanged()
        self._runner.submit(Job(kind, cases=tuple(cases), channels=tuple(channels), **options), self)

    def cancel(self) -> None:
        """Stop teaching."""
        if self.isRunning:
            self._runner.cancel()

    def keep(self, name: str) -> Path:
        """Put the taught model among the user's own, and say where it is.

        Raises:
            ModelError: The name is taken or cannot be a model's, or the folder cannot be moved.
        """
        if self.taught is None:
            raise ModelError(_("There is no taught model to keep. Train one first."))
        if problem := TeachPresenter.whyNotName(name):
            raise ModelError(problem)
        target: Path = libraryModule("mtann.models.catalogue").user_models() / name.strip()
        if target.exists():
            raise ModelError(
                _("You have a model '{name}' already. Give this one another name.").format(name=name.strip())
            )
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(str(self.taught.folder), str(target))
        except OSError as error:
            raise ModelError(
                _("The model could not be put among yours ({reason}). Check the disk, and try again.").format(
                    reason=error.strerror
                )
            ) from error
        self.taught = None
        self._view.teachingChanged()
        return target

    def discard(self) -> None:
        """Forget the taught model."""
        if self.taught is not None:
            shutil.rmtree(self.taught.folder, ignore_errors=True)
            self.taught = None
            self._view.teachingChanged()

    def progressed(self, progress: Progress) -> None:
        """The job is so far."""
        message = self._clock.inWords(self._now(), progress.fraction, progress.message)
        self._view.taughtSoFar(progress.fraction, message)

    def finished(self, outcome: Taught) -> None:
        """A model is there: show its curve."""
        self.isRunning, self.taught = False, outcome
        if outcome.sensitivity:
            showPlot(frocPlot(outcome.fpPerCase, outcome.sensitivity, self._name, outcome.seen))
        self._view.teachingChanged()
        self._view.teachingEnded(" ".join([*outcome.lines, _("Keep it as a model, or discard it.")]))

    def failed(self, failure: Failure) -> None:
        """The job ended without a model."""
        self.isRunning = False
        self._view.teachingChanged()
        self._view.teachingFailed(failure)

    def cancelled(self) -> None:
        """The job was stopped as asked."""
        self.isRunning = False
        self._view.teachingChanged()
        self._view.teachingEnded(_("Cancelled. No model was made."))


def reviewedCases() -> list[ReviewedCase]:
    """The results of the scene, as cases to learn from."""
    cases = []
    for table in resultTables():
        try:
            nodes = nodesOfResult(table)
            findings = findingsFromTable(table)
        except MTANNError:
            continue
        name = nodes.inputNode.GetName()
        cases.append(TeachPresenter.reviewedCase(table.GetID(), name, findings, rememberedThreshold(table)))
    return cases


def trainingCaseFromResult(tableNode: slicer.vtkMRMLTableNode) -> "TrainingCase":
    """A reviewed result as a case: confirmed findings are lesions, rejected ones are not; others say nothing.

    Raises:
        CasesError: The result, or one of its images, is no longer whole.
    """
    nodes = nodesOfResult(tableNode)
    volumes = volumesFromNodes(list(channelsOfResult(tableNode).values()))
    findings = ordered(findingsFromTable(tableNode))
    labels = slicer.util.arrayFromVolume(nodes.labelMapNode)
    geometry = geometryFromIjkToRas(labels.shape, ijkToRasFromNode(nodes.labelMapNode), nodes.labelMapNode.GetName())
    lesions = _lesions([one for one in findings if one.isConfirmed], labels, geometry)
    others = _lesions([one for one in findings if one.status == REJECTED], labels, geometry)
    case = f"case {tableNode.GetID()}"
    return libraryModule("mtann.cases").TrainingCase(
        case, _patientOf(nodes.inputNode) or case, volumes, lesions, None, others
    )


def casesFromFile(path: str) -> "tuple[tuple[TrainingCase, ...], tuple[str, ...]]":
    """The cases of a CSV list, and their channels' names.

    Raises:
        CasesError: The list or a file in it cannot be used.
    """
    cases = libraryModule("mtann.cases")
    if not Path(path).is_file():
        raise CasesError(_("There is no file '{name}'. Choose the list of cases again.").format(name=Path(path).name))
    rows = cases.read_case_list(path, needs=("lesions",))
    return tuple(cases.load_training_case(row) for row in rows), tuple(rows[0].channels)


def _lesions(findings: Sequence[Finding], labels: Any, geometry: Any) -> tuple[Any, ...]:
    if not findings:
        return ()
    kept = np.where(np.isin(labels, [one.id for one in findings]), labels, 0)
    volume = Volume(kept.astype(np.int32), geometry)
    lesions: tuple[Any, ...] = libraryModule("mtann.sampling.lesions").lesions_from_label_map(
        volume, keep_instances=True
    )
    return lesions


def _patientOf(node: slicer.vtkMRMLNode) -> str:
    """Cases of one patient never stand on both sides of a split; the number tells nobody who it is."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    if hierarchy is None:
        return ""
    item = hierarchy.GetItemByDataNode(node)
    if item == hierarchy.GetInvalidItemID():
        return ""
    level = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMLevelPatient()
    patient = hierarchy.GetItemAncestorAtLevel(item, level)
    return "" if patient == hierarchy.GetInvalidItemID() else f"patient {patient}"
