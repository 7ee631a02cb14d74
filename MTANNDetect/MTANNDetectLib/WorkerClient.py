"""Slicer's end of the worker: hand jobs in, call :meth:`WorkerClient.processEvents` now and then, take results out.

There is no Qt here. Threads only move bytes; jobs, callbacks and the scene are touched by ``processEvents`` alone, on
the thread that calls it.
"""

import queue
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mtann.errors import CancelledError
from mtann.version import VERSION
from mtann.worker.failures import MORE_DISK, Failure, failure_of
from mtann.worker.protocol import PROTOCOL, ProtocolError
from mtann.worker.values import Parcel, from_json, to_json

from .Translation import _
from .WorkerDeath import failureOfDeath
from .WorkerJob import Job, JobProgress, JobState
from .WorkerProcess import EXITED, WorkerProcess
from .WorkerPython import makeExchangeFolder, workerCommand, workerEnvironment

CANCEL_TIME_S = 0.7
"""How long a job may take to stop by itself before the whole process tree is ended."""


class WorkerClient:
    """Runs jobs in a worker process, one after another, and starts the process again whenever it is needed.

    Args:
        temporaryFolder: Where the private folder for images is made; the system's place for such if None.
    """

    def __init__(self, temporaryFolder: Path | str | None = None) -> None:
        self._temporaryFolder = temporaryFolder
        self._events: queue.Queue[tuple[WorkerProcess, dict[str, Any]]] = queue.Queue()
        self._process: WorkerProcess | None = None
        self._waiting: deque[Job] = deque()
        self._running: Job | None = None
        self._parcel: Parcel | None = None
        self._last = 0

    @property
    def busy(self) -> bool:
        """Whether any job has not ended yet."""
        return self._running is not None or bool(self._waiting)

    @property
    def processId(self) -> int | None:
        """The worker's process, or None if none runs."""
        return None if self._process is None else self._process.id

    def submit(
        self,
        command: str,
        arguments: dict[str, Any] | None = None,
        *,
        convert: Callable[[Any], Any] | None = None,
        onProgress: Callable[[Job], None] | None = None,
        onDone: Callable[[Job], None] | None = None,
    ) -> Job:
        """Hand in a job; returns at once.

        Args:
            command: One of :data:`mtann.worker.tasks.TASKS`.
            arguments: What it takes: the library's values, such as volumes, are passed on as files.
            convert: Called with the library's result; what it returns is the job's result. If it raises, the job fails.
            onProgress: Called with the job at each progress report.
            onDone: Called with the job once it has ended, in whatever way.
        """
        self._last += 1
        job = Job(self._last, command, dict(arguments or {}), convert, onProgress, onDone, self._cancel)
        self._waiting.append(job)
        self._startNext()
        return job

    def processEvents(self) -> None:
        """Take what the worker has said since the last call. Call it on the main thread, some times a second."""
        while True:
            try:
                process, event = self._events.get_nowait()
            except queue.Empty:
                return
            if process is self._process:
                self._take(process, event)

    def cancelAll(self) -> None:
        """Cancel every job."""
        for job in [*self._waiting, *([self._running] if self._running else [])]:
            job.cancel()

    def close(self) -> None:
        """End the worker with all its children at once, and remove its folder; jobs that have not ended are cancelled.

        The client can be used again: the next job starts a new worker.
        """
        process, self._process = self._process, None
        if process is not None:
            process.kill()
        jobs = [*([self._running] if self._running else []), *self._waiting]
        self._running = None
        self._waiting.clear()
        for job in jobs:
            job.end(JobState.CANCELLED)

    def _startNext(self) -> None:
        """Give the next job to the worker, if it has none; start one if none runs."""
        while self._running is None and self._waiting:
            job = self._running = self._waiting.popleft()
            try:
                process = self._ready()
            except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the job.
                self._end(job, JobState.FAILED, failure=_failureOfStart(error))
                continue
            self._parcel = Parcel(process.folder, f"in-{job.id}")
            threading.Thread(
                target=self._hand, args=(job, process, self._parcel), name="worker input", daemon=True
            ).start()

    def _ready(self) -> WorkerProcess:
        """The running worker, or a new one."""
        if self._process is None or self._process.doomed or self._process.exitCode is not None:
            if self._process is not None:
                self._process.kill()  # what is left of it
            folder = makeExchangeFolder(self._temporaryFolder)
            self._process = WorkerProcess(workerCommand(folder), workerEnvironment(), folder, self._events)
        return self._process

    def _hand(self, job: Job, process: WorkerProcess, parcel: Parcel) -> None:
        """Write a job's images into the folder and its request to the pipe. On a thread: both may take a while."""
        try:
            arguments = to_json(job.arguments, parcel)
            if job.cancelRequested:
                raise CancelledError("Stopped before it was sent.")
            process.send({"id": job.id, "command": job.command, "arguments": arguments})
        except CancelledError:
            self._events.put((process, {"event": "cancelled", "id": job.id}))
        except Exception as error:  # noqa: BLE001 - it is told as the job's failure.
            self._events.put((process, {"event": "failed", "id": job.id, "failure": failure_of(error)}))

    def _cancel(self, job: Job) -> None:
        """Stop a job: one that waits at once, one that runs by asking, and by force if that does not help in time."""
        if job in self._waiting:
            self._waiting.remove(job)
            job.end(JobState.CANCELLED)
            return
        process = self._process
        if process is None:
            return
        process.sendSoon({"id": 0, "command": "cancel", "arguments": {"job": job.id}})

        def force() -> None:
            if not job.finished:
                process.kill()

        timer = threading.Timer(CANCEL_TIME_S, force)
        timer.daemon = True
        timer.start()

    def _take(self, process: WorkerProcess, event: dict[str, Any]) -> None:
        kind, job = event.get("event"), self._running
        if kind == EXITED:
            self._takeDeath(process)
        elif kind == "ready":
            self._takeReady(process, event)
        elif job is not None and event.get("id") == job.id:
            self._takeNews(job, process, event)

    def _takeNews(self, job: Job, process: WorkerProcess, event: dict[str, Any]) -> None:
        match event.get("event"):
            case "started":
                job.state = JobState.RUNNING
            case "progress":
                told = (event.get(name) for name in ("stage", "fraction", "message", "remaining_s"))
                job.report(JobProgress(*told))
            case "cancelled":
                self._end(job, JobState.CANCELLED)
            case "error":
                lines = tuple(event.get("lines", ()))
                self._end(
                    job, JobState.FAILED, failure=Failure(event["kind"], event["message"], event["remedy"], lines)
                )
            case "failed":
                self._end(job, JobState.FAILED, failure=event["failure"])
            case "result":
                self._takeResult(job, process, event.get("result"))

    def _takeResult(self, job: Job, process: WorkerProcess, result: Any) -> None:
        """Read a result and make of it what the caller wants; the scene changes only here, when all is there."""
        if job.cancelRequested:
            self._end(job, JobState.CANCELLED)
            return
        try:
            made = job.convert(from_json(result, process.folder))
        except ProtocolError as error:
            self._end(job, JobState.FAILED, failure=Failure("protocol", str(error)))
        except Exception as error:  # noqa: BLE001 - it is told as the job's failure.
            self._end(job, JobState.FAILED, failure=failure_of(error))
        else:
            self._end(job, JobState.DONE, made)

    def _takeReady(self, process: WorkerProcess, event: dict[str, Any]) -> None:
        if (event.get("protocol"), event.get("mtann")) == (PROTOCOL, VERSION):
            process.ready = True
            return
        message = _(
            "The worker is of version {theirs} of MTANNDetect, but this is {version}. Restart "
            "Slicer, so that both are the same."
        ).format(theirs=event.get("mtann"), version=VERSION)
        process.kill()
        self._process = None
        if self._running is not None:
            self._end(self._running, JobState.FAILED, failure=Failure("protocol", message))

    def _takeDeath(self, process: WorkerProcess) -> None:
        """The worker is gone: its job has failed, unless it was to stop anyway; the next job starts a new one."""
        job, self._process = self._running, None
        process.kill()  # its folder may still be there
        if job is None:
            self._startNext()
        elif job.cancelRequested:
            self._end(job, JobState.CANCELLED)
        elif process.ready and job.state is JobState.WAITING and not job.handedAgain:
            # It died while it had nothing to do, and nobody had noticed yet.
            job.handedAgain = True
            self._running = None
            self._waiting.appendleft(job)
            self._startNext()
        else:
            stage = f"during '{job.progress.message}'" if job.progress else f"before '{job.command}' began"
            self._end(job, JobState.FAILED, failure=failureOfDeath(process.exitCode, process.lastLines, stage))

    def _end(self, job: Job, state: JobState, result: Any = None, failure: Failure | None = None) -> None:
        self._running = None
        if self._parcel is not None:
            self._parcel.remove()
            self._parcel = None
        try:
            job.end(state, result, failure)
        finally:
            self._startNext()


def _failureOfStart(error: Exception) -> Failure:
    if isinstance(error, OSError):
        return Failure(
            "disk",
            _("The worker cannot be started ({error}).").format(error=error),
            _("Check the folder's permissions. {remedy}").format(remedy=MORE_DISK),
        )
    return failure_of(error)
