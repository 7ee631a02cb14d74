"""What all tests share: the real scans, the project's files, hypothesis, and the rule that CI skips nothing."""

import os
import subprocess
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parent.parent

# With this set, a test that cannot run fails: CI has everything, so a skip there hides a broken set-up.
REQUIRE_ALL = os.environ.get("MTANN_REQUIRE_ALL", "") not in ("", "0")

# Qt draws into memory, so that no test needs a screen.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

# The first call of anything in torch or SimpleITK is slow, so no single example has a deadline.
hypothesis.settings.register_profile(
    "mtann", deadline=None, max_examples=50, derandomize=bool(os.environ.get("CI")), print_blob=True
)
hypothesis.settings.load_profile("mtann")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--mrml-only",
        action="store_true",
        help="only tests marked 'slicer' and not 'views': those that any version of slicer-core must pass",
    )

    parser.addoption(
        "--peers-only",
        action="store_true",
        help="only tests marked 'peers', which need the environment with nnU-Net and its like; else they are left out",
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    # Files in this folder import peers, which the main environment does not have.
    is_peer = collection_path.is_relative_to(ROOT / "Testing" / "peers")
    return True if is_peer and not config.getoption("--peers-only") else None


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "views: renders through trame-slicer, which needs its own slicer-core")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    peers = config.getoption("--peers-only")
    wanted = [item for item in items if (item.get_closest_marker("peers") is not None) == peers]
    if config.getoption("--mrml-only"):
        wanted = [i for i in wanted if i.get_closest_marker("slicer") and not i.get_closest_marker("views")]
    config.hook.pytest_deselected(items=[item for item in items if item not in wanted])
    items[:] = wanted


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    report = yield
    # A GPU is the one thing that CI may lack; an expected failure counts as "skipped", too, and is none.
    if report.skipped and not hasattr(report, "wasxfail") and not item.get_closest_marker("gpu"):
        fail_if_all_required(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    report = yield
    if report.skipped:
        fail_if_all_required(report)
    return report


def fail_if_all_required(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure where nothing may be skipped."""
    if REQUIRE_ALL:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"MTANN_REQUIRE_ALL is set, and this was not run. {reason}"


@pytest.fixture(scope="session")
def scans() -> Path:
    """The folder with the real scans; its manifest.json names each file, its source and its checksum."""
    named = os.environ.get("MTANN_SCANS")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if not (folder / "manifest.json").is_file():
        pytest.skip(f"no real scans: {folder} has no manifest.json; set MTANN_SCANS to the folder that has them")
    return folder


@pytest.fixture(scope="session")
def project_files() -> list[Path]:
    """Every file that is or would be committed."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listing = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
        paths = [ROOT / name for name in listing.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        # A copy without git: everything but environments, caches and other folders that begin with a dot or are made.
        paths = [path for path in ROOT.rglob("*") if not made_by_tools(path.relative_to(ROOT))]
    return sorted(path for path in paths if path.is_file())


def made_by_tools(path: Path) -> bool:
    """Whether a path lies in a folder that tools make and .gitignore leaves out."""
    made = {"__pycache__", "build", "dist", "out"}
    return any(part in made or part.endswith(".egg-info") or part.startswith(".") for part in path.parts[:-1])
