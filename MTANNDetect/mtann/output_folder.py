"""Result folders that are whole or not there at all.

A folder is written as a hidden sibling and swapped in by renaming. Vocabulary, for an output folder ``DIR``: the *work*
folder ``.DIR.partial-<process>-<random>`` is being written, or thrown away; ``DIR.previous`` is a former result, kept
until its successor is in place. A kill at any moment leaves a complete result as ``DIR`` or ``DIR.previous``, and the
next run recovers.
"""

import errno
import json
import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from mtann.errors import OutputError

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG} if hasattr(errno, "EDQUOT") else {errno.ENOSPC, errno.EFBIG}
_NO_FOLDER_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EBADF}
_CLUTTER = {".DS_Store", "Thumbs.db", "desktop.ini"}
"""What file browsers leave behind: no user's work, so it protects no folder."""

_in_use: set[Path] = set()
"""Work folders of this very process. Others with its number are left from a dead one: containers reuse the numbers."""


@dataclass(frozen=True)
class FolderKind:
    """What a folder of one kind holds, so that nothing else is ever replaced.

    Attributes:
        noun: What to call it in messages, such as ``"detection result"``.
        marker: JSON file that every complete folder of this kind holds.
        marker_keys: Names at the top of the marker file by which it is told from a file of the same name.
        patterns: Shell patterns of the names of all files that this kind may hold; it never holds sub-folders.
    """

    noun: str
    marker: str
    marker_keys: tuple[str, ...]
    patterns: tuple[str, ...]


@contextmanager
def replace_folder(directory: Path | str, kind: FolderKind) -> Iterator[Path]:
    """Write a folder so that it appears whole, in place of a former one of its kind, or not at all.

    Use as ``with replace_folder(directory, kind) as work:`` and write every file into ``work``. A symbolic link is
    followed and kept. Missing parents are made. An exception in the block removes everything that was written.

    Raises:
        OutputError: The folder may not be replaced (see :func:`check_output`), or the disk is full.
        RuntimeError: The block wrote a file that this kind does not know, or no marker: a defect of the caller.
    """
    recover_folder(directory, kind)
    target = _resolve(directory)
    with _explained(directory):
        parents = _make_parents(target.parent)
        work = _work_folder(target)
        _in_use.add(work)
    try:
        with _explained(directory, work):
            work.mkdir()
            yield work
        with _explained(directory):
            if problem := _foreign(work, kind):
                raise RuntimeError(f"What was written for '{directory}' is no complete {kind.noun}: {problem}.")
            _sync(work)
            check_output(directory, kind)  # The run may have been long: the user may have put something there since.
            _swap(work, target)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        for parent in parents:
            with suppress(OSError):
                parent.rmdir()
        raise
    finally:
        _in_use.discard(work)


def check_output(directory: Path | str, kind: FolderKind) -> None:
    """Make sure, before any computing, that a folder may be written; nothing is created or changed.

    Raises:
        OutputError: The place is a file, a folder that is not a former result of this kind, the current folder, a mount
            point, or in a parent that cannot be written; or ``DIR.previous`` is not a former result.
    """
    with _explained(directory):
        target = _resolve(directory)
        problem = _refusal(target, kind) or _refusal(_previous(target), kind) or _parent_refusal(target)
        if problem:
            raise OutputError(f"{problem} Choose another output folder.")


def recover_folder(directory: Path | str, kind: FolderKind) -> None:
    """Check, as :func:`check_output` does, and put right what a killed run left.

    A former result comes back into place; what is no longer needed is removed. :func:`replace_folder` starts with this.

    Raises:
        OutputError: The folder may not be replaced, or the former result cannot be moved back.
    """
    check_output(directory, kind)
    with _explained(directory):
        target = _resolve(directory)
        previous = _previous(target)
        if previous.is_dir():
            if _names(previous) and not (target.is_dir() and _names(target)):
                # The kill fell between the two renames; an empty folder may have been made since.
                if target.is_dir():
                    _discard(target, target)
                previous.rename(target)
            else:
                _discard(previous, target)
        for stale in _stale_work_folders(target):
            shutil.rmtree(stale, ignore_errors=True)


def _refusal(place: Path, kind: FolderKind) -> str | None:
    """Why what is in this place may not be replaced, as a sentence; None if it may."""
    if not os.path.lexists(place):
        return None
    if not place.is_dir() or place.is_symlink():
        return f"'{place}' is a file, so no {kind.noun} can be put there."
    if place == Path.cwd() or os.path.ismount(place):
        return f"'{place}' is the current folder or a mount point, which cannot be swapped; a folder inside it can be."
    problem = _foreign(place, kind) if _names(place) else None
    if problem is None:
        return None
    return f"'{place}' is not a former {kind.noun} ({problem}), so it is not overwritten."


