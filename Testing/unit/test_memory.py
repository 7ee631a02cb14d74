"""Freed memory is kept where the C library can, and nothing breaks where it cannot."""

import ctypes
import subprocess
import sys

import pytest

from mtann import memory
from mtann.memory import keep_freed_memory

FAULTS = """
import ctypes, resource, sys
sys.path[:0] = {path!r}
from mtann.memory import keep_freed_memory
if {keep}:
    keep_freed_memory()
library = ctypes.CDLL(None)
library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
library.free.argtypes = [ctypes.c_void_p]
size = 30 << 20
for _ in range(20):
    block = library.malloc(size)
    ctypes.memset(block, 1, size)
    library.free(block)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""


def faults(keep: bool) -> int:
    code = FAULTS.format(path=sys.path, keep=keep)
    environment = {"MALLOC_TRIM_THRESHOLD_": "131072", "MALLOC_MMAP_THRESHOLD_": "131072"} if not keep else {}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc is Linux's")
def test_blocks_are_not_taken_from_the_system_again_and_again():
    # 20 times 30 MB are 150,000 pages; kept, the same 7,700 are used over and over.
    assert faults(keep=True) < 40_000 < faults(keep=False)


def test_elsewhere_nothing_happens(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert keep_freed_memory() is False
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())
    assert keep_freed_memory() is False
    assert ctypes is memory.ctypes
