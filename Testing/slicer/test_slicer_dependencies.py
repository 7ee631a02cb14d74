"""What is missing is said, and installed only when asked for, with consent: Slicer's installers are made up here."""

import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

pytest.importorskip("slicer.util", reason="slicer-core is not installed (pip install slicer-core)")

import slicer
import slicer.util

from mtann.errors import CancelledError, MissingPackageError
from MTANNDetectLib import Dependencies
from MTANNDetectLib.Dependencies import (
    Missing,
    install,
    requirements,
    torchRequirement,
    torchWarning,
    whatIsMissing,
)

pytestmark = pytest.mark.slicer


ROOT = Path(Dependencies.__file__).resolve().parents[1]


class Machine:
    """Versions that are installed, and what was asked of the installers."""

    def __init__(self, monkeypatch):
        self.versions = {
            "numpy": "2.4.1",
            "vtk": "9.6.0",
            **{Dependencies._nameAndVersion(r)[0]: "999" for r in requirements()},
        }
        self.versions["torch"] = "2.13.0+cpu"
        self.asked = []
        self.constraints = ""
        self.declines = False
        monkeypatch.setattr(Dependencies, "_installedVersion", self.versions.get)
        monkeypatch.setattr("importlib.util.find_spec", lambda name: name if name in self.versions else None)
        self.testing = False
        monkeypatch.setattr(slicer, "app", types.SimpleNamespace(testingEnabled=lambda: self.testing), raising=False)
        utils = types.SimpleNamespace(PyTorchUtilsLogic=lambda: types.SimpleNamespace(installTorch=self.installTorch))
        monkeypatch.setitem(sys.modules, "PyTorchUtils", utils)
        self.packaging = types.SimpleNamespace(load_requirements=lambda path: path, pip_ensure=self.pipEnsure)
        monkeypatch.setitem(sys.modules, "slicer.packaging", self.packaging)

    def installTorch(self, askConfirmation=False, torchVersionRequirement=None):
        self.asked.append(("torch", askConfirmation, torchVersionRequirement))
        if self.declines:
            return None
        self.versions["torch"] = "2.12.0"
        return "torch"

    def pipEnsure(self, requirements, constraints=None, requester=None):
        self.asked.append(("pip_ensure", requester))
        self.constraints = Path(constraints).read_text(encoding="utf-8")
        if self.declines:
            raise RuntimeError("User declined package installation")
        self.versions["monai"] = "1.6.1"


@pytest.fixture
def machine(monkeypatch):
    return Machine(monkeypatch)


def test_nothing_is_missing_where_all_is_there(machine):
    assert not whatIsMissing()
    assert whatIsMissing().text == ""
    install()
    assert machine.asked == []


def test_what_is_missing_or_too_old_is_said(machine):
    del machine.versions["torch"]
    machine.versions["monai"] = "1.3.2"
    missing = whatIsMissing()
    assert missing == Missing(True, ("monai>=1.4",))
    assert missing.names == ("PyTorch", "monai")
    assert "PyTorch, monai. Press 'Install'" in missing.text
    machine.versions["torch"] = "2.4.1"
    assert whatIsMissing().torch
    machine.versions["torch"] = "2.10"
    assert not whatIsMissing().torch


def test_looking_imports_nothing():
    code = (
        "import sys\n"
        "for name in ('torch', 'monai', 'pydantic'): sys.modules[name] = None\n"
        "import MTANNDetectLib.Dependencies as d\n"
        "d.whatIsMissing()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})


def test_torch_comes_first_by_its_extension_and_pip_leaves_slicers_own_alone(machine):
    del machine.versions["torch"], machine.versions["monai"]
    said = []
    install(said.append)
    assert machine.asked == [("torch", True, torchRequirement()), ("pip_ensure", "MTANNDetect")]
    assert machine.constraints == "numpy==2.4.1\nvtk==9.6.0\ntorch==2.12.0\n"
    assert said[0].startswith("Installing PyTorch")
    assert said[-1].startswith("Everything")
    assert not whatIsMissing()


def test_versions_to_be_avoided_are_not_asked_for(monkeypatch):
    assert torchRequirement() == ">=2.5,!=2.9.*"
    monkeypatch.setattr(sys, "platform", "win32")
    assert torchRequirement() == ">=2.5,!=2.9.*,<2.13"


def test_a_slow_torch_is_warned_of(machine):
    assert torchWarning() == ""
    machine.versions["torch"] = "2.9.1"
    assert "four times slower" in torchWarning()
    machine.versions["torch"] = "2.90.0"
    assert torchWarning() == ""


@pytest.mark.parametrize("gone", ["torch", "monai"])
def test_a_user_who_declines_changes_nothing(machine, gone):
    del machine.versions[gone]
    machine.declines = True
    with pytest.raises(CancelledError, match="declined"):
        install()
    assert len(machine.asked) == 1


def test_without_the_pytorch_extension_it_is_said_how_to_get_it(machine, monkeypatch):
    del machine.versions["torch"]
    monkeypatch.setitem(sys.modules, "PyTorchUtils", None)
    with pytest.raises(MissingPackageError, match="Extensions Manager, install the extension 'PyTorch'"):
        install()


def test_in_testing_mode_nothing_is_installed_and_it_is_said(machine):
    del machine.versions["torch"]
    machine.testing = True
    with pytest.raises(MissingPackageError, match="testing mode nothing is installed. Missing: PyTorch"):
        install()
    assert machine.asked == []


def test_an_installer_that_does_nothing_is_noticed(machine):
    del machine.versions["monai"]
    machine.packaging.pip_ensure = lambda *arguments, **options: None
    with pytest.raises(MissingPackageError, match="still missing: monai. Restart Slicer"):
        install()


def test_a_failing_pip_is_told(machine):
    del machine.versions["monai"]

    def fail(*arguments, **options):
        raise subprocess.CalledProcessError(1, "pip")

    machine.packaging.pip_ensure = fail
    with pytest.raises(MissingPackageError, match=r"could not install monai>=1.4 \(exit code 1\)"):
        install()


@pytest.mark.parametrize("agrees", [True, False])
def test_before_slicer_5_12_it_asks_by_itself(machine, monkeypatch, agrees):
    del machine.versions["monai"]
    monkeypatch.setitem(sys.modules, "slicer.packaging", None)
    asked, installed = [], []

    def pipInstall(arguments):
        installed.append(arguments)
        machine.versions["monai"] = "1.6.1"

    monkeypatch.setattr(
        slicer.util, "confirmOkCancelDisplay", lambda *texts: asked.append(texts) or agrees, raising=False
    )
    monkeypatch.setattr(slicer.util, "pip_install", pipInstall, raising=False)
    if agrees:
        install()
        assert installed[0][:2] == ["monai>=1.4", "--constraint"]
    else:
        with pytest.raises(CancelledError):
            install()
        assert installed == []
    assert "monai>=1.4" in asked[0][0]
