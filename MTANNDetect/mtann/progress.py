"""How a long run tells what it is doing, and how it is stopped."""

from collections.abc import Callable
from dataclasses import dataclass

from mtann.errors import CancelledError


@dataclass(frozen=True)
class Progress:
    """One progress report.

    Attributes:
        stage: Short fixed name of the step, such as ``"scan"``.
        fraction: How much of the whole run is done, 0 to 1, never falling.
        message: What is being done, in words.
    """

    stage: str
    fraction: float
    message: str


ProgressCallback = Callable[[Progress], None]
CancelCheck = Callable[[], bool]


def ignore_progress(progress: Progress) -> None:
    """Do nothing with a progress report."""


def never_cancelled() -> bool:
    """Answer that nobody asked to stop."""
    return False


class Run:
    """Progress and cancellation of a run, or of a part of it.

    Every step of the work calls :meth:`report`; it raises :class:`~mtann.errors.CancelledError` once the user has
    asked to stop. :meth:`part` gives a step its own 0 to 1 within the whole.
    """

    def __init__(
        self,
        progress: ProgressCallback | None = None,
        cancelled: CancelCheck | None = None,
        start: float = 0.0,
        stop: float = 1.0,
    ) -> None:
        self._progress = progress or ignore_progress
        self._cancelled = cancelled or never_cancelled
        self._start = start
        self._stop = stop

    def report(self, stage: str, fraction: float, message: str) -> None:
        """Pass on where the work stands, after making sure that it is still wanted.

        Raises:
            CancelledError: The user asked to stop.
        """
        self.check()
        whole = self._start + (self._stop - self._start) * min(max(fraction, 0.0), 1.0)
        self._progress(Progress(stage, whole, message))

    def check(self) -> None:
        """Raise CancelledError if the user asked to stop."""
        if self._cancelled():
            raise CancelledError("Stopped at the user's request; nothing was written.")

    def part(self, start: float, stop: float) -> "Run":
        """The share of this run between two fractions, as a run of its own."""
        length = self._stop - self._start
        return Run(self._progress, self._cancelled, self._start + start * length, self._start + stop * length)
