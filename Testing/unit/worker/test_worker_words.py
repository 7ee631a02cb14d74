"""What the worker says of failures and of the time that is left."""

import errno

import pytest

from mtann.errors import ImageError, MissingPackageError, MTANNError
from mtann.progress import Progress
from mtann.worker.failures import failure_of
from mtann.worker.reporter import Reporter


def raised_from(error, cause):
    try:
        raise error from cause
    except type(error) as caught:
        return caught


@pytest.mark.parametrize(
    ("error", "kind", "words", "remedy"),
    [
        (ImageError("'a' is flat. Check it."), "user", "'a' is flat. Check it.", ""),
        (MissingPackageError("needs 'torch'"), "missing", "needs 'torch'", ""),
        (ModuleNotFoundError("No module named 'monai'", name="monai.nets"), "missing", "'monai.nets'", "Install"),
        (MemoryError(), "memory", "Memory ran out.", "smaller tiles"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 8 GB"), "memory", "Memory ran out.", "CPU"),
        (RuntimeError("CUDA error: out of memory"), "memory", "Memory ran out.", "lower precision"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "memory", "Memory ran out.", "close other programs"),
        (raised_from(MTANNError("Memory ran out on cuda."), MemoryError()), "memory", "ran out on cuda.", "smaller"),
        (
            OSError(errno.ENOSPC, "No space left", "a.npy"),
            "disk",
            "disk is full: a file could not be written (a.npy)",
            "TMPDIR",
        ),
        (PermissionError(errno.EACCES, "Permission denied", "a"), "disk", "Permission denied", "permissions"),
        (KeyError("x"), "defect", "KeyError: 'x'", "report"),
        (ModuleNotFoundError("No module named 'mtann.x'", name="mtann.x"), "defect", "mtann.x", "report"),
        (RuntimeError("shapes differ"), "defect", "shapes differ", "report"),
    ],
)
def test_each_failure_has_its_kind_cause_and_remedy(error, kind, words, remedy):
    failure = failure_of(error)
    assert failure.kind == kind
    assert words in failure.message
    assert remedy in failure.remedy
    assert failure.text == f"{failure.message} {failure.remedy}".strip()
    assert "\n" not in failure.text


def test_only_a_defect_brings_lines_and_they_end_with_the_error():
    failure = failure_of(raised_from(KeyError("x"), None))
    assert failure.lines[-1] == "KeyError: 'x'"
    assert any("raised_from" in line for line in failure.lines)
    assert failure_of(ImageError("flat")).lines == ()


def test_remaining_time_is_told_once_it_can_be_known_and_not_too_often():
    now = [100.0]
    sent = []
    reporter = Reporter(lambda *told: sent.append(told), clock=lambda: now[0])

    def at(seconds, stage, fraction):
        now[0] = 100.0 + seconds
        reporter(Progress(stage, fraction, "words"))

    at(0.0, "prepare", 0.0)
    at(0.05, "prepare", 0.01)  # too soon
    at(0.06, "scan", 0.1)  # soon, but a new stage
    at(0.9, "scan", 0.3)  # no guess in the first second
    at(2.0, "scan", 0.25)
    at(4.0, "done", 1.0)
    assert sent == [
        ("prepare", 0.0, "words", None),
        ("scan", 0.1, "words", None),
        ("scan", 0.3, "words", None),
        ("scan", 0.25, "words", 6.0),
        ("done", 1.0, "words", 0.0),
    ]
