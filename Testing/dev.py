"""Sets up, tests and shows MTANNDetect on a machine that has Python 3.10 or newer and nothing else.

    python Testing/dev.py setup            make both environments
    python Testing/dev.py demo [ARGS]      find lesions in a made-up head (arguments go to `mtann demo`)
    python Testing/dev.py test [ARGS]      run every test (arguments go to pytest)
    python Testing/dev.py lint             style and types
    python Testing/dev.py bench [NAME]     run a benchmark; without a name, list them

Each command first makes or mends what it needs: `.venv` beside the README, and for the tests `.venv-slicer`, a thin
layer over it with the newest slicer-core. Only the standard library is used here.
"""

import ast
import ctypes
import hashlib
import importlib.util
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

if sys.version_info < (3, 10):  # noqa: UP036  the one file that an older Python must be able to run, to be told so
    sys.exit("MTANNDetect needs Python 3.10 or newer; this is {}.{}.".format(*sys.version_info[:2]))

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_SLICER = ROOT / ".venv-slicer"
CONSTRAINTS = ROOT / "Testing" / "constraints.txt"
CONSTRAINTS_SLICER = ROOT / "Testing" / "constraints-slicer-newest.txt"
BENCHMARKS = ROOT / "Testing" / "benchmarks"
SLICER_TESTS = ROOT / "Testing" / "slicer"

# What to install: the library with its own dependencies runs the demo, "full" also tests.
TARGETS = {"base": ".", "full": ".[dev,slicer-tests]"}

# Qt and VTK load these; a server or container image often lacks them. Library -> Debian package.
SYSTEM_LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libX11.so.6": "libx11-6",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libxkbcommon.so.0": "libxkbcommon0",
}

STAMP = "mtann-stamp.json"  # the file in an environment whose presence says that it is whole
NO_TESTS_COLLECTED = 5  # pytest's exit code


class DevError(Exception):
    """Something the developer has to do first; the message is all there is to say."""


# --- Commands -------------------------------------------------------------------------------------------------------


def setup(_args: list[str]) -> int:
    """Make both environments and install the system libraries."""
    ensure_system_libraries()
    ensure_venv("full")
    ensure_slicer_venv()
    print("Ready: try `python Testing/dev.py demo`.")
    return 0


def demo(args: list[str]) -> int:
    """Find lesions in a made-up head with the bundled model."""
    ensure_venv("base")
    return call([python_of(VENV), "-m", "mtann", "demo", *args], cwd=Path.cwd())


def test(args: list[str]) -> int:
    """Run all tests, then those on Slicer's data nodes again with the newest slicer-core."""
    ensure_system_libraries()
    ensure_venv("full")
    results = [stage("tests", [python_of(VENV), "-m", "pytest", *args])]
    chosen = chosen_paths(args)
    if not chosen or any(overlap(path, SLICER_TESTS) for path in chosen):
        ensure_slicer_venv()
        # Where the developer chose no path, nothing outside this folder is meant.
        where = [] if chosen else [str(SLICER_TESTS)]
        command = [python_of(VENV_SLICER), "-m", "pytest", "--mrml-only", *args, *where]
        results.append(stage("tests of nodes, newest slicer-core", command, may_be_empty=bool(args)))
    return summarise(results)


def lint(_args: list[str]) -> int:
    """Check style and types."""
    ensure_venv("full")
    tools = (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"])
    return summarise([stage(shlex.join(tool), [python_of(VENV), "-m", *tool]) for tool in tools])


def bench(args: list[str]) -> int:
    """Run a benchmark by its name, or list them."""
    scripts = {path.stem: path for path in sorted(BENCHMARKS.glob("*.py")) if not path.stem.startswith("_")}
    if not args:
        for name, path in scripts.items():
            summary = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            print(f"{name:24} {summary.partition(chr(10))[0]}")
        return 0
    if args[0] not in scripts:
        raise DevError(f"There is no benchmark '{args[0]}'; there are: {', '.join(scripts)}.")
    ensure_venv("full")
    return call([python_of(VENV), str(scripts[args[0]]), *args[1:]], cwd=Path.cwd())


COMMANDS = {"setup": setup, "demo": demo, "test": test, "lint": lint, "bench": bench}


# --- Environments ---------------------------------------------------------------------------------------------------


def ensure_venv(level: str) -> None:
    """Bring `.venv` to a level of TARGETS; nothing happens where its stamp says that it is there already."""
    inputs = fingerprint(ROOT / "pyproject.toml", CONSTRAINTS)
    stamp = read_stamp(VENV)
    if stamp.get("inputs") == inputs and stamp.get("level") in (level, "full"):
        return
    # No stamp means that a former set-up was interrupted; then nothing in the folder is trusted.
    if stamp.get("python") != python_identity():
        ensure_venv_module()
        print(f"Making {VENV} with Python {sys.version.split()[0]} …")
        must([sys.executable, "-m", "venv", "--clear", str(VENV)])
    (VENV / STAMP).unlink(missing_ok=True)
    print(f"Installing {TARGETS[level]} and what it needs into {VENV} …")
    # Building with the environment's own setuptools keeps the build under the constraints, too.
    pip("pip>=22.3", "setuptools>=77", "-c", str(CONSTRAINTS))
    # One call for all, so that torch's pin holds for whoever asks for torch.
    pip("--no-build-isolation", "-c", str(CONSTRAINTS), "-e", TARGETS[level])
    write_stamp(VENV, inputs, level)


def ensure_slicer_venv() -> None:
    """Lay the newest slicer-core and its VTK over `.venv`; all other packages come from there."""
    inputs = fingerprint(CONSTRAINTS_SLICER)
    if read_stamp(VENV_SLICER).get("inputs") == inputs:
        return
    print(f"Making {VENV_SLICER} with the newest slicer-core …")
    must([sys.executable, "-m", "venv", "--clear", "--without-pip", str(VENV_SLICER)])
    pip("--no-deps", "-r", str(CONSTRAINTS_SLICER), into=VENV_SLICER)
    # A .pth file is read after the environment's own packages, which therefore win.
    base, layer = site_packages(VENV), site_packages(VENV_SLICER)
    (layer / "mtann_base.pth").write_text(f"import site; site.addsitedir({str(base)!r})\n", encoding="utf-8")
    write_stamp(VENV_SLICER, inputs, "full")


def python_of(venv: Path) -> str:
    """Path of an environment's Python."""
    return str(venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))


