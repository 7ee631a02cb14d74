"""What went wrong, as the worker tells it: the kind, the cause in words, and what to do."""

import errno
import traceback
from dataclasses import dataclass
from typing import Literal

from mtann.errors import MissingPackageError, MTANNError, OutputError

Kind = Literal["user", "missing", "memory", "disk", "protocol", "crash", "defect"]
"""To mend; a package not installed; memory or disk full; a misunderstanding; the worker died; a defect of ours."""

_NO_ROOM = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
_MEMORY_WORDS = (
    "out of memory",
    "not enough memory",
    "can't allocate memory",
    "memory ran out",
    "cannot allocate memory",
)
_LINES = 12

MORE_MEMORY = (
    "Use smaller tiles (setting tile_voxels), compute on the CPU or in lower precision, "
    "close other programs, or crop the image."
)
MORE_DISK = "Free some space there, or set the environment variable TMPDIR to a folder with more room, and run again."
INSTALL = "Install what is missing from the panel, or with pip where there is no panel."
REPORT = "Please report it to the developers, with the lines below."


@dataclass(frozen=True)
class Failure:
    """Why a job has no result.

    Attributes:
        kind: See :data:`Kind`.
        message: What happened, in words; for kind "user" also what to do.
        remedy: What to do; empty where the message says it.
        lines: The last lines that explain it to a developer; empty where nobody needs them.
    """

    kind: Kind
    message: str
    remedy: str = ""
    lines: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """What happened and what to do, in one line."""
        return f"{self.message} {self.remedy}".strip()


def failure_of(error: BaseException) -> Failure:
    """An exception of a job as a failure."""
    if _is_memory(error):
        return Failure(
            "memory", _first_line(error) if isinstance(error, MTANNError) else "Memory ran out.", MORE_MEMORY
        )
    full = _full_disk(error)
    if full is not None:
        where = f" ({full.filename})" if full.filename else ""
        return Failure("disk", f"The disk is full: a file could not be written{where}.", MORE_DISK)
    if isinstance(error, MissingPackageError):
        return Failure("missing", _first_line(error))
    if isinstance(error, ModuleNotFoundError) and (error.name or "mtann").partition(".")[0] != "mtann":
        return Failure("missing", f"MTANNDetect needs the Python package '{error.name}'.", INSTALL)
    if isinstance(error, MTANNError):
        return Failure("user", _first_line(error))
    if isinstance(error, OSError):
        return Failure(
            "disk", f"A file could not be read or written ({error}).", "Check the folder and its permissions."
        )
    lines = "".join(traceback.format_exception(error)).rstrip().splitlines()
    return Failure(
        "defect",
        f"Something unexpected went wrong ({type(error).__name__}: {_first_line(error)}).",
        REPORT,
        tuple(lines[-_LINES:]),
    )


def _chain(error: BaseException) -> list[BaseException]:
    """The error and those that led to it."""
    found: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in found:
        found.append(one)
        one = one.__cause__ or one.__context__
    return found


def _is_memory(error: BaseException) -> bool:
    for one in _chain(error):
        if isinstance(one, MemoryError) or type(one).__name__ == "OutOfMemoryError":
            return True
        if isinstance(one, RuntimeError) and any(words in str(one).lower() for words in _MEMORY_WORDS):
            return True
        if isinstance(one, OSError) and one.errno == errno.ENOMEM:
            return True
    return False


def _full_disk(error: BaseException) -> OSError | None:
    for one in _chain(error):
        if isinstance(one, OSError) and one.errno in _NO_ROOM and not isinstance(one, OutputError):
            return one
    return None


def _first_line(error: BaseException) -> str:
    return " ".join(str(error).split())
