"""The worker's loop: requests come in on one thread, jobs run one after another on the main one."""

import queue
import threading
from pathlib import Path
from typing import IO, Any

from mtann.errors import CancelledError
from mtann.version import VERSION
from mtann.worker.failures import Failure, failure_of
from mtann.worker.parent import leave
from mtann.worker.protocol import (
    AT_ONCE,
    LONGEST_LINE,
    PROTOCOL,
    ProtocolError,
    Request,
    id_of,
    message_from,
    request_from,
    to_line,
)
from mtann.worker.reporter import Reporter
from mtann.worker.session import Session
from mtann.worker.tasks import TASKS, Job
from mtann.worker.values import Parcel, from_json, to_json

NEWER = (
    "The worker and its parent are of different versions of MTANNDetect (protocol {theirs} and {ours}). "
    "Restart Slicer, so that both are the same."
)


_GRACE_S = 0.5
"""How long a job may go on once the parent has asked for the end and closed the input."""


class Server:
    """Answers requests until it is told to shut down or its input ends.

    Args:
        folder: The exchange folder.
        incoming: Where requests are read from.
        outgoing: Where events are written to.
    """

    def __init__(self, folder: Path, incoming: IO[bytes], outgoing: IO[bytes]) -> None:
        self._folder = folder
        self._incoming = incoming
        self._outgoing = outgoing
        self._writing = threading.Lock()
        self._session = Session(folder)
        self._waiting: queue.Queue[Request | None] = queue.Queue()
        self._stopped: set[int] = set()
        self._ending = False
        self._idle = threading.Event()
        self._idle.set()

    def run(self) -> None:
        """Serve; returns once told to shut down."""
        self._send({"event": "ready", "protocol": PROTOCOL, "mtann": VERSION})
        threading.Thread(target=self._listen, name="requests", daemon=True).start()
        while (request := self._waiting.get()) is not None:
            self._idle.clear()
            self._do(request)
            self._idle.set()

    def _listen(self) -> None:
        """Read requests until the input ends: then the parent is gone, and nobody waits for an answer."""
        while line := self._incoming.readline(LONGEST_LINE + 1):
            while not line.endswith(b"\n") and (more := self._incoming.readline(LONGEST_LINE)):
                line = line[: LONGEST_LINE + 1] + more[-1:]  # too long: only its end is looked for
            self._take(line)
        # A parent that asks for the end may close the input behind it: no reason for haste, unless a job goes on.
        if not (self._ending and self._idle.wait(_GRACE_S)):
            leave(self._folder)

    def _take(self, line: bytes) -> None:
        """Queue one request, or do at once what cannot wait."""
        number = None
        try:
            message = message_from(line)
            number = id_of(message)
            request = request_from(message)
            if request.command in AT_ONCE:
                self._do_at_once(request)
            elif request.command not in TASKS:
                raise ProtocolError(
                    f"There is no command '{request.command}'; known are {', '.join((*TASKS, *AT_ONCE))}."
                )
            else:
                self._waiting.put(request)
        except ProtocolError as error:
            self._fail(number, Failure("protocol", str(error)))

    def _do_at_once(self, request: Request) -> None:
        if request.command == "shutdown":
            self._ending = True
            self._waiting.put(None)
            self._send({"event": "result", "id": request.id, "result": None})
            return
        job = request.arguments.get("job")
        if not isinstance(job, int):
            raise ProtocolError(f"'cancel' needs the id of a request as 'job'; found {job!r}.")
        self._stopped.add(job)
        self._send({"event": "result", "id": request.id, "result": None})

    def _do(self, request: Request) -> None:
        """Run one job and answer, whatever happens."""
        parcel = Parcel(self._folder, f"out-{request.id}")
        try:
            if request.id in self._stopped:
                raise CancelledError("Stopped before it began.")
            self._check_partner(request)
            self._send({"event": "started", "id": request.id})
            result = self._result(request)
            answer = {"event": "result", "id": request.id, "result": to_json(result, parcel)}
            if request.id in self._stopped:
                raise CancelledError("Stopped at its very end.")
            self._send(answer)
        except CancelledError:
            parcel.remove()
            self._send({"event": "cancelled", "id": request.id})
        except ProtocolError as error:
            parcel.remove()
            self._fail(request.id, Failure("protocol", str(error)))
        except Exception as error:  # noqa: BLE001 - the last line of defence: the next job may go well.
            parcel.remove()
            self._fail(request.id, failure_of(error))
        finally:
            self._stopped.discard(request.id)

    def _check_partner(self, request: Request) -> None:
        theirs = request.arguments.pop("protocol", PROTOCOL) if request.command == "hello" else PROTOCOL
        if theirs != PROTOCOL:
            raise ProtocolError(NEWER.format(theirs=theirs, ours=PROTOCOL))

    def _result(self, request: Request) -> Any:
        def send(stage: str, fraction: float, message: str, remaining_s: float | None) -> None:
            self._send(
                {
                    "event": "progress",
                    "id": request.id,
                    "stage": stage,
                    "fraction": fraction,
                    "message": message,
                    "remaining_s": remaining_s,
                }
            )

        job = Job(self._session, Reporter(send), lambda: request.id in self._stopped)
        return TASKS[request.command](job, from_json(request.arguments, self._folder))

    def _fail(self, number: int | None, failure: Failure) -> None:
        self._send(
            {
                "event": "error",
                "id": number,
                "kind": failure.kind,
                "message": failure.message,
                "remedy": failure.remedy,
                "lines": list(failure.lines),
            }
        )

    def _send(self, event: dict[str, Any]) -> None:
        with self._writing:
            try:
                self._outgoing.write(to_line(event))
                self._outgoing.flush()
            except (BrokenPipeError, ValueError):
                leave(self._folder)  # Nobody listens any more.
