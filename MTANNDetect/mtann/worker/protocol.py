r"""What the worker and its parent say to each other: one JSON object a line.

To the worker, on its standard input: ``{"id": 7, "command": "detect", "arguments": {...}}``. From the worker, on its
standard output, events: ``ready`` (once), then for each request any number of ``progress`` and at last one of
``result``, ``error``, ``cancelled``. Images never pass through the pipes: see :mod:`mtann.worker.values`.

Only Python's standard library is needed here, so that Slicer's side can use it before anything is installed.
"""

import json
from dataclasses import dataclass, field
from typing import Any

PROTOCOL = 1
"""Grows with every change that an older partner would misunderstand."""

LONGEST_LINE = 4 * 1024 * 1024
"""In bytes. A longer line is refused: whatever is so long should have been a file."""

FOLDER_PREFIX = "mtann-worker-"
"""How the names of the private folders begin in which images are exchanged."""

AT_ONCE = ("cancel", "shutdown")
"""Commands that do not wait for the running job."""


class ProtocolError(Exception):
    """A line is no request; the message says why, for the developer of the other side."""


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        id: Number that the answers repeat.
        command: What to do.
        arguments: What the command takes, as it stands in the line.
    """

    id: int
    command: str
    arguments: dict[str, Any] = field(default_factory=dict)


def to_line(message: dict[str, Any]) -> bytes:
    """A message as a line of UTF-8, with its end.

    Raises:
        ValueError: It holds a number that is not finite; such numbers need a tag of their own.
    """
    return json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8") + b"\n"


def message_from(line: bytes) -> dict[str, Any]:
    """The JSON object in a line.

    Raises:
        ProtocolError: The line holds something else.
    """
    if len(line) > LONGEST_LINE:
        raise ProtocolError(f"The line is longer than {LONGEST_LINE} bytes. Hand large values on as files.")
    try:
        message = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"The line is no JSON ({error}). Send one JSON object a line, in UTF-8.") from error
    if not isinstance(message, dict):
        raise ProtocolError(f"The line holds a {type(message).__name__}, but a JSON object is needed.")
    return message


def request_from(message: dict[str, Any]) -> Request:
    """A message as a request.

    Raises:
        ProtocolError: A field is missing or of the wrong type.
    """
    number, command, arguments = message.get("id"), message.get("command"), message.get("arguments", {})
    if not isinstance(number, int) or isinstance(number, bool):
        raise ProtocolError(f"A request needs a whole number as 'id'; found {number!r}.")
    if not isinstance(command, str) or not command:
        raise ProtocolError(f"A request needs the name of a command as 'command'; found {command!r}.")
    if not isinstance(arguments, dict):
        raise ProtocolError(f"A request's 'arguments' must be a JSON object; found a {type(arguments).__name__}.")
    return Request(number, command, arguments)


def id_of(message: dict[str, Any]) -> int | None:
    """The id of a message that may be no good request, to answer to; None if there is none."""
    number = message.get("id")
    return number if isinstance(number, int) and not isinstance(number, bool) else None
