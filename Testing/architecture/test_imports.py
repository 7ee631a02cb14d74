"""Modules import only what stands below them, and importing the library is quick and needs no heavy package."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

LIBRARY = Path(__file__).resolve().parents[2] / "MTANNDetect" / "mtann"

# From the ground up. A module imports its own row and the rows above it in this list; a package counts as one name.
ORDER = (
    ("version", "errors"),
    ("geometry", "memory", "optional", "output_folder", "progress", "settings"),
    ("volume*",),
    ("phantoms", "planning", "preprocess", "sampling"),
    ("cases",),
    ("data_set",),
    ("backends", "networks", "synthetic"),
    ("inference", "training"),
    ("detection",),
    ("evaluation", "explanation", "models"),
    ("report",),
    ("given_files",),
    ("scanning", "study_files"),
    ("fitting",),
    ("out_of_fold", "stages"),
    ("experts", "thinning"),
    ("choosing",),
    ("training_report",),
    ("explaining", "pipeline", "retrain", "teach"),
    ("uncertain",),
    ("enhancement", "filtering", "segmentation"),
    ("unets",),
    ("__main__", "cli", "commands", "worker"),
    ("",),  # mtann/__init__.py
)

# A trained network is used without what trains it, and trained without what uses it.
STRANGERS = {frozenset({"inference", "training"})}

# These exist only inside Slicer; the library also runs without it.
SLICER_ONLY = {"MTANNDetect", "MTANNDetectLib", "PythonQt", "ctk", "qt", "slicer", "vtk", "vtkmodules"}

IMPORTING_CALLS = {"__import__", "import_module", "require"}

SOURCES = sorted(LIBRARY.rglob("*.py"))


def row_of(name: str) -> int:
    """Where in ORDER a module of the library stands."""
    for row, names in enumerate(ORDER):
        if any(name == known or (known.endswith("*") and name.startswith(known[:-1])) for known in names):
            return row
    pytest.fail(
        f"mtann/{name} has no place in the import order. Add it to ORDER in {Path(__file__).name}, as low as what it "
        "imports allows."
    )


def name_in_library(path: Path) -> str:
    """The first name below `mtann` of a file: its package's, or its own."""
    first = path.relative_to(LIBRARY).parts[0].removesuffix(".py")
    return "" if first == "__init__" else first


def imported_modules(path: Path, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything a file imports, inside functions and by name in a string, too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join([*package_above(path, node.level), *filter(None, [node.module])])
            # `from mtann import geometry` imports a module, `from mtann.geometry import Geometry` a name in one.
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = ast.unparse(node.func).rpartition(".")[2]
            if called in IMPORTING_CALLS and isinstance(node.args[0].value, str):
                yield node.lineno, node.args[0].value


def package_above(path: Path, level: int) -> list[str]:
    """The package that the dots of a relative import stand for; none without dots."""
    parents = ["mtann", *path.relative_to(LIBRARY).parts[:-1]]
    return parents[: len(parents) - level + 1] if level else []


def own_target(module: str) -> str | None:
    """The first name below `mtann` of what is imported; None for other packages."""
    package, _, rest = module.partition(".")
    if package != "mtann":
        return None
    first = rest.partition(".")[0]
    is_module = (LIBRARY / f"{first}.py").exists() or (LIBRARY / first).is_dir()
    return first if is_module else ""


def problems_in(path: Path, source: str) -> list[str]:
    """Imports of one file that break the order."""
    name = name_in_library(path)
    problems = []
    for line, module in imported_modules(path, ast.parse(source)):
        place = f"mtann/{path.relative_to(LIBRARY).as_posix()}:{line}"
        target = own_target(module)
        if module.partition(".")[0] in SLICER_ONLY:
            problems.append(f"{place}: imports {module}, which only the Slicer side may")
        elif target is not None and target != name:
            if row_of(target) > row_of(name):
                problems.append(f"{place}: imports {module}, which stands above it")
            elif frozenset({name, target}) in STRANGERS:
                problems.append(f"{place}: {name} and {target} do not import each other")
    return problems


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(LIBRARY).as_posix())
def test_imports_point_downwards(path):
    row_of(name_in_library(path))
    problems = problems_in(path, path.read_text(encoding="utf-8"))
    assert not problems, "\n".join(["", *problems])


@pytest.mark.parametrize(
    ("file", "source", "complaint"),
    [
        ("geometry.py", "from mtann.volume import Volume", "stands above it"),
        ("geometry.py", "def f():\n    import mtann.volume", "stands above it"),
        ("geometry.py", "from .volume import Volume", "stands above it"),
        ("geometry.py", "from mtann import __version__", "stands above it"),
        ("detection/candidate.py", "from ..report import anything", "stands above it"),
        ("training/loop.py", "from mtann.inference import anything", "do not import each other"),
        ("volume.py", "require('slicer', 'this')", "only the Slicer side may"),
        ("volume.py", "import vtkmodules.util", "only the Slicer side may"),
        ("volume.py", "from mtann.geometry import Geometry\nfrom mtann import errors\nimport numpy", None),
        ("detection/candidate.py", "from . import other\nfrom .other import name\nfrom ..geometry import x", None),
    ],
)
def test_the_check_itself_tells_them_apart(file, source, complaint):
    problems = problems_in(LIBRARY / file, source)
    assert [complaint in problem for problem in problems] == ([True] if complaint else [])


def test_packages_are_packages_and_none_is_empty():
    folders = {path.parent for path in SOURCES}
    without_init = [folder.name for folder in folders if not (folder / "__init__.py").exists()]
    assert not without_init, f"no __init__.py in {without_init}"
    empty = [folder.name for folder in folders if all(only_a_docstring(path) for path in folder.rglob("*.py"))]
    assert not empty, f"a room is added when something lives in it; these are empty: {sorted(empty)}"


def only_a_docstring(path: Path) -> bool:
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return all(isinstance(step, ast.Expr) and isinstance(step.value, ast.Constant) for step in body)


BLOCK_HEAVY_PACKAGES = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "SimpleITK", "scipy", "matplotlib", "pydantic"}:
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Blocker())
"""


def run_python(code: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(LIBRARY.parent)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_the_library_needs_no_heavy_package():
    assert run_python(BLOCK_HEAVY_PACKAGES + "import mtann; print(mtann.__version__)")


def test_importing_the_library_loads_no_heavy_package():
    heavy = "{'torch', 'matplotlib', 'pydantic', 'SimpleITK', 'scipy'}"
    assert run_python(f"import mtann, sys; print(sorted({heavy} & set(sys.modules)))") == "[]"


def test_importing_the_library_is_quick():
    code = "import time; start = time.perf_counter(); import mtann; print(time.perf_counter() - start)"
    # The quickest of three, since other work may hold the machine up.
    assert min(float(run_python(code)) for _ in range(3)) < 0.3
