"""Why a worker process ended although nobody asked it to, in words."""

import signal
from collections.abc import Sequence

from mtann.worker.failures import MORE_MEMORY, REPORT, Failure

_WINDOWS_WORDS = {
    0xC0000005: "it touched memory that it may not (access violation)",
    0xC0000017: "memory ran out",
    0xC00000FD: "its stack overflowed",
    0xC0000409: "it stopped itself after damage to its memory",
    0xC000013A: "it was interrupted",
}
_NO_MEMORY = 0xC0000017


def failureOfDeath(exitCode: int | None, lines: Sequence[str], stage: str) -> Failure:
    """What to tell when the worker has died.

    Args:
        exitCode: Its exit code, or the negative number of a signal.
        lines: The last lines that it wrote to standard error.
        stage: What it was doing, such as ``"while starting"``.
    """
    shown = tuple(lines)
    if exitCode == -9:
        message = (
            f"The worker process was killed {stage}. The system does that when memory runs out; "
            "otherwise somebody has ended it."
        )
        return Failure("memory", message, MORE_MEMORY, shown)
    if exitCode is not None and exitCode & 0xFFFFFFFF == _NO_MEMORY:
        return Failure("memory", f"Memory ran out in the worker process {stage}.", MORE_MEMORY, shown)
    message = f"The worker process ended {stage}: {_words(exitCode)}."
    remedy = f"Run again; if it happens again, compute on the CPU instead of a graphics processor. {REPORT}"
    return Failure("crash", message, remedy, shown)


def _words(exitCode: int | None) -> str:
    if exitCode is None:
        return "its pipes were closed"
    if exitCode < 0:
        try:
            return f"it crashed with the signal {signal.Signals(-exitCode).name}"
        except ValueError:
            return f"it crashed with the signal {-exitCode}"
    words = _WINDOWS_WORDS.get(exitCode & 0xFFFFFFFF)
    return f"{words} (code 0x{exitCode:08X})" if words else f"it ended with the exit code {exitCode}"
