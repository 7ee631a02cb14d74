"""Small folders to write, and a process that writes one."""

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

from mtann.output_folder import FolderKind

KIND = FolderKind("test result", "marker.json", ("schema_version", "things"), ("marker.json", "*.nii.gz"))
FILES = ("a.nii.gz", "b.nii.gz", "marker.json")


def fill(folder: Path, content: str) -> None:
    (folder / "a.nii.gz").write_text(content)
    (folder / "b.nii.gz").write_text(content * 2)
    (folder / "marker.json").write_text(json.dumps({"schema_version": 1, "things": content}))


def make(folder: Path, content: str) -> Path:
    folder.mkdir(parents=True)
    fill(folder, content)
    return folder


def content_of(folder: Path) -> str | None:
    """What a complete folder was filled with; None if it is not there; an error if it is there in part."""
    if not folder.exists():
        return None
    content = json.loads((folder / "marker.json").read_text())["things"]
    texts = {path.name: path.read_text() for path in folder.iterdir()}
    assert set(texts) == set(FILES)
    assert (texts["a.nii.gz"], texts["b.nii.gz"]) == (content, content * 2)
    return str(content)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def names_or_none(folder: Path) -> list[str] | None:
    return names(folder) if folder.exists() else None


SCRIPT = dedent("""
    import sys, time
    from pathlib import Path
    from mtann.output_folder import FolderKind, replace_folder
    kind = FolderKind("test result", "marker.json", ("schema_version", "things"), ("marker.json", "*.nii.gz"))
    with replace_folder(Path(sys.argv[1]), kind) as work:
        (work / "a.nii.gz").write_bytes(b"x" * int(sys.argv[2]))
        {rest}
""")


def start_script(rest: str, target: Path, size: int, **options: object) -> "subprocess.Popen[str]":
    path = os.pathsep.join(sys.path)
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(rest=rest), str(target), str(size)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        **options,  # type: ignore[call-overload]
    )
