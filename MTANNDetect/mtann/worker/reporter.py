"""Progress of one job as events: not too many, and with the time that is left."""

import time
from collections.abc import Callable

from mtann.progress import Progress

_LEAST_BETWEEN_S = 0.1
_SURE_AFTER_S, _SURE_FROM = 1.0, 0.03


class Reporter:
    """Passes progress on, at most ten times a second within a stage.

    Args:
        send: Called with stage, fraction, message and remaining seconds (None until a guess is worth showing).
        clock: Seconds, ever rising.
    """

    def __init__(
        self, send: Callable[[str, float, str, float | None], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._send = send
        self._clock = clock
        self._start = clock()
        self._last_sent = float("-inf")
        self._last_stage = ""

    def __call__(self, progress: Progress) -> None:
        """Take a progress report of the library."""
        now = self._clock()
        if progress.stage == self._last_stage and now - self._last_sent < _LEAST_BETWEEN_S:
            return
        self._last_stage, self._last_sent = progress.stage, now
        self._send(progress.stage, progress.fraction, progress.message, self._remaining_s(progress.fraction, now))

    def _remaining_s(self, fraction: float, now: float) -> float | None:
        """As long again as the done part took, by its share."""
        passed = now - self._start
        if passed < _SURE_AFTER_S or fraction < _SURE_FROM:
            return None
        return round(passed * (1 - fraction) / fraction, 1)
