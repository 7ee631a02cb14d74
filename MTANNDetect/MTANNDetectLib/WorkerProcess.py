"""The worker's process: its pipes are served by threads, its end takes its whole process tree along."""

import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from mtann.worker.protocol import LONGEST_LINE, ProtocolError, message_from, to_line

EXITED = "exited"
_KEPT_LINES = 40
_KILL_TIME_S = 5.0


class WorkerProcess:
    """A running worker.

    Args:
        command: Program and arguments.
        environment: Its environment variables.
        folder: The exchange folder, which goes when the process goes.
        events: Where its events are put, and at last ``{"event": "exited"}``; each with this object.

    Raises:
        OSError: The program cannot be started.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        events: "queue.Queue[tuple[WorkerProcess, dict[str, Any]]]",
    ) -> None:
        self.folder = folder
        self.doomed = False
        self.ready = False
        self._events = events
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._writing, self._ending = threading.Lock(), threading.Lock()
        self._ended = False
        # A session and process group of its own, so that all its children can be ended with it, and Ctrl-C in a
        # console is not for them.
        own_group: dict[str, Any] = (
            {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
            if sys.platform == "win32"
            else {"start_new_session": True}
        )
        self._process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environment),
            **own_group,
        )
        self._errors = threading.Thread(target=self._readErrors, name="worker errors", daemon=True)
        self._errors.start()
        threading.Thread(target=self._readEvents, name="worker events", daemon=True).start()

    @property
    def id(self) -> int:
        """The operating system's number of the process."""
        return self._process.pid

    @property
    def exitCode(self) -> int | None:
        """Its exit code, the negative number of a signal, or None while it runs."""
        return self._process.poll()

    @property
    def lastLines(self) -> tuple[str, ...]:
        """The last lines that it wrote to standard error."""
        return tuple(self._lines)

    def send(self, message: dict[str, Any]) -> None:
        """Write a message. May wait for the worker to read: call it from a thread, or use :meth:`sendSoon`."""
        line = to_line(message)
        with self._writing, suppress(OSError, ValueError):  # Its death is told by its other pipes.
            self._pipe("stdin").write(line)
            self._pipe("stdin").flush()

    def sendSoon(self, message: dict[str, Any]) -> None:
        """Write a message without waiting."""
        threading.Thread(target=self.send, args=(message,), name="worker request", daemon=True).start()

    def kill(self) -> None:
        """End the process and all that it has started, wait for that, and remove its folder. Safe on any thread."""
        self.doomed = True
        self._endTree()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_KILL_TIME_S)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _endTree(self) -> None:
        """End what runs of it, once only: later the system may have given its number to another process."""
        with self._ending:
            if not self._ended:
                self._ended = True
                killTree(self._process)

    def _pipe(self, name: str) -> IO[bytes]:
        pipe: IO[bytes] | None = getattr(self._process, name)
        if pipe is None:
            raise ValueError(f"The worker has no {name}.")
        return pipe

    def _readEvents(self) -> None:
        pipe = self._pipe("stdout")
        while line := pipe.readline(LONGEST_LINE + 1):
            self._takeLine(line)
        self._errors.join(1.0)  # The last words come before the news of the death.
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_KILL_TIME_S)
        self._endTree()  # Its children may live on.
        self._events.put((self, {"event": EXITED}))

    def _takeLine(self, line: bytes) -> None:
        try:
            self._events.put((self, message_from(line)))
        except ProtocolError as error:
            self._lines.append(f"{error} {line[:200]!r}")

    def _readErrors(self) -> None:
        for line in self._pipe("stderr"):
            text = line.decode("utf-8", errors="replace").rstrip()
            if text:
                self._lines.append(text)


def killTree(process: "subprocess.Popen[bytes]") -> None:
    """End a process that leads its own group, and everything in the group."""
    if sys.platform == "win32":
        subprocess.run(
            ["taskkill", "/F", "/T", "/PID", str(process.pid)],
            capture_output=True,
            check=False,
            creationflags=subprocess.CREATE_NO_WINDOW,
        )
        with suppress(OSError):
            process.kill()
        return
    # The group may outlive its leader, so it is ended even where the leader has gone already.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
