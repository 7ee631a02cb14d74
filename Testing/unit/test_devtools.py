"""When an environment is made, mended or left alone, and by which commands."""

from dataclasses import replace
from pathlib import Path

import pytest

from devtools import environments
from devtools.environments import ENVIRONMENTS, Environment, ensure, read_stamp
from devtools.process import DevError, must

MAKE, PIP, INSTALL, CHECK = "venv --clear", "pip>=22.3", "--no-build-isolation", "-c import"


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Environment]:
    """The real table with its folders and constraints elsewhere."""
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("torch==1\n")
    made = {
        name: replace(environment, folder=tmp_path / environment.folder.name, constraints=constraints)
        for name, environment in ENVIRONMENTS.items()
    }
    monkeypatch.setattr(environments, "ENVIRONMENTS", made)
    monkeypatch.setattr(environments, "site_packages", lambda environment: environment.folder / "packages")
    return made


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The commands that would have run, as text."""
    commands: list[str] = []

    def run(command: list[str]) -> None:
        commands.append(" ".join(command))
        if MAKE in commands[-1]:
            (Path(command[-1]) / "packages").mkdir(parents=True, exist_ok=True)

    monkeypatch.setattr(environments, "must", run)
    return commands


def kinds(ran: list[str]) -> list[str]:
    """Which of the known kinds of command ran, in order; forgets them."""
    found = [next(kind for kind in (MAKE, PIP, INSTALL, CHECK, "--no-deps") if kind in command) for command in ran]
    ran.clear()
    return found


def test_what_is_missing_is_made_installed_and_tried_and_then_left_alone(table, ran):
    python = ensure("demo")
    assert Path(python).is_relative_to(table["demo"].folder)
    assert kinds(ran) == [MAKE, PIP, INSTALL, CHECK]
    assert ensure("demo") == python
    assert ran == []


def test_an_environment_with_more_does_for_the_one_with_less_and_not_the_other_way_round(table, ran):
    ensure("demo")
    kinds(ran)
    ensure("test")
    assert "-e .[dev,openvino,slicer-tests]" in ran[1]
    assert kinds(ran) == [PIP, INSTALL, CHECK]
    ensure("demo")
    assert ran == []


def test_new_constraints_mend_and_another_python_makes_anew(table, ran, monkeypatch):
    ensure("test")
    kinds(ran)
    table["test"].constraints.write_text("torch==2\n")
    ensure("test")
    assert kinds(ran) == [PIP, INSTALL, CHECK]
    monkeypatch.setattr(environments, "python_identity", lambda: "another Python")
    ensure("test")
    assert kinds(ran) == [MAKE, PIP, INSTALL, CHECK]


@pytest.mark.parametrize("failing", [PIP, INSTALL, CHECK])
def test_after_a_failure_nothing_in_the_folder_is_trusted(table, ran, monkeypatch, failing):
    run = environments.must

    def fail(command: list[str]) -> None:
        run(command)
        if failing in " ".join(command):
            raise DevError("no network")

    monkeypatch.setattr(environments, "must", fail)
    with pytest.raises(DevError, match="no network"):
        ensure("test")
    assert read_stamp(table["test"].folder) == {}
    kinds(ran)
    monkeypatch.setattr(environments, "must", run)
    ensure("test")
    assert kinds(ran) == [MAKE, PIP, INSTALL, CHECK]


def test_a_layer_takes_its_packages_and_its_pip_from_the_environment_below(table, ran):
    ensure("newest slicer-core")
    below, layer = table["test"].folder, table["newest slicer-core"].folder
    assert kinds(ran[4:]) == [MAKE, "--no-deps", CHECK]
    assert ran[5].startswith(f"{environments.python_of(table['test'])} -m pip --python {layer}")
    assert ran[5].endswith("--no-deps slicer-core vtk")
    assert str(below / "packages") in (layer / "packages" / "mtann_base.pth").read_text()


def test_a_command_that_fails_is_said_with_its_exit_code():
    with pytest.raises(DevError, match=r"exit code 3:\n    .*sys\.exit\(3\)"):
        must([environments.sys.executable, "-c", "import sys; sys.exit(3)"])
