"""Sets up, tests and shows MTANNDetect on a machine that has Python 3.10 or newer and nothing else.

    python Testing/dev.py setup            make both environments
    python Testing/dev.py demo [ARGS]      find lesions in a made-up head (arguments go to `mtann demo`)
    python Testing/dev.py test [ARGS]      run every test (arguments go to pytest)
    python Testing/dev.py test --peers     the comparisons with other programs as well, or those that ARGS choose
    python Testing/dev.py lint             style and types
    python Testing/dev.py bench [NAME]     run a benchmark; without a name, list them
    python Testing/dev.py screenshots      make the pictures of the panel and of Slicer's views anew

Each command first makes or mends what it needs: `.venv` beside the README, and for the tests `.venv-slicer`, a thin
layer over it with the newest slicer-core, and `.venv-peers`, another with nnU-Net and its like. Only the standard
library is used here.
"""

import sys

if sys.version_info < (3, 10):  # noqa: UP036  the one file that an older Python must be able to run, to be told so
    sys.exit("MTANNDetect needs Python 3.10 or newer; this is {}.{}.".format(*sys.version_info[:2]))

import ast
import shlex
import time
from pathlib import Path

from devtools.environments import ensure
from devtools.process import ROOT, DevError, call
from devtools.system import ensure_system_libraries

BENCHMARKS = ROOT / "Testing" / "benchmarks"
SLICER_TESTS = ROOT / "Testing" / "slicer"
PEER_TESTS = ROOT / "Testing" / "peers"
NO_TESTS_COLLECTED = 5  # pytest's exit code


# --- Commands -------------------------------------------------------------------------------------------------------


def setup(_args: list[str]) -> int:
    """Make both environments and install the system libraries."""
    ensure_system_libraries()
    ensure("newest slicer-core")
    print("Ready: try `python Testing/dev.py demo`.")
    return 0


def demo(args: list[str]) -> int:
    """Find lesions in a made-up head with the bundled model."""
    return call([ensure("demo"), "-m", "mtann", "demo", *args], cwd=Path.cwd())


def test(args: list[str]) -> int:
    """Run all tests, then those on Slicer's data nodes again with the newest slicer-core; with --peers, comparisons."""
    ensure_system_libraries()
    with_peers, args = "--peers" in args, [arg for arg in args if arg != "--peers"]
    results = [stage("tests", [ensure("test"), "-m", "pytest", *args], may_be_empty=with_peers and bool(args))]
    chosen = chosen_paths(args)
    if not chosen or any(overlap(path, SLICER_TESTS) for path in chosen):
        # Where the developer chose no path, nothing outside this folder is meant.
        where = [] if chosen else [str(SLICER_TESTS)]
        command = [ensure("newest slicer-core"), "-m", "pytest", "--mrml-only", *args, *where]
        results.append(stage("tests of nodes, newest slicer-core", command, may_be_empty=bool(args)))
    if with_peers:
        where = [] if chosen else [str(PEER_TESTS)]
        command = [ensure("peers"), "-m", "pytest", "--peers-only", *args, *where]
        results.append(stage("comparisons with other programs", command, may_be_empty=bool(args)))
    return summarise(results)


def lint(_args: list[str]) -> int:
    """Check style and types."""
    python = ensure("test")
    tools = (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"])
    return summarise([stage(shlex.join(tool), [python, "-m", *tool]) for tool in tools])


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
    return call([ensure("test"), str(scripts[args[0]]), *args[1:]], cwd=Path.cwd())


def screenshots(args: list[str]) -> int:
    """Make the pictures in Resources/Screenshots anew; `--all --output DIR` shows the panel in every state."""
    ensure_system_libraries()
    python = ensure("test")
    results = [stage("panel", [python, str(SLICER_TESTS / "panel_pictures.py"), *args])]
    if not args:
        results.append(stage("views", [python, str(SLICER_TESTS / "render_screenshot.py")]))
    return summarise(results)


COMMANDS = {"setup": setup, "demo": demo, "test": test, "lint": lint, "bench": bench, "screenshots": screenshots}


# --- Running things -------------------------------------------------------------------------------------------------


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
