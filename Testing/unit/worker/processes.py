"""Looking at processes from outside."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from mtann.worker.parent import is_alive


def wait_until(condition: Callable[[], bool], seconds: float = 30.0) -> bool:
    """Whether a condition came true in time; generous, since the machine may be busy."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def is_gone(process: int) -> bool:
    return not is_alive(process)


def sockets_of(process: int) -> list[str]:
    """What a process has open that leads to a network or to another process by name."""
    links = []
    for entry in Path(f"/proc/{process}/fd").iterdir():
        with suppress(OSError):  # It may have been closed meanwhile.
            links.append(str(entry.readlink()))
    return [link for link in links if link.startswith("socket:")]
