"""One job of the worker: where it stands, and what came of it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from mtann.worker.failures import Failure

from .Translation import _


class JobState(Enum):
    """Where a job stands; it ends in one of the last three."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class JobProgress:
    """How far a running job is.

    Attributes:
        stage: Short fixed name of the step, such as ``"scan"``.
        fraction: How much of the whole is done, 0 to 1.
        message: What is being done, in words.
        remaining_s: Seconds that are left, or None while nobody can tell.
    """

    stage: str
    fraction: float
    message: str
    remaining_s: float | None = None

    @property
    def text(self) -> str:
        """The message with the time that is left."""
        if self.remaining_s is None:
            return self.message
        if self.remaining_s < 60:
            return _("{message} (about {seconds} s left)").format(
                message=self.message, seconds=max(1, round(self.remaining_s))
            )
        return _("{message} (about {minutes} min left)").format(
            message=self.message, minutes=round(self.remaining_s / 60)
        )


class Job:
    """A job that was handed to the worker. All of it is used on the main thread.

    Attributes:
        id: Its number in the protocol.
        command: What it does, such as ``"detect"``.
        arguments: What the command takes; dropped once the job has ended.
        state: Where it stands.
        progress: The latest progress, or None.
        result: What came of it, once the state is DONE: the library's values, or what ``convert`` made of them.
        failure: Why there is no result, once the state is FAILED.
    """

    def __init__(
        self,
        number: int,
        command: str,
        arguments: dict[str, Any],
        convert: Callable[[Any], Any] | None,
        onProgress: Callable[["Job"], None] | None,
        onDone: Callable[["Job"], None] | None,
        cancel: Callable[["Job"], None],
    ) -> None:
        self.id = number
        self.command = command
        self.arguments = arguments
        self.state = JobState.WAITING
        self.progress: JobProgress | None = None
        self.result: Any = None
        self.failure: Failure | None = None
        self.cancelRequested = False
        self.handedAgain = False
        self._convert = convert
        self._onProgress = onProgress
        self._onDone = onDone
        self._cancel = cancel

    @property
    def finished(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self.state in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)

    def cancel(self) -> None:
        """Ask to stop; the state becomes CANCELLED within a second. Nothing happens to a job that has ended."""
        if not self.finished and not self.cancelRequested:
            self.cancelRequested = True
            self._cancel(self)

    def report(self, progress: JobProgress) -> None:
        """Take progress from the worker."""
        self.progress = progress
        if self._onProgress is not None and not self.cancelRequested:
            self._onProgress(self)

    def convert(self, result: Any) -> Any:
        """Make of the library's values what the caller wants, such as nodes in the scene."""
        return result if self._convert is None else self._convert(result)

    def end(self, state: JobState, result: Any = None, failure: Failure | None = None) -> None:
        """Take the job's end, and tell whoever waits for it."""
        self.state, self.result, self.failure = state, result, failure
        self.arguments = {}
        if self._onDone is not None:
            self._onDone(self)
