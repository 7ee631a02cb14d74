"""What is committed names no machine or tool it was made with; licence and requirements are as promised."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Written in pieces, so that this file does not contain what it looks for. Jane is the made-up user of the tests.
NOT_OURS_TO_NAME = {
    "a path of one machine": [
        r"(?<![\w.~*])/" + r"(work|root)/",
        r"(?<![\w.~*])/" + r"(home|Users)/(?!jane/)",
        r"(?<![\w.])/" + r"opt/(wheels|pypi)",
        r"[A-Za-z]:\\+" + r"Users\\+(?!jane\b)\w",
        r"/tmp/" + r"probe",
    ],
    "a package index": [
        r"py" + r"pi\.(org|python\.org)",
        r"python" + r"hosted\.org",
        r"download\.py" + r"torch\.org",
        r"deb\.deb" + r"ian\.org",
        r"registry\.npm" + r"js\.org",
        r"--(extra-)?index" + r"-url",
    ],
    "a developer's tool": [
        r"(?i)\b(clau" + r"de|anth" + r"ropic|co" + r"pilot|chat" + r"gpt|open" + r"ai)\b",
        r"\.lib" + r"rary/",
        r"\bissues " + r"show\b",
    ],
}

# Slicer brings these itself or through its PyTorch extension; pip must not touch them there.
SLICERS_OWN = {"numpy", "simpleitk", "vtk", "torch", "torchvision"}


def test_no_text_names_the_machine_it_was_made_on(project_files):
    problems = [problem for path in project_files for problem in problems_in(path)]
    assert not problems, "\n".join(["", *problems])


def problems_in(path: Path) -> list[str]:
    content = path.read_bytes()
    if b"\0" in content:
        return []  # not text
    place = path.relative_to(ROOT).as_posix()
    return [
        f"{place}:{number}: names {what}: {line.strip()[:100]}"
        for number, line in enumerate(content.decode("utf-8").splitlines(), start=1)
        for what in things_named(line)
    ]


def things_named(line: str) -> list[str]:
    return [what for what, patterns in NOT_OURS_TO_NAME.items() if any(re.search(p, line) for p in patterns)]


def test_the_check_itself_tells_them_apart():
    assert things_named("see /ho" + "me/someone/notes.txt") == ["a path of one machine"]
    assert things_named("C:" + "\\Users\\Someone\\scan.nii") == ["a path of one machine"]
    assert things_named("/home/jane/scan.nii and C:\\Users\\jane\\scan.nii") == []
    assert things_named("pip install --index" + "-url https://example.org") == ["a package index"]
    assert things_named("from mtann.networks import build; url = 'docs/work/list'; 'x/home/y'") == []


def test_the_licence_is_apache_2():
    licence = (ROOT / "LICENSE.txt").read_text(encoding="utf-8")
    assert "Apache License" in licence
    assert "Version 2.0, January 2004" in licence
    assert 'license = "Apache-2.0"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_requirements_inside_slicer_leave_its_own_packages_alone():
    requirements = ROOT / "MTANNDetect" / "Resources" / "requirements.txt"
    assert requirements.is_file(), f"{requirements.relative_to(ROOT)} is missing; the panel installs from it"
    lines = [line.partition("#")[0].strip() for line in requirements.read_text(encoding="utf-8").splitlines()]
    for line in filter(None, lines):
        match = re.fullmatch(r"(?P<name>[\w.-]+)(\[[\w,-]+\])?\s*>=\s*[\d.]+(\s*;.*)?", line)
        assert match, f"'{line}': write NAME>=VERSION, nothing tighter; other extensions share these packages"
        assert match["name"].lower() not in SLICERS_OWN, f"'{line}': {match['name']} is Slicer's own"


def test_every_dependency_is_pinned_for_development():
    declared = re.findall(r'"([\w.-]+)(?:\[[\w,-]+\])?>=', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    pins = (ROOT / "Testing" / "constraints.txt").read_text(encoding="utf-8").lower()
    unpinned = [name for name in declared if f"\n{name.lower()}==" not in pins]
    assert declared
    assert not unpinned, f"add these, and what they bring, to Testing/constraints.txt: {unpinned}"
