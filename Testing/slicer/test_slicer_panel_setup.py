"""A fresh Slicer: the panel says what is missing, installs it on the user's press, and goes on."""

import types

import pytest

pytest.importorskip("slicer.util", reason="slicer-core is not installed (pip install slicer-core)")
pytest.importorskip("PySide6.QtUiTools", reason="PySide6 is not installed (pip install PySide6-Essentials)")

import slicer
from panels import ONE, Installer, Logic, Panel
from standins.strict import plain

from mtann.errors import CancelledError, MissingPackageError
from MTANNDetectLib import Dependencies
from MTANNDetectLib.Presenters.RunPresenter import ComputeDevice, Failure

pytestmark = pytest.mark.slicer

WHAT = "MTANNDetect needs Python packages that are not installed yet: PyTorch."


@pytest.fixture
def fresh(monkeypatch, scene):
    made = Panel(monkeypatch, Logic(MissingPackageError("torch is missing")), installer=Installer(WHAT))
    yield made
    made.panel.cleanup()


def test_what_is_missing_is_shown_first(fresh):
    assert fresh.isShown("setupSection")
    assert fresh.ui.setupLabel.text == WHAT
    assert not fresh.ui.runButton.enabled
    assert fresh.ui.expectationLabel.text == "There is no model to run; the reason stands below."
    fresh.panel.enter()
    # Nobody starts a worker that could not work.
    assert not hasattr(fresh.runner, "warm")
    assert fresh.runner.loaded == []


def test_installing_goes_on_to_the_models_and_the_worker(fresh):
    fresh.logic.listed = (ONE,)
    fresh.press("installButton")
    assert fresh.installer.installs == 1
    assert not fresh.isShown("setupSection")
    assert fresh.ui.modelSelector.currentText == "one (MTANN, bundled)"
    assert fresh.runner.loaded == [ONE.directory]
    ready, failed = fresh.runner.warm
    fresh.runner.known = (ComputeDevice("cpu", "Processor"),)
    ready()
    assert plain(fresh.ui.deviceSelector).itemText(1) == "cpu: Processor"
    failed(Failure("The worker cannot be started.", "Restart Slicer."))
    assert fresh.ui.statusLabel.text == "The worker cannot be started. Restart Slicer."


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (CancelledError("PyTorch was not installed, since you declined."), "since you declined"),
        (MissingPackageError("pip could not install monai."), "pip could not install monai."),
        (OSError("no network"), "The installation failed (no network)."),
    ],
)
def test_why_nothing_was_installed_stays_to_be_read(fresh, error, said):
    fresh.installer.error = error
    fresh.press("installButton")
    assert said in fresh.ui.setupLabel.text
    assert fresh.isShown("setupSection")
    assert fresh.ui.installButton.enabled


def test_in_testing_mode_the_button_explains_itself(monkeypatch, scene):
    """With the real installer and torch absent, as on the extension index's build machines."""
    monkeypatch.setattr(Dependencies, "_isThere", lambda name, version: name != "torch")
    panel = Panel(monkeypatch, installer=Dependencies)
    monkeypatch.setattr(slicer, "app", types.SimpleNamespace(testingEnabled=lambda: True), raising=False)
    assert "PyTorch" in panel.ui.setupLabel.text
    panel.press("installButton")
    assert "testing mode nothing is installed" in panel.ui.setupLabel.text
    assert "Missing: PyTorch" in panel.ui.setupLabel.text
    panel.panel.cleanup()


def test_every_control_explains_itself_where_torch_is_absent(fresh):
    from PySide6.QtWidgets import QAbstractButton

    buttons = [
        one for one in plain(fresh.panel.root).findChildren(QAbstractButton) if not one.objectName().startswith("qt_")
    ]
    assert len(buttons) > 15
    assert [one.objectName() for one in buttons if not one.toolTip()] == []


def test_nothing_is_shown_where_everything_is_there(monkeypatch, scene):
    panel = Panel(monkeypatch)
    assert not panel.isShown("setupSection")
    panel.panel.cleanup()


def test_the_chosen_model_is_loaded_ahead_of_its_first_run(monkeypatch, scene, oblique_image):
    panel = Panel(monkeypatch)
    first, second = (model.directory for model in panel.logic.listed[:2])
    panel.ui.modelSelector.currentIndex = 1
    panel.ui.modelSelector.currentIndex = 0
    # A panel that nobody has come to yet starts nothing.
    assert panel.runner.loaded == []
    panel.panel.enter()
    panel.panel.enter()
    assert panel.runner.loaded == [first]
    panel.ui.modelSelector.currentIndex = 1
    assert panel.runner.loaded == [first, second]
    panel.ui.modelSelector.currentIndex = 0
    panel.ui.channelSelector0.setCurrentNode(oblique_image)
    panel.press("runButton")
    # During a run nothing is loaded; what was chosen meanwhile is loaded after it.
    panel.ui.modelSelector.currentIndex = 1
    assert panel.runner.loaded == [first, second, first]
    panel.runner.detect()
    assert panel.runner.loaded == [first, second, first, second]
    panel.panel.cleanup()


def test_after_a_worker_that_could_not_start_the_next_visit_loads_again(monkeypatch, scene):
    panel = Panel(monkeypatch)
    panel.panel.enter()
    panel.runner.warm[1](Failure("The worker cannot be started.", "Restart Slicer."))
    panel.panel.enter()
    assert panel.runner.loaded == [ONE.directory, ONE.directory]
    panel.panel.cleanup()
