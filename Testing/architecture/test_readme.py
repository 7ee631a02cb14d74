"""What the documents at the root promise is there: files, commands with their options, buttons, packages."""

import ast
import re
import shlex
import textwrap
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import pytest

from mtann import cli

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
README = (ROOT / "README.md").read_text(encoding="utf-8")
PANEL = ROOT / "MTANNDetect" / "Resources" / "UI" / "MTANNDetect.ui"
REQUIREMENTS = ROOT / "MTANNDetect" / "Resources" / "requirements.txt"

# Slicer brings these itself or through its PyTorch extension.
SLICERS_OWN = {"numpy", "scipy", "simpleitk", "torch"}

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<code>.*?)^(?P=indent)```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(<?(?P<target>[^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
_PLACEHOLDER = re.compile(r"^[ \t]*[A-Z]+(?:_[A-Z]+)*[ \t]*$", re.MULTILINE)


class Block(NamedTuple):
    """A block of code in a document."""

    language: str
    code: str


def blocks(text: str) -> list[Block]:
    return [Block(match["language"], textwrap.dedent(match["code"])) for match in _FENCE.finditer(text)]


def relative_links(text: str) -> list[str]:
    """The files and folders that a text links to, places inside them left out."""
    targets = [match["target"].partition("#")[0] for match in _LINK.finditer(_FENCE.sub("", text))]
    return [target for target in targets if target and not re.match(r"[a-z][a-z0-9+.-]*:", target)]


def commands(text: str) -> list[str]:
    """The ``mtann`` command lines of a text's code blocks, comments left out."""
    lines = [line.strip() for block in blocks(text) if block.language != "python" for line in block.code.splitlines()]
    return [line.removeprefix("$ ") for line in lines if re.match(r"(\$ )?mtann\b", line)]


def accepts(command: str) -> bool:
    """Whether the real parser takes a command line; nothing is run."""
    given = shlex.split(command, comments=True)[1:]
    try:
        cli._parser(given)[0].parse_args(given)
    except SystemExit:
        return False
    return True


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_to_files_of_the_project(document, project_files):
    known = {place for path in project_files for place in (path, *path.parents)}
    links = relative_links((ROOT / document).read_text(encoding="utf-8"))
    missing = [link for link in links if (ROOT / link).resolve() not in known]
    assert not missing, f"{document} links to what is not there: {missing}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_no_placeholder_is_left(document):
    left = _PLACEHOLDER.findall((ROOT / document).read_text(encoding="utf-8"))
    assert not left, f"{document}: fill in {left}"


def test_python_snippets_are_python():
    snippets = [block.code for block in blocks(README) if block.language == "python"]
    assert snippets
    for snippet in snippets:
        ast.parse(snippet)


def test_snippets_name_models_that_exist():
    from mtann.models.catalogue import BUNDLED

    named = re.findall(r"\b(?:detect\(.*, |--model )\"?([a-z]+(?:-[a-z0-9]+)+)", README)
    bundled = {folder.name for folder in BUNDLED.iterdir()}
    # In a command line, "my-" marks a model that the reader has taught.
    unknown = {name for name in named if not name.startswith("my-")} - bundled
    assert named
    assert not unknown, f"no such bundled models: {unknown}"


@pytest.mark.parametrize("command", commands(README))
def test_commands_are_understood(command):
    assert accepts(command), f"mtann does not take: {command}"


def test_commands_are_found():
    assert any(command.startswith("mtann detect") for command in commands(README))


def test_buttons_are_called_as_in_the_panel():
    buttons = {
        text.text
        for widget in ElementTree.parse(PANEL).iter("widget")
        if widget.get("class") == "QPushButton"
        for text in widget.iterfind("property[@name='text']/string")
    }
    steps = README[README.index("## Use it in 3D Slicer") : README.index("From Slicer's Python console")]
    # Choices such as **model** begin with a small letter, buttons with a capital.
    pressed = set(re.findall(r"\*\*([A-Z][^*]*)\*\*", steps))
    assert {"Run", "Cancel"} <= pressed
    assert not pressed - buttons, "no such buttons"


def test_the_demonstration_is_where_the_readme_says():
    output = cli._parser(["demo"])[0].parse_args(["demo"]).output
    image = (output / "phantom" / "head.nii.gz").as_posix()
    heads = re.findall(r"[\w./-]*head\.nii\.gz", README)
    assert heads
    assert [head for head in heads if not head.endswith(image)] == []


def test_requirements_inside_slicer_are_complete():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    declared = re.search(r"^dependencies = \[(.*?)^\]", project, re.DOTALL | re.MULTILINE)[1]
    needed = {line for line in re.findall(r'"(.+?)"', declared) if _package(line) not in SLICERS_OWN}
    lines = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    assert {line for line in lines if line and not line.startswith("#")} == needed


def _package(requirement: str) -> str:
    return re.match(r"[\w.-]+", requirement)[0].lower()


def test_the_checks_themselves_tell_right_from_wrong():
    text = (
        "See [a](one.md#part), ![b](pictures/two.png) and [c](https://example.org), [d](#here).\n"
        "```\n$ mtann models list   # [e](three.md)\nmtanns\n```\n"
        "   ```python\n   mtann = 1\n   ```\n"
    )
    assert relative_links(text) == ["one.md", "pictures/two.png"]
    assert commands(text) == ["mtann models list   # [e](three.md)"]
    assert blocks(text)[1] == Block("python", "mtann = 1\n")
    assert _PLACEHOLDER.findall("A word\nDEMO_OUTPUT\n") == ["DEMO_OUTPUT"]
    assert accepts("mtann models list   # which there are")
    assert not accepts("mtann models list --loud")
    assert not accepts("mtann guess")
    assert not accepts("mtann detect a.nii.gz --output result")