def _parent_refusal(target: Path) -> str | None:
    parent = next(folder for folder in target.parents if folder.exists())
    if not parent.is_dir():
        return f"'{target}' cannot be made because '{parent}' is a file."
    if not os.access(parent, os.W_OK | os.X_OK):
        return f"'{target}' cannot be made because '{parent}' is not writable."
    return None


def _foreign(folder: Path, kind: FolderKind) -> str | None:
    """What tells a folder from a complete one of this kind; None if nothing does."""
    names = _names(folder)
    for name in names:
        path = folder / name
        if path.is_symlink() or not path.is_file() or not any(fnmatchcase(name, pattern) for pattern in kind.patterns):
            return f"it holds '{name}'"
    if kind.marker not in names:
        return f"it has no '{kind.marker}'"
    try:
        marker = json.loads((folder / kind.marker).read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        marker = None
    if not isinstance(marker, dict) or not all(key in marker for key in kind.marker_keys):
        return f"its '{kind.marker}' is not one of ours, or damaged"
    return None


def _names(folder: Path) -> list[str]:
    """Names of what is in a folder, sorted, without the clutter of file browsers."""
    return sorted(path.name for path in folder.iterdir() if path.name not in _CLUTTER)


def _resolve(directory: Path | str) -> Path:
    try:
        return Path(directory).resolve()
    except RuntimeError as error:  # Python before 3.13 says so of a loop of links.
        raise OutputError(
            f"'{directory}' is a link that leads back to itself. Choose another output folder."
        ) from error


def _previous(target: Path) -> Path:
    return target.with_name(target.name + ".previous")


def _work_folder(target: Path) -> Path:
    return target.with_name(f".{target.name}.partial-{os.getpid()}-{secrets.token_hex(4)}")


def _stale_work_folders(target: Path) -> list[Path]:
    name = re.compile(re.escape(f".{target.name}.partial-") + r"([0-9]+)-[0-9a-f]{8}")
    if not target.parent.is_dir():
        return []
    found = [(path, match) for path in target.parent.iterdir() if (match := name.fullmatch(path.name))]
    return [path for path, match in found if path not in _in_use and not _is_running_elsewhere(int(match[1]))]


def _is_running_elsewhere(process: int) -> bool:
    """Whether another process of this machine bears this number."""
    if process == os.getpid():
        return False
    if sys.platform == "win32":
        import ctypes

        synchronize, timed_out = 0x100000, 0x102
        handle = ctypes.windll.kernel32.OpenProcess(synchronize, False, process)
        running = bool(handle) and ctypes.windll.kernel32.WaitForSingleObject(handle, 0) == timed_out
        ctypes.windll.kernel32.CloseHandle(handle)
        return running
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def _make_parents(folder: Path) -> list[Path]:
    """Make a folder and its missing parents; return those made, innermost first."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing


def _sync(work: Path) -> None:
    """Bring a folder's files to the disk, so that a power cut after the swap does not leave empty ones."""
    for path in sorted(work.iterdir()):
        with path.open("rb+") as file:
            os.fsync(file.fileno())
    _sync_folder(work)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows cannot open a folder as a file.
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)


def _swap(work: Path, target: Path) -> None:
    previous = _previous(target)
    if target.is_dir():
        target.rename(previous)
    try:
        work.rename(target)
    except BaseException:
        if previous.is_dir() and not target.exists():
            previous.rename(target)
        raise
    _sync_folder(target.parent)
    if previous.is_dir():
        _discard(previous, target)


def _discard(folder: Path, target: Path) -> None:
    """Delete a folder that has had its day.

    It takes the name of a work folder first, so that ``DIR.previous`` is complete for as long as it has that name. What
    cannot be deleted now, because it is open in Windows for example, is left for the next run.
    """
    waste = _work_folder(target)
    with suppress(OSError):
        folder.rename(waste)
        shutil.rmtree(waste)


@contextmanager
def _explained(directory: Path | str, work: Path | None = None) -> Iterator[None]:
    """Turn what the file system refuses into an OutputError.

    While the caller's block writes into ``work``, errors about files elsewhere are not ours and pass unchanged.
    """
    try:
        yield
    except OutputError as error:
        if work is None:
            raise
        raise OutputError(str(error).replace(str(work), str(directory))) from error
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise OutputError(
                f"There is no room left to write '{directory}' (disk full, quota or file size limit reached). "
                "Nothing was kept: free space or choose another output folder, and run again."
            ) from error
        if work is not None and error.filename is not None and not Path(str(error.filename)).is_relative_to(work):
            raise
        raise OutputError(
            f"'{directory}' cannot be written ({error.strerror or error}). Check its permissions, close programs that "
            "use it, or choose another output folder."
        ) from error
