"""Keeping freed memory at hand.

glibc gives every large block back to the system as soon as it is freed, and the system clears it before it is used
again. A scan or a training frees and takes such blocks all the time; that took up to two thirds of its time.
"""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 1 << 29
"""Up to so much freed memory is kept. Larger blocks, as of whole volumes, are given back as before."""
_OLD_LIMIT = 1 << 25
"""The most that older versions of glibc take."""


def keep_freed_memory() -> bool:
    """Ask the C library of this process to keep freed memory; says whether it does. Harmless where it cannot."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    kept = mallopt(_MMAP_THRESHOLD, _KEPT_BYTES) or mallopt(_MMAP_THRESHOLD, _OLD_LIMIT)
    return bool(kept and mallopt(_TRIM_THRESHOLD, _KEPT_BYTES))
