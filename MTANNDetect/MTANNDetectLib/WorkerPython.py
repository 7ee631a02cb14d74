"""Which Python runs the worker, with which environment, and in which private folder it gets its images."""

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from mtann.errors import MTANNError
from mtann.worker.parent import is_alive
from mtann.worker.protocol import FOLDER_PREFIX

from .Translation import _

MODULE_FOLDER = Path(__file__).resolve().parent.parent
"""What holds ``mtann``: the worker runs the very library that this side uses."""

_LEFT_OUT = ("PYTHONINSPECT", "PYTHONSTARTUP", "PYTHONDEBUG", "PYTHONWARNINGS", "PYTHONOPTIMIZE")
_FOLDER_NAME = re.compile(re.escape(FOLDER_PREFIX) + r"(\d+)-\w+")


def workerCommand(folder: Path) -> list[str]:
    """The command that starts a worker with an exchange folder.

    Raises:
        MTANNError: There is no Python to run it with.
    """
    arguments = ["-m", "mtann", "worker", "--folder", str(folder), "--parent", str(os.getpid())]
    return [str(pythonExecutable()), *arguments]


def pythonExecutable() -> Path:
    """Slicer's own Python; outside Slicer, the one that runs this.

    Within Slicer ``sys.executable`` may be the application, which would open a second window.

    Raises:
        MTANNError: There is none.
    """
    import slicer

    home = getattr(getattr(slicer, "app", None), "slicerHome", None)
    if isinstance(home, str):
        for name in ("PythonSlicer", "PythonSlicer.exe"):
            if (python := Path(home, "bin", name)).is_file():
                return python
    python = Path(sys.executable or "")
    if python.name.lower().startswith("python") and python.is_file():
        return python
    raise MTANNError(
        _(
            "No Python was found to run the worker with: Slicer's folder should hold "
            "bin/PythonSlicer. Install Slicer again, or use MTANNDetectLogic().detect in the Python "
            "console, which needs no worker."
        )
    )


def workerEnvironment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Environment variables for the worker: this library first on the path, text as UTF-8, no surprises for Python."""
    found = {name: value for name, value in (environment or os.environ).items() if name not in _LEFT_OUT}
    former = [found["PYTHONPATH"]] if found.get("PYTHONPATH") else []
    found["PYTHONPATH"] = os.pathsep.join([str(MODULE_FOLDER), *former])
    found["PYTHONUTF8"] = "1"
    # Packages in the user's home belong to another Python.
    found["PYTHONNOUSERSITE"] = "1"
    return found


def makeExchangeFolder(parent: Path | str | None = None) -> Path:
    """A new folder that only this user can enter; those of parents that have died are removed.

    Raises:
        OSError: It cannot be made: the folder for temporary files is read-only, full or missing.
    """
    place = Path(parent if parent is not None else tempfile.gettempdir())
    removeLeftovers(place)
    return Path(tempfile.mkdtemp(prefix=f"{FOLDER_PREFIX}{os.getpid()}-", dir=place))


def removeLeftovers(place: Path) -> None:
    """Remove exchange folders whose parent process was killed before it could."""
    with suppress(OSError):
        for folder in list(place.iterdir()):
            match = _FOLDER_NAME.fullmatch(folder.name)
            if match and not folder.is_symlink() and not is_alive(int(match[1])):
                shutil.rmtree(folder, ignore_errors=True)
