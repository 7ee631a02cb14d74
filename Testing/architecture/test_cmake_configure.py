"""The extension configures: cmake runs on it, with a stand-in for Slicer's macros that checks what it is given."""

import json
import shutil
import subprocess
from pathlib import Path

import cmake
import pytest
from cmake_list import MODULE, RESOURCES, ROOT, SCRIPTS, listed

STANDIN = Path(__file__).resolve().parent / "slicer_standin"
# Nothing is compiled, so any program does for compiler and make.
NO_COMPILER = [
    "-G",
    "Unix Makefiles",
    f"-DCMAKE_MAKE_PROGRAM={shutil.which('true')}",
    *(f"-DCMAKE_{language}_COMPILER={shutil.which('true')}" for language in ("C", "CXX")),
    *(f"-DCMAKE_{language}_COMPILER_FORCED=TRUE" for language in ("C", "CXX")),
]


def configure(source: Path, build: Path) -> subprocess.CompletedProcess[str]:
    command = [Path(cmake.CMAKE_BIN_DIR) / "cmake", "-S", source, "-B", build, f"-DSlicer_DIR={STANDIN}"]
    return subprocess.run([*command, "-DBUILD_TESTING=ON", *NO_COMPILER], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> dict[str, str]:
    """What the stand-in was told."""
    build = tmp_path_factory.mktemp("build")
    done = configure(ROOT, build)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = (build / "told.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_cmake_is_new_enough_for_the_project():
    version = subprocess.run(
        [Path(cmake.CMAKE_BIN_DIR) / "cmake", "--version"], capture_output=True, text=True, check=True
    ).stdout.split()[2]
    assert tuple(map(int, version.split(".")[:2])) >= (3, 28)
    first = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8").splitlines()[0]
    assert first == "cmake_minimum_required(VERSION 3.28.0...3.28.0 FATAL_ERROR)"


def test_slicer_is_told_the_module_its_files_and_its_test(told):
    assert (told["MODULE_NAME"], told["TEST"], told["CPACK"]) == ("MTANNDetect", "MTANNDetect.py", "included")
    assert told["SCRIPTS"].split(";") == listed(SCRIPTS)
    assert told["RESOURCES"].split(";") == listed(RESOURCES)
    assert "mtann/worker/server.py" in told["SCRIPTS"].split(";")


def test_the_index_entry_fits_what_slicer_is_told(told):
    entry = json.loads((MODULE / "Resources" / "MTANNDetect.json").read_text(encoding="utf-8"))
    assert told["EXTENSION_NAME"] == MODULE.name == Path("MTANNDetect.json").stem
    assert told["EXTENSION_DEPENDS"].split(";") == entry["build_dependencies"]
    assert told["EXTENSION_HOMEPAGE"] == entry["scm_url"].removesuffix(".git")
    assert told["EXTENSION_HOMEPAGE"].endswith("/SlicerMTANNDetect")
    for name in ("ICONURL", "SCREENSHOTURLS"):
        assert all(url.startswith("https://") for url in told[f"EXTENSION_{name}"].split())
    assert len(told["EXTENSION_DESCRIPTION"]) > 40
    assert told["EXTENSION_CONTRIBUTORS"]


@pytest.mark.parametrize(
    ("file", "old", "new", "complaint"),
    [
        ("MTANNDetect/CMakeLists.txt", "  mtann/cli.py\n", "  mtann/absent.py\n", "not there: mtann/absent.py"),
        ("MTANNDetect/CMakeLists.txt", "WITH_GENERIC_TESTS", "WITH_GENERIC_TEST", None),
        ("MTANNDetect/CMakeLists.txt", "${MODULE_NAME}.py)", "Absent.py)", "test script is not there"),
        ("CMakeLists.txt", 'set(EXTENSION_DEPENDS "PyTorch")', "", "EXTENSION_DEPENDS is not set"),
        ("CMakeLists.txt", "VERSION 3.28.0...3.28.0", "VERSION 99.0", "or higher is required"),
    ],
)
def test_the_stand_in_notices_what_is_wrong(tmp_path, file, old, new, complaint):
    source = tmp_path / "source"
    shutil.copytree(MODULE, source / "MTANNDetect", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "CMakeLists.txt", source)
    text = (source / file).read_text(encoding="utf-8")
    assert old in text
    (source / file).write_text(text.replace(old, new), encoding="utf-8")
    done = configure(source, tmp_path / "build")
    assert done.returncode != 0
    assert complaint is None or complaint in " ".join((done.stdout + done.stderr).split())
