"""Why a worker process ended although nobody asked it to, in words."""

import signal
from collections.abc import Sequence

from mtann.worker.failures import MORE_MEMORY, REPORT, Failure

from .Translation import _

_WINDOWS_WORDS = {
    0xC0000005: _("it touched memory that it may not (access violation)"),
    0xC0000017: _("memory ran out"),
    0xC00000FD: _("its stack overflowed"),
    0xC0000409: _("it stopped itself after damage to its memory"),
    0xC000013A: _("it was interrupted"),
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
        message = _(
            "The worker process was killed {stage}. The system does that when memory runs out; "
            "otherwise somebody has ended it."
        ).format(stage=stage)
        return Failure("memory", message, MORE_MEMORY, shown)
    if exitCode is not None and exitCode & 0xFFFFFFFF == _NO_MEMORY:
        return Failure(
            "memory", _("Memory ran out in the worker process {stage}.").format(stage=stage), MORE_MEMORY, shown
        )
    message = _("The worker process ended {stage}: {words}.").format(stage=stage, words=_words(exitCode))
    remedy = _("Run again; if it happens again, compute on the CPU instead of a graphics processor. {more}").format(
        more=REPORT
    )
    return Failure("crash", message, remedy, shown)


def _words(exitCode: int | None) -> str:
    if exitCode is None:
        return _("its pipes were closed")
    if exitCode < 0:
        try:
            return _("it crashed with the signal {name}").format(name=signal.Signals(-exitCode).name)
        except ValueError:
            return _("it crashed with the signal {number}").format(number=-exitCode)
    words = _WINDOWS_WORDS.get(exitCode & 0xFFFFFFFF)
    if words:
        return _("{words} (code {code})").format(words=words, code=f"0x{exitCode:08X}")
    return _("it ended with the exit code {code}").format(code=exitCode)
