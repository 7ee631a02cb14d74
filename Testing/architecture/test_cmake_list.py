"""What Slicer packages is what is in the tree, and the index entry says what the CMake file says."""

import json
import re
import struct

import pytest
from cmake_list import MODULE, RESOURCES, ROOT, SCRIPTS, listed, shipped

HINT = "Run: python Testing/architecture/cmake_list.py --write"


@pytest.mark.parametrize("name", [SCRIPTS, RESOURCES])
def test_the_list_equals_the_tree(name, project_files):
    assert listed(name) == shipped(name, project_files), HINT


def _extension(name):
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    return re.search(rf'^set\(EXTENSION_{name} "([^"]*)"\)', text, flags=re.MULTILINE).group(1)


def _entry():
    return json.loads((MODULE / "Resources" / "MTANNDetect.json").read_text(encoding="utf-8"))


def test_the_index_entry_agrees_with_the_extension():
    entry = _entry()
    assert entry["build_dependencies"] == _extension("DEPENDS").split()
    assert entry["scm_url"].removesuffix(".git") == _extension("HOMEPAGE")
    assert "project(MTANNDetect)" in (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    assert f'parent.categories = ["{entry["category"]}"]' in (MODULE / "MTANNDetect.py").read_text(encoding="utf-8")


def test_the_index_entry_has_only_the_schemas_fields():
    allowed = {
        "$schema",
        "category",
        "scm_url",
        "scm_revision",
        "scm_type",
        "build_dependencies",
        "build_subdirectory",
        "enabled",
        "tier",
    }
    entry = _entry()
    assert set(entry) <= allowed
    assert {"$schema", "category", "scm_url"} <= set(entry)
    assert 1 <= entry["tier"] <= 5


@pytest.mark.parametrize("path", ["MTANNDetect.png", "MTANNDetect/Resources/Icons/MTANNDetect.png"])
def test_icons_are_128_pixels_square(path):
    header = (ROOT / path).read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", header[16:24]) == (128, 128)


def test_pictures_named_in_the_extension_are_committed(project_files):
    for name in ("ICONURL", "SCREENSHOTURLS"):
        for url in _extension(name).split():
            assert url.startswith("https://raw.githubusercontent.com/")
            assert ROOT / url.split("/main/", 1)[1] in project_files


def test_requirements_never_touch_what_slicer_brings():
    lines = (MODULE / "Resources" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = [line for line in lines if line and not line.startswith("#")]
    assert wanted
    for line in wanted:
        name, version = line.split(">=")
        assert re.fullmatch(r"[0-9.]+", version)
        assert name.lower() not in {"numpy", "simpleitk", "vtk", "torch", "scipy"}
