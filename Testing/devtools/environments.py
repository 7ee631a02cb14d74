"""The environments that everything here runs in: a table of what is in each, and how one is made or mended."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from devtools.process import ROOT, must
from devtools.system import ensure_venv_module

PROJECT = ROOT / "pyproject.toml"
CONSTRAINTS = ROOT / "Testing" / "constraints.txt"
CONSTRAINTS_SLICER = ROOT / "Testing" / "constraints-slicer-newest.txt"
CONSTRAINTS_PEERS = ROOT / "Testing" / "constraints-peers.txt"
# Programs that ours is compared with, and what they bring beyond the main environment. They are installed without what
# else they ask for: a torchvision that does not fit this torch, and packages for commands that no test runs.
PEERS = (
    *("nnunetv2", "acvl-utils", "batchgenerators", "batchgeneratorsv2", "dynamic-network-architectures"),
    *("blosc2", "certifi", "charset-normalizer", "connected-components-3d", "imageio", "importlib-resources"),
    *("lazy-loader", "ndindex", "nibabel", "numexpr", "pandas", "py-cpuinfo", "requests", "scikit-image", "seaborn"),
    *("tifffile", "urllib3", "picai_eval", "mlxtend", "report_guided_annotation"),
    *("panoptica", "plotly", "rich", "ruamel.yaml"),
)
PEERS_IMPORTS = "nnunetv2.inference.predict_from_raw_data, nnunetv2.run.run_training"
STAMP = "mtann-stamp.json"  # the file in an environment whose presence says that it is whole


@dataclass(frozen=True)
class Environment:
    """One environment.

    Attributes:
        folder: Where it lies. Environments in one folder follow each other there, each with more than the last.
        requirements: What to install; one that begins with a dot is this project, in place.
        constraints: File that pins the versions.
        imports: Modules that have to import once it is made.
        includes: Names of the environments in the same folder that this one does for, too.
        over: Name of the environment that it is laid over: all packages that are not required here come from there.
    """

    folder: Path
    requirements: tuple[str, ...]
    constraints: Path
    imports: str
    includes: tuple[str, ...] = ()
    over: str | None = None


ENVIRONMENTS = {
    "demo": Environment(ROOT / ".venv", (".",), CONSTRAINTS, "mtann, torch"),
    "test": Environment(
        ROOT / ".venv", (".[dev,openvino,slicer-tests]",), CONSTRAINTS, "mtann, torch, pytest", includes=("demo",)
    ),
    "newest slicer-core": Environment(
        ROOT / ".venv-slicer", ("slicer-core", "vtk"), CONSTRAINTS_SLICER, "slicer", over="test"
    ),
    "peers": Environment(ROOT / ".venv-peers", PEERS, CONSTRAINTS_PEERS, PEERS_IMPORTS, over="test"),
}


def ensure(name: str) -> str:
    """Make or mend an environment and those below it; nothing happens where it is whole.

    Returns:
        Path of its Python.

    Raises:
        DevError: Something failed, or the developer has to do something first.
    """
    environment = ENVIRONMENTS[name]
    if environment.over:
        ensure(environment.over)
    if not is_whole(name):
        # No stamp means that a former set-up was interrupted; then nothing in the folder is trusted.
        if read_stamp(environment.folder).get("python") != python_identity():
            make(environment)
        (environment.folder / STAMP).unlink(missing_ok=True)
        install(environment)
        must([python_of(environment), "-c", f"import {environment.imports}"])
        (environment.folder / STAMP).write_text(json.dumps(stamp_of(name)), encoding="utf-8")
    return python_of(environment)


def is_whole(name: str) -> bool:
    """Whether an environment, or one that does for it, was made from what the files say now."""
    stamp = read_stamp(ENVIRONMENTS[name].folder)
    return any(
        stamp == stamp_of(other) for other in ENVIRONMENTS if other == name or name in ENVIRONMENTS[other].includes
    )


def make(environment: Environment) -> None:
    """Make an environment's folder anew, with nothing in it but pip; for one over another, that one's packages."""
    ensure_venv_module()
    print(f"Making {environment.folder} with Python {sys.version.split()[0]} …")
    options = ["--without-pip"] if environment.over else []
    must([sys.executable, "-m", "venv", "--clear", *options, str(environment.folder)])
    if environment.over:
        # A .pth file is read after the environment's own packages, which therefore win.
        base, layer = site_packages(ENVIRONMENTS[environment.over]), site_packages(environment)
        (layer / "mtann_base.pth").write_text(f"import site; site.addsitedir({str(base)!r})\n", encoding="utf-8")


def install(environment: Environment) -> None:
    """Install an environment's requirements."""
    print(f"Installing {', '.join(environment.requirements)} into {environment.folder} …")
    if environment.over:
        pip(environment, "--no-deps", *environment.requirements)
        return
    # Building with the environment's own setuptools keeps the build under the constraints, too.
    pip(environment, "pip>=22.3", "setuptools>=77")
    # One call for all, so that torch's pin holds for whoever asks for torch.
    editable = [part for item in environment.requirements for part in (["-e", item] if is_project(item) else [item])]
    pip(environment, "--no-build-isolation", *editable)


def pip(environment: Environment, *args: str) -> None:
    """Install under an environment's constraints, with its own pip or that of the one below it."""
    owner, target = environment, []
    if environment.over:
        owner, target = ENVIRONMENTS[environment.over], ["--python", python_of(environment)]
    # A person watches the progress of the large downloads; a log stays short.
    quiet = [] if sys.stdout.isatty() else ["--quiet"]
    must([python_of(owner), "-m", "pip", *target, "install", *quiet, "-c", str(environment.constraints), *args])


def is_project(requirement: str) -> bool:
    """Whether a requirement is this project."""
    return requirement.startswith(".")


def python_of(environment: Environment) -> str:
    """Path of an environment's Python."""
    return str(environment.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))


def site_packages(environment: Environment) -> Path:
    """Where an environment keeps its packages."""
    command = [python_of(environment), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    return Path(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())


def python_identity() -> str:
    """What an environment is tied to: the Python it was made with and the place where it lies."""
    return f"{sys.version} in {ROOT}"


def stamp_of(name: str) -> dict[str, str]:
    """What a set-up of an environment ends with; it differs whenever there is something to do."""
    environment = ENVIRONMENTS[name]
    files = [environment.constraints, *([PROJECT] if any(map(is_project, environment.requirements)) else [])]
    content = b"\0".join([repr(environment.requirements).encode(), *(path.read_bytes() for path in files)])
    return {"environment": name, "python": python_identity(), "inputs": hashlib.sha256(content).hexdigest()}


def read_stamp(folder: Path) -> dict[str, str]:
    """What a former set-up ended with; empty where none did."""
    try:
        return json.loads((folder / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
