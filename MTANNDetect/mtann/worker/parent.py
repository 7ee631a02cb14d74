"""Noticing that the parent is gone, and leaving nothing behind."""

import os
import shutil
import signal
import stat
import threading
import time
from pathlib import Path

from mtann.errors import OutputError
from mtann.worker.protocol import FOLDER_PREFIX

_EVERY_S = 0.5


def check_folder(folder: Path) -> Path:
    """The exchange folder, if it is one that only this user can enter.

    Raises:
        OutputError: It is not there, was not made for this, or is open to others.
    """
    if not folder.name.startswith(FOLDER_PREFIX) or not folder.is_dir() or folder.is_symlink():
        raise OutputError(
            f"'{folder.name}' is no exchange folder: a folder whose name begins with '{FOLDER_PREFIX}' is needed, "
            "readable by its owner alone. The parent makes one with Python's tempfile.mkdtemp."
        )
    if os.name == "posix":
        status = folder.stat()
        if status.st_uid != os.getuid() or stat.S_IMODE(status.st_mode) & 0o077:
            raise OutputError(f"Others may enter '{folder.name}', so no image is put there. Make it with mode 700.")
    return folder


def watch_parent(parent: int, folder: Path) -> None:
    """Start a thread that ends this process soon after its parent has died."""

    def watch() -> None:
        while is_alive(parent):
            time.sleep(_EVERY_S)
        leave(folder)

    threading.Thread(target=watch, name="parent watch", daemon=True).start()


def leave(folder: Path, orderly: bool = False) -> None:
    """Remove the exchange folder and end this process at once.

    Unless it is orderly, whatever it is doing, and its children with it.
    """
    shutil.rmtree(folder, ignore_errors=True)
    if not orderly and os.name == "posix" and os.getpgrp() == os.getpid():
        # The leader of a group of its own: all that is in it was started here, and ends with it.
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(0)


def is_alive(process: int) -> bool:
    """Whether a process still runs."""
    if os.name == "posix":
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return not _is_zombie(process)
    return _is_alive_on_windows(process)


def _is_zombie(process: int) -> bool:
    """Whether a process has ended, and only its own parent has not looked yet (told on Linux alone)."""
    try:
        status = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] == "Z"


def _is_alive_on_windows(process: int) -> bool:
    import ctypes

    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined, unused-ignore]
    synchronize, timeout = 0x00100000, 0x102
    handle = kernel.OpenProcess(synchronize, False, process)
    if not handle:
        return False
    try:
        return bool(kernel.WaitForSingleObject(handle, 0) == timeout)
    finally:
        kernel.CloseHandle(handle)
