"""Driving the worker's client from Qt's event loop."""

from .WorkerClient import WorkerClient

INTERVAL_MS = 50


class WorkerTimer:
    """Calls a client's ``processEvents`` on the main thread while jobs are under way.

    Args:
        client: The client.
    """

    def __init__(self, client: WorkerClient) -> None:
        import qt  # There is none outside the application.

        self._client = client
        # Kept here: without a parent it lives as long as its Python reference.
        self._timer = qt.QTimer()
        self._timer.setInterval(INTERVAL_MS)
        if not self._timer.connect("timeout()", self.tick):
            raise RuntimeError("A timer has no signal timeout().")

    def start(self) -> None:
        """Begin, or go on. Call it on the main thread after each ``submit``."""
        if not self._timer.active:
            self._timer.start()

    def tick(self) -> None:
        """Take the worker's news, and rest once no job is under way."""
        self._client.processEvents()
        if not self._client.busy:
            self._timer.stop()

    def stop(self) -> None:
        """Stop for good, before the client is closed."""
        self._timer.stop()