def site_packages(venv: Path) -> Path:
    """Where an environment keeps its packages."""
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    return Path(
        subprocess.run([python_of(venv), "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    )


def pip(*args: str, into: Path = VENV) -> None:
    """Install with the pip of `.venv`, there or into another environment."""
    target = [] if into == VENV else ["--python", python_of(into)]
    # A person watches the progress of the large downloads; a log stays short.
    quiet = [] if sys.stdout.isatty() else ["--quiet"]
    must([python_of(VENV), "-m", "pip", *target, "install", *quiet, *args])


def python_identity() -> str:
    """What an environment is tied to: the Python it was made with and the place where it lies."""
    return f"{sys.version} in {ROOT}"


def fingerprint(*files: Path) -> str:
    """A value that changes whenever an environment has to be brought up to date."""
    content = b"\0".join([python_identity().encode(), *(path.read_bytes() for path in files)])
    return hashlib.sha256(content).hexdigest()


def read_stamp(venv: Path) -> dict:
    """What a former set-up finished with; empty where none did."""
    try:
        return json.loads((venv / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def write_stamp(venv: Path, inputs: str, level: str) -> None:
    """Say that an environment is whole; the last step of a set-up."""
    stamp = {"python": python_identity(), "inputs": inputs, "level": level}
    (venv / STAMP).write_text(json.dumps(stamp), encoding="utf-8")


# --- The system -----------------------------------------------------------------------------------------------------


def ensure_venv_module() -> None:
    """Debian ships Python without the part that makes environments."""
    if importlib.util.find_spec("ensurepip") is None:
        apt_install(["python{}.{}-venv".format(*sys.version_info[:2])], "This Python cannot make environments")


def ensure_system_libraries() -> None:
    """See that Qt and VTK find the libraries that they draw with, also where there is no screen."""
    missing = [library for library in SYSTEM_LIBRARIES if not loads(library)] if sys.platform == "linux" else []
    if missing:
        apt_install([SYSTEM_LIBRARIES[library] for library in missing], f"The tests need {', '.join(missing)}")


def loads(library: str) -> bool:
    """Whether the system's loader finds a library."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def apt_install(packages: list[str], reason: str) -> None:
    """Install Debian packages where that needs no password; otherwise say the command."""
    print(f"{reason}.")
    by_hand = shlex.join(["apt-get", "install", "-y", "--no-install-recommends", *packages])
    if shutil.which("apt-get") is None:
        raise DevError(f"Install what provides it on your system. On Debian or Ubuntu that is: {by_hand}")
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if prefix and (shutil.which("sudo") is None or call([*prefix, "true"]) != 0):
        raise DevError(f"Run this, then try again:\n    sudo {by_hand}")
    apt = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"]
    must([*apt, "update"])
    must([*apt, "install", "-y", "--no-install-recommends", *packages])


# --- Running things -------------------------------------------------------------------------------------------------


def call(command: list[str], cwd: Path = ROOT) -> int:
    """Run a command without input and give its exit code. The surrounding Python's own settings stay outside."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONHOME", "PYTHONPATH")}
    environment.update(PYTHONNOUSERSITE="1", PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_NO_INPUT="1")
    sys.stdout.flush()
    return subprocess.run(command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL).returncode


def must(command: list[str]) -> None:
    """Run a command that has to succeed."""
    code = call(command)
    if code != 0:
        raise DevError(f"This command ended with exit code {code}:\n    {shlex.join(command)}")


def stage(name: str, command: list[str], may_be_empty: bool = False) -> tuple[str, str, float]:
    """Run a command; give its name, how it ended, and the seconds it took."""
    start = time.monotonic()
    code = call(command)
    if code == NO_TESTS_COLLECTED and may_be_empty:
        result = "nothing to run"
    else:
        result = "ok" if code == 0 else f"FAILED (exit code {code})"
    return name, result, time.monotonic() - start


def summarise(results: list[tuple[str, str, float]]) -> int:
    """Print a line for each stage; 1 if any failed."""
    for stage, result, seconds in results:
        print(f"{stage}: {result}, {seconds:.0f} s")
    return int(any("FAILED" in result for _, result, _ in results))


def chosen_paths(args: list[str]) -> list[Path]:
    """The test files and folders among pytest's arguments."""
    paths = [ROOT / arg.partition("::")[0] for arg in args if not arg.startswith(("-", "::"))]
    return [path.resolve() for path in paths if path.exists()]


def overlap(one: Path, other: Path) -> bool:
    """Whether one path lies inside the other."""
    return one.is_relative_to(other) or other.is_relative_to(one)


def main(arguments: list[str]) -> int:
    """Run one command."""
    if not arguments or arguments[0] not in COMMANDS:
        print(__doc__)
        return 0 if arguments in (["-h"], ["--help"]) else 2
    try:
        return COMMANDS[arguments[0]](arguments[1:])
    except DevError as problem:
        print(problem, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
