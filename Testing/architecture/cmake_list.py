"""The files that the extension ships, as the module's CMakeLists.txt must list them.

Run it to print the two lists, or with ``--write`` to put them into the file.
"""

import re
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
MODULE = ROOT / "MTANNDetect"
CMAKE_FILE = MODULE / "CMakeLists.txt"
SCRIPTS, RESOURCES = "MODULE_PYTHON_SCRIPTS", "MODULE_PYTHON_RESOURCES"


def listed(name: str) -> list[str]:
    """The entries of one list in the CMake file."""
    return _block(name).group("entries").split()


def shipped(name: str, files: Iterable[Path] | None = None) -> list[str]:
    """What a list has to hold: the module's own script first, then by path."""
    paths = sorted((MODULE.rglob("*") if files is None else files), key=lambda p: (p.parent != MODULE, p.as_posix()))
    inside = [path.relative_to(MODULE) for path in paths if path.is_file() and path.is_relative_to(MODULE)]
    kept = [
        path
        for path in inside
        if path.suffix != ".pyc" and "__pycache__" not in path.parts and not path.name.startswith(".")
    ]
    scripts = [path.as_posix() for path in kept if path.suffix == ".py"]
    if name == SCRIPTS:
        return scripts
    # The typing marker and the index entry serve the repository, not the running module.
    left_out = {"CMakeLists.txt", "mtann/py.typed", "Resources/MTANNDetect.json"}
    screenshots = "Resources/Screenshots/"
    others = [path.as_posix() for path in kept if path.suffix != ".py"]
    return [path for path in others if path not in left_out and not path.startswith(screenshots)]


def write() -> None:
    """Put both lists into the CMake file."""
    for name in (SCRIPTS, RESOURCES):
        entries = "".join(f"  {entry}\n" for entry in shipped(name))
        text = CMAKE_FILE.read_text(encoding="utf-8")
        found = _block(name)
        new = text[: found.start("entries")] + entries + text[found.end("entries") :]
        CMAKE_FILE.write_text(new, encoding="utf-8", newline="\n")


def _block(name: str) -> re.Match[str]:
    text = CMAKE_FILE.read_text(encoding="utf-8")
    found = re.search(rf"^set\({name}\n(?P<entries>(?:  [^)\s]+\n)*)  \)$", text, flags=re.MULTILINE)
    if found is None:
        raise ValueError(f"{CMAKE_FILE.name} has no list {name} with one file a line.")
    return found


if __name__ == "__main__":
    if "--write" in sys.argv[1:]:
        write()
    else:
        for list_name in (SCRIPTS, RESOURCES):
            sys.stdout.write(f"set({list_name}\n" + "".join(f"  {entry}\n" for entry in shipped(list_name)) + "  )\n\n")
