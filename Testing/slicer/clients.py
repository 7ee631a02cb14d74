"""Waiting for the worker's clients."""

from typing import Any

from worker.processes import wait_until


def run_until(client: Any, condition: Any, seconds: float = 60.0) -> None:
    """Take the worker's news until something is so; fails if it never is."""

    def check() -> bool:
        client.processEvents()
        return bool(condition())

    assert wait_until(check, seconds)


def ended(client: Any, job: Any) -> Any:
    """The job, once it has ended."""
    run_until(client, lambda: job.finished)
    return job
