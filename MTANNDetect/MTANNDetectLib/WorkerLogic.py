"""The logic's calls that return at once: the work is done by the worker process, and a callback gets the result.

They take the same arguments as the calls that wait, and in place of ``progress`` and ``cancelled`` the callbacks
``onProgress`` and ``onDone``, which get the :class:`~.WorkerJob.Job`. The scene changes only once a result is complete.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer

from mtann.errors import CancelledError, MTANNError

from .CaseNodes import TrainingNodes, VolumeNodes, imagesFromNodes, requireStillThere, trainingCaseFromNodes
from .LabelAdapter import nodesFromSegmentation
from .LesionAdapter import lesionsFromNode
from .Library import libraryModule
from .ResultAdapter import nodesFromResult
from .Translation import _
from .WorkerClient import WorkerClient
from .WorkerJob import Job, JobState

if TYPE_CHECKING:
    from .WorkerTimer import WorkerTimer

JobCallback = Callable[[Job], None]


class WorkerCalls:
    """What :class:`~.Logic.DetectLogic` can do in the background."""

    _client: WorkerClient | None = None
    _timer: "WorkerTimer | None" = None

    @property
    def worker(self) -> WorkerClient:
        """The worker's client; the process itself starts with the first job."""
        if self._client is None:
            self._client = WorkerClient()
        return self._client

    def submit(
        self,
        command: str,
        arguments: dict[str, Any] | None = None,
        *,
        convert: Callable[[Any], Any] | None = None,
        onProgress: JobCallback | None = None,
        onDone: JobCallback | None = None,
    ) -> Job:
        """Hand a job to the worker, and see to it that its news arrive: see :meth:`~.WorkerClient.WorkerClient.submit`.

        In the application a timer takes the news; in a script without event loop, call :meth:`wait`.
        """
        job = self.worker.submit(command, arguments, convert=convert, onProgress=onProgress, onDone=onDone)
        if getattr(slicer, "app", None) is not None:
            if self._timer is None:
                from .WorkerTimer import WorkerTimer

                self._timer = WorkerTimer(self.worker)
            self._timer.start()
        return job

    def wait(self, job: Job) -> Any:
        """Wait for a job to end; returns its result.

        Raises:
            MTANNError: It failed; the message says why and what to do.
            CancelledError: It was cancelled.
        """
        while not job.finished:
            self.worker.processEvents()
            time.sleep(0.01)
        if job.state is JobState.CANCELLED:
            raise CancelledError(_("Stopped at the user's request; nothing was written."))
        if job.failure is not None:
            raise MTANNError(job.failure.text)
        return job.result

    def closeWorker(self) -> None:
        """End the worker process with its children, and give its memory back; the next job starts it again."""
        if self._timer is not None:
            self._timer.stop()
        if self._client is not None:
            self._client.close()

    def machine(self, onDone: JobCallback | None = None) -> Job:
        """Ask what the worker computes with; the result's ``devices`` have name, title, memory and precisions."""
        return self.submit("hello", onDone=onDone)

    def loadInWorker(self, model: Path | str, onDone: JobCallback | None = None) -> Job:
        """Load torch and a model ahead of the first run."""
        return self.submit("load", {"model": model}, onDone=onDone)

    def detectInWorker(
        self,
        volumeNodes: VolumeNodes,
        model: Path | str,
        *,
        mask: slicer.vtkMRMLNode | None = None,
        threshold: float | None = None,
        operatingPoint: str = "balanced",
        settings: Any = None,
        device: str = "auto",
        onProgress: JobCallback | None = None,
        onDone: JobCallback | None = None,
    ) -> Job:
        """Find lesions in the background; the job's result are the :class:`~.ResultAdapter.DetectionNodes`.

        For example, in the Python console::

            def show(job):
                if job.failure:
                    slicer.util.errorDisplay(job.failure.text)
                elif job.result:
                    print(len(job.result.result.reported), "candidates")

            logic = MTANNDetectLogic()
            job = logic.detectInWorker(slicer.util.getNode("head"), "head-phantom-t1c", onDone=show)

        Raises:
            MTANNError: A node cannot be used; whatever is wrong later is told by the job.
        """
        images = imagesFromNodes(volumeNodes, mask)
        arguments = {
            "volumes": images.volumes,
            "model": model,
            "settings": settings,
            "mask": images.mask,
            "threshold": threshold,
            "operating_point": operatingPoint,
            "device": device,
        }
        return self._submitForNodes("detect", arguments, images.node, onProgress, onDone)

    def filterInWorker(
        self,
        volumeNodes: VolumeNodes,
        candidatesNode: slicer.vtkMRMLNode,
        model: Path | str,
        *,
        keepInstances: bool = False,
        mask: slicer.vtkMRMLNode | None = None,
        threshold: float | None = None,
        operatingPoint: str = "balanced",
        device: str = "auto",
        onProgress: JobCallback | None = None,
        onDone: JobCallback | None = None,
    ) -> Job:
        """Score any detector's candidates in the background: see :meth:`~.Logic.DetectLogic.filter`.

        Raises:
            MTANNError: A node cannot be used; whatever is wrong later is told by the job.
        """
        images = imagesFromNodes(volumeNodes, mask)
        places = lesionsFromNode(candidatesNode, images.node, images.geometry, keepInstances)
        arguments = {
            "volumes": images.volumes,
            "model": model,
            "candidates": libraryModule("mtann.detection.given").given_from(places),
            "mask": images.mask,
            "threshold": threshold,
            "operating_point": operatingPoint,
            "source": candidatesNode.GetName(),
            "device": device,
        }
        return self._submitForNodes("filter", arguments, images.node, onProgress, onDone)

    def segmentInWorker(
        self,
        volumeNodes: VolumeNodes,
        model: Path | str,
        *,
        around: slicer.vtkMRMLNode | None = None,
        mask: slicer.vtkMRMLNode | None = None,
        settings: Any = None,
        onProgress: JobCallback | None = None,
        onDone: JobCallback | None = None,
    ) -> Job:
        """Segment in the background: see :meth:`~.Logic.DetectLogic.segment`, whose result is the job's.

        Raises:
            MTANNError: A node cannot be used; whatever is wrong later is told by the job.
        """
        images = imagesFromNodes(volumeNodes, mask)
        arguments = {
            "volumes": images.volumes,
            "model": model,
            "settings": settings,
            "mask": images.mask,
            "around": None if around is None else lesionsFromNode(around, images.node, images.geometry),
        }
        return self._submitForNodes("segment", arguments, images.node, onProgress, onDone, nodesFromSegmentation)

    def trainInWorker(
        self,
        cases: Sequence[TrainingNodes],
        output: Path | str,
        *,
        name: str = "my-model",
        channels: Sequence[str] = (),
        device: str = "auto",
        onProgress: JobCallback | None = None,
        onDone: JobCallback | None = None,
        **settings: Any,
    ) -> Job:
        """Teach a model in the background; it is written into ``output``.

        The job's result has ``directory``, ``name``, ``summary``, ``notes``, ``mean_sensitivity``, ``froc`` (a
        :class:`mtann.evaluation.froc.Froc`, out of fold where possible) and ``operating_points``.

        Raises:
            MTANNError: A node cannot be used; whatever is wrong later is told by the job.
        """
        arguments = {
            "cases": [trainingCaseFromNodes(case) for case in cases],
            "output": Path(output),
            "name": name,
            "channels": tuple(channels),
            "device": device,
            **settings,
        }
        return self.submit("train", arguments, onProgress=onProgress, onDone=onDone)

    def retrainInWorker(
        self,
        model: Path | str,
        cases: Sequence[TrainingNodes],
        output: Path | str,
        *,
        name: str | None = None,
        device: str = "auto",
        onProgress: JobCallback | None = None,
        onDone: JobCallback | None = None,
        **settings: Any,
    ) -> Job:
        """Teach a model the lesions that it missed and the candidates that were rejected, in the background.

        The job's result has ``directory``, ``name``, ``version`` and ``notes``.

        Raises:
            MTANNError: A node cannot be used; whatever is wrong later is told by the job.
        """
        arguments = {
            "model": model,
            "cases": [trainingCaseFromNodes(case) for case in cases],
            "output": Path(output),
            "name": name,
            "device": device,
            **settings,
        }
        return self.submit("retrain", arguments, onProgress=onProgress, onDone=onDone)

    def _submitForNodes(
        self,
        command: str,
        arguments: dict[str, Any],
        node: slicer.vtkMRMLScalarVolumeNode,
        onProgress: JobCallback | None,
        onDone: JobCallback | None,
        makeNodes: Callable[[Any, Any], Any] = nodesFromResult,
    ) -> Job:
        def addToScene(result: Any) -> Any:
            requireStillThere(node)
            return makeNodes(result, node)

        return self.submit(command, arguments, convert=addToScene, onProgress=onProgress, onDone=onDone)
