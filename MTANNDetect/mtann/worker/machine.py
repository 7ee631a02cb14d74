"""What this machine computes with, and how much memory there is."""

import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from mtann.errors import SettingsError
from mtann.optional import require
from mtann.version import VERSION
from mtann.worker.protocol import PROTOCOL

if TYPE_CHECKING:
    from mtann.settings import Device, Precision


def describe_machine() -> dict[str, Any]:
    """Versions and devices, for the answer to ``hello``.

    Raises:
        MissingPackageError: torch is not installed.
    """
    torch = require("torch", "Running an MTANN")
    return {
        "mtann": VERSION,
        "protocol": PROTOCOL,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "process": os.getpid(),
        "devices": [*_accelerators(torch), _processor(torch)],
    }


def _processor(torch: Any) -> dict[str, Any]:
    total, free = memory_bytes()
    return {
        "name": "cpu",
        "title": f"Processor ({torch.get_num_threads()} threads)",
        "memory_bytes": total,
        "free_bytes": free,
        "precisions": _precisions("cpu"),
    }


def _accelerators(torch: Any) -> list[dict[str, Any]]:
    """Graphics processors, the one that ``auto`` takes first."""
    found = []
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        found.append(_accelerator("cuda", torch.cuda.get_device_name(), total, free))
    if hasattr(torch, "xpu") and torch.xpu.is_available():
        total = torch.xpu.get_device_properties(0).total_memory
        found.append(_accelerator("xpu", torch.xpu.get_device_name(), total, total - torch.xpu.memory_allocated()))
    if torch.backends.mps.is_available():
        total, free = memory_bytes()
        found.append(_accelerator("mps", "Apple graphics processor", total, free))
    return found


def _accelerator(name: "Device", title: str, total: int | None, free: int | None) -> dict[str, Any]:
    return {"name": name, "title": title, "memory_bytes": total, "free_bytes": free, "precisions": _precisions(name)}


def _precisions(device: "Device") -> list[str]:
    """The number formats that a network can be evaluated in there."""
    from mtann.backends.computation import ChosenPrecision

    return [precision for precision in get_args(ChosenPrecision) if _is_able(device, precision)]


def _is_able(device: "Device", precision: "Precision") -> bool:
    from mtann.backends.computation import choose_computation

    try:
        choose_computation(device, precision=precision)
    except SettingsError:
        return False
    return True


def memory_bytes() -> tuple[int | None, int | None]:
    """Main memory that this process may use, and how much of it is free; None where the system does not say."""
    if sys.platform == "win32":
        return _windows_memory()
    total, free = _sysconf("SC_PHYS_PAGES"), _available()
    limit = _container_limit()
    if limit is not None and total is not None and limit[0] < total:
        total, free = limit[0], limit[0] - limit[1] if free is None else min(free, limit[0] - limit[1])
    return total, free


def peak_bytes() -> int | None:
    """The most memory that this process has held so far; None on Windows."""
    if sys.platform == "win32":
        return None
    # Linux's getrusage also counts what the process that started this one held.
    own = _kilobytes_of("/proc/self/status", "VmHWM:")
    if own is not None:
        return own * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _sysconf(name: str) -> int | None:
    try:
        return os.sysconf(name) * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None


def _available() -> int | None:
    """Memory that programs can get without swapping."""
    free = _kilobytes_of("/proc/meminfo", "MemAvailable:")
    return None if free is None else free * 1024


def _kilobytes_of(file: str, name: str) -> int | None:
    """A figure from one of the tables that Linux keeps; None where there is none."""
    try:
        for line in Path(file).read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith(name):
                return int(line.split()[1])
    except (OSError, ValueError):
        return None
    return None


def _container_limit() -> tuple[int, int] | None:
    """The limit of a Linux container and what is used of it."""
    folder = Path("/sys/fs/cgroup")
    try:
        return int((folder / "memory.max").read_text()), int((folder / "memory.current").read_text())
    except (OSError, ValueError):
        return None


def _windows_memory() -> tuple[int | None, int | None]:
    import ctypes

    class Status(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ulong), ("load", ctypes.c_ulong)] + [
            (name, ctypes.c_ulonglong) for name in ("total", "free", "page", "free_page", "space", "free_space", "more")
        ]

    status = Status(length=ctypes.sizeof(Status))
    if not ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):  # type: ignore[attr-defined, unused-ignore]
        return None, None
    return int(status.total), int(status.free)
