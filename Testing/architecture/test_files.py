"""Files and functions stay small, and shipped code keeps to what a library may do."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "MTANNDetect"

LONGEST_FILE = 300
LONGEST_FUNCTION = 60

CATCH_ALL = {"Exception", "BaseException"}


@pytest.fixture(scope="module")
def sources(project_files: list[Path]) -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in project_files if path.suffix == ".py"}


@pytest.fixture(scope="module")
def shipped(sources: dict[Path, ast.Module]) -> dict[Path, ast.Module]:
    return {path: tree for path, tree in sources.items() if path.is_relative_to(SHIPPED)}


def test_the_sources_are_found(shipped):
    assert SHIPPED / "mtann" / "__init__.py" in shipped


def test_a_file_holds_one_concept(sources):
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in sources}
    report({f"{place(path)}: {n} lines; split it" for path, n in lengths.items() if n > LONGEST_FILE})


def test_functions_are_short(sources):
    report(
        f"{place(path, node)}: {node.name} has {lines_of(node)} lines; at most {LONGEST_FUNCTION}"
        for path, node in nodes(sources, ast.FunctionDef | ast.AsyncFunctionDef)
        if lines_of(node) > LONGEST_FUNCTION
    )


def test_shipped_code_raises_instead_of_asserting(shipped):
    # `python -O` removes assertions, and their messages are not written for users.
    report(f"{place(path, node)}: assert" for path, node in nodes(shipped, ast.Assert))


def test_shipped_code_does_not_print(shipped):
    # Inside Slicer nobody reads it; in the worker it would break the protocol on stdout.
    report(
        f"{place(path, node)}: print"
        for path, node in nodes(shipped, ast.Call)
        if isinstance(node.func, ast.Name) and node.func.id == "print"
    )


def test_no_error_is_swallowed(shipped):
    report(
        f"{place(path, node)}: name the errors that are meant, or handle them"
        for path, node in nodes(shipped, ast.ExceptHandler)
        if node.type is None or (catches_all(node) and does_nothing(node))
    )


@pytest.mark.parametrize(
    ("handler", "swallows"),
    [
        ("except Exception: pass", True),
        ("except (ValueError, BaseException): ...", True),
        ("except builtins.Exception: pass", True),
        ("except ValueError: pass", False),
        ("except Exception: clean_up()", False),
    ],
)
def test_the_check_itself_tells_them_apart(handler, swallows):
    (node,) = ast.parse(f"try: run()\n{handler}").body[0].handlers
    assert (catches_all(node) and does_nothing(node)) is swallows


def nodes(sources: dict[Path, ast.Module], kind: type) -> Iterator[tuple[Path, ast.AST]]:
    """All syntax nodes of a kind, each with its file."""
    for path, tree in sources.items():
        yield from ((path, node) for node in ast.walk(tree) if isinstance(node, kind))


def lines_of(node: ast.AST) -> int:
    return node.end_lineno - node.lineno + 1


def catches_all(handler: ast.ExceptHandler) -> bool:
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(ast.unparse(error).rpartition(".")[2] in CATCH_ALL for error in caught if error)


def does_nothing(handler: ast.ExceptHandler) -> bool:
    return all(
        isinstance(step, ast.Pass) or (isinstance(step, ast.Expr) and isinstance(step.value, ast.Constant))
        for step in handler.body
    )


def place(path: Path, node: ast.AST | None = None) -> str:
    where = path.relative_to(ROOT).as_posix()
    return f"{where}:{node.lineno}" if node else where


def report(problems) -> None:
    """Fail with all problems at once."""
    found = sorted(problems)
    assert not found, "\n".join(["", *found])
