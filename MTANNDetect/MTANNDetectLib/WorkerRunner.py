"""The panel's jobs, computed by the worker process."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from mtann.progress import Progress

from .Jobs import Job, Listener, Taught
from .Library import libraryModule
from .Presenters.RunPresenter import ComputeDevice, Failure
from .Translation import _
from .WorkerJob import Job as WorkerJob
from .WorkerJob import JobState


class Worker(Protocol):
    """What is needed of :class:`~.WorkerLogic.WorkerCalls`."""

    def submit(self, command: str, arguments: Any = None, **options: Any) -> WorkerJob:
        """Hand a job to the worker, and see to it that its news arrive."""

    def machine(self, onDone: Any = None) -> WorkerJob:
        """Ask what the worker computes with."""

    def loadInWorker(self, model: Path) -> WorkerJob:
        """Load a model ahead of the first run."""

    def closeWorker(self) -> None:
        """End the worker process."""


class WorkerRunner:
    """A :class:`~.Jobs.Runner` over the worker.

    Args:
        worker: The logic that owns it.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._job: WorkerJob | None = None
        self._loading: WorkerJob | None = None
        self._devices: tuple[ComputeDevice, ...] = ()
        self._folder: Path | None = None

    def warmUp(self, ready: Callable[[], None], failed: Callable[[Failure], None]) -> None:
        """Start the worker ahead of the first run, and learn what it computes with."""

        def done(job: WorkerJob) -> None:
            if job.state is JobState.DONE:
                self._devices = tuple(
                    ComputeDevice(one["name"], one["title"], one["memory_bytes"]) for one in job.result["devices"]
                )
                ready()
            elif job.failure is not None:
                failed(_failure(job))

        self._worker.machine(done)

    def load(self, model: Path) -> None:
        """Load a model ahead of the first run; what is wrong with it, that run tells."""
        self._dropLoading()
        self._loading = self._worker.loadInWorker(model)

    def submit(self, job: Job, listener: Listener) -> None:
        """Hand the job to the worker; returns at once."""

        def progressed(one: WorkerJob) -> None:
            if one.progress is not None:
                listener.progressed(Progress(one.progress.stage, one.progress.fraction, one.progress.message))

        def done(one: WorkerJob) -> None:
            self._job = None
            if one.state is JobState.DONE:
                listener.finished(self._outcome(job, one.result))
                return
            self._dropFolder()
            if one.failure is not None:
                listener.failed(_failure(one))
            else:
                listener.cancelled()

        self._dropLoading()
        arguments = self._arguments(job)
        self._job = self._worker.submit(job.kind, arguments, onProgress=progressed, onDone=done)

    def cancel(self) -> None:
        """Stop the job, within a second."""
        if self._job is not None:
            self._job.cancel()

    def devices(self) -> tuple[ComputeDevice, ...]:
        """What the worker computes with, once it has told."""
        return self._devices

    def close(self) -> None:
        """End the worker with its children, and delete a model that was neither kept nor discarded."""
        self._worker.closeWorker()
        self._dropFolder()

    def _arguments(self, job: Job) -> dict[str, Any]:
        if job.kind in ("train", "retrain"):
            self._dropFolder()
            self._folder = Path(tempfile.mkdtemp(prefix="mtann-taught-"))
            arguments: dict[str, Any] = {
                "cases": job.cases,
                "output": self._folder / "model",
                "name": job.name,
                "device": job.device,
            }
            more = {"model": str(job.model)} if job.kind == "retrain" else {"channels": job.channels}
            return {**arguments, **more}
        common = {"volumes": job.volumes, "model": str(job.model), "mask": job.mask}
        if job.kind in ("segment", "then_segment"):
            kind = libraryModule("mtann.segmentation.result").SegmentationSettings
            how = kind(device=job.device, precision=job.precision)
            if job.kind == "segment":
                return {**common, "settings": how}
            common |= {"unet": str(job.unet), "how": how}
        point = {"threshold": job.threshold, "operating_point": job.operatingPoint}
        return {**common, **point, "device": job.device}

    def _outcome(self, job: Job, result: Any) -> Any:
        if job.kind not in ("train", "retrain"):
            return result
        curve = result.get("froc")
        lines = [*([result["summary"]] if "summary" in result else []), *result["notes"]]
        return Taught(
            Path(result["directory"]),
            tuple(lines),
            tuple(curve.fp_per_case.tolist()) if curve else (),
            tuple(curve.sensitivity.tolist()) if curve else (),
            bool(result.get("seen", False)),
        )

    def _dropLoading(self) -> None:
        """Forget a model that waits to be loaded; one that is being loaded is let be: stopping may kill the worker."""
        if self._loading is not None and self._loading.state is JobState.WAITING:
            self._loading.cancel()
        self._loading = None

    def _dropFolder(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def _failure(job: WorkerJob) -> Failure:
    failure = job.failure
    if failure is None:
        return Failure(_("The run ended without a result."))
    return Failure(failure.message, failure.remedy, failure.lines)
