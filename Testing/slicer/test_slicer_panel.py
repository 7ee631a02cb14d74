"""The panel on its real .ui file, driven by a made-up backend behind stand-ins as strict as PythonQt."""

import importlib
import sys
import types
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("slicer.util", reason="slicer-core is not installed (pip install slicer-core)")
pytest.importorskip("PySide6.QtUiTools", reason="PySide6 is not installed (pip install PySide6-Essentials)")

import slicer
import slicer.util
from nodes import put_under, rigid
from PySide6.QtWidgets import QApplication
from results import make_result
from standins.module import MODULE_FOLDER, scriptedLoadableModule
from standins.strict import plain
from standins.ui import loadUI

from mtann.errors import CancelledError, MissingPackageError, ModelError, SettingsError
from mtann.progress import Progress
from MTANNDetectLib.Models import ModelChoice
from MTANNDetectLib.ResultAdapter import nodesFromResult
from MTANNDetectLib.VolumeAdapter import volumeFromNode
from MTANNDetectLib.Widget import DetectPanel, connect, thresholdFromText

pytestmark = pytest.mark.slicer

UI_FILE = MODULE_FOLDER / "Resources" / "UI" / "MTANNDetect.ui"
MODELS = (
    ModelChoice("one", ("flair",), "finds one", Path("bundled", "one")),
    ModelChoice("two", ("t1", "t1c"), "finds two", Path("bundled", "two")),
)
FIVE = ModelChoice("five", ("a", "b", "c", "d", "e"), "finds five", Path("bundled", "five"))


class Backend:
    """Records how it was called, and does what ``during`` says in the middle of a run."""

    def __init__(self, during=lambda: None, models=MODELS):
        self.during = during
        self.calls = []
        self._models = models

    def models(self):
        if isinstance(self._models, Exception):
            raise self._models
        return self._models

    def detect(self, volumeNodes, model, **options):
        self.calls.append((volumeNodes, model, options))
        options["progress"](Progress("scan", 0.4, "Scanning"))
        self.during()
        if options["cancelled"]():
            raise CancelledError("stopped")
        node = next(iter(volumeNodes.values()))
        return nodesFromResult(make_result(volumeFromNode(node).geometry), node)


@pytest.fixture(scope="session")
def application():
    return QApplication.instance() or QApplication([])


@pytest.fixture
def messages(monkeypatch, scene, application):
    """Slicer's application and message boxes; the list holds what the user was shown."""
    shown = []
    monkeypatch.setattr(slicer.util, "loadUI", loadUI)
    monkeypatch.setattr(slicer.util, "errorDisplay", shown.append)
    app = types.SimpleNamespace(processEvents=application.processEvents, connect=lambda signal, slot: True)
    monkeypatch.setattr(slicer, "app", app, raising=False)
    return shown


def _panel(backend):
    return DetectPanel(backend, UI_FILE)


def _press(button):
    plain(button).click()


def _is_shown(widget):
    return not plain(widget).isHidden()


def test_rows_follow_the_models_channels(messages):
    panel = _panel(Backend())
    assert [_is_shown(panel.ui.__dict__[f"channelSelector{row}"]) for row in range(4)] == [True, False, False, False]
    assert panel.ui.channelLabel0.text == "flair:"
    panel.ui.modelSelector.currentIndex = 1
    assert [_is_shown(panel.ui.__dict__[f"channelSelector{row}"]) for row in range(4)] == [True, True, False, False]
    assert panel.ui.channelLabel1.text == "t1c:"
    assert panel.ui.modelSelector.toolTip == "finds two"


def test_run_is_offered_once_everything_is_chosen(messages, oblique_image):
    panel = _panel(Backend())
    assert not panel.ui.runButton.enabled
    panel.ui.channelSelector0.setCurrentNode(oblique_image)
    assert panel.ui.runButton.enabled
    panel.ui.modelSelector.currentIndex = 1
    assert not panel.ui.runButton.enabled
    panel.ui.channelSelector1.setCurrentNode(oblique_image)
    assert panel.ui.runButton.enabled
    assert not panel.ui.cancelButton.enabled


def test_a_run_hands_on_what_was_chosen_and_shows_the_table(messages, oblique_image):
    seen = {}
    backend = Backend()
    panel = _panel(backend)

    def look():
        seen.update(
            value=panel.ui.progressBar.value,
            text=panel.ui.statusLabel.text,
            run=panel.ui.runButton.enabled,
            cancel=panel.ui.cancelButton.enabled,
        )

    backend.during = look
    mask = slicer.util.addVolumeFromArray(np.ones((2, 2, 2), np.uint8), None, "m", "vtkMRMLLabelMapVolumeNode")
    panel.ui.channelSelector0.setCurrentNode(oblique_image)
    panel.ui.maskSelector.setCurrentNode(mask)
    panel.ui.thresholdEdit.text = " 0,3 "
    panel.ui.deviceSelector.currentIndex = 1
    _press(panel.ui.runButton)
    nodes, model, options = backend.calls[0]
    assert (nodes, model) == ({"flair": oblique_image}, Path("bundled", "one"))
    assert options["mask"] is mask
    assert (options["threshold"], options["device"]) == (0.3, "cpu")
    assert seen == {"value": 40, "text": "Scanning", "run": False, "cancel": True}
    assert panel.ui.candidateTable.mrmlTableNode().GetName() == "FLAIR MTANN table"
    assert panel.ui.statusLabel.text == "2 candidates reported at threshold 0.4. The model is made up."
    assert panel.ui.progressBar.value == 100
    assert panel.ui.runButton.enabled
    assert messages == []


def test_the_panel_warns_of_a_transform_that_turns_the_image(messages, oblique_image):
    put_under(oblique_image, rigid((1, 0, 0), 0.5))
    panel = _panel(Backend())
    panel.ui.channelSelector0.setCurrentNode(oblique_image)
    _press(panel.ui.runButton)
    assert "volume's own axial plane" in panel.ui.statusLabel.text


def test_cancel_ends_the_run_and_adds_nothing(messages, oblique_image, scene):
    backend = Backend()
    panel = _panel(backend)
    backend.during = lambda: _press(panel.ui.cancelButton)
    panel.ui.channelSelector0.setCurrentNode(oblique_image)
    before = scene.GetNumberOfNodes()
    _press(panel.ui.runButton)
    assert scene.GetNumberOfNodes() == before
    assert panel.ui.statusLabel.text == "Cancelled. Nothing was added to the scene."
    assert (panel.ui.runButton.enabled, panel.ui.cancelButton.enabled) == (True, False)
    backend.during = lambda: None
    _press(panel.ui.runButton)
    assert panel.ui.candidateTable.mrmlTableNode() is not None


def test_a_second_press_during_a_run_does_nothing(messages, oblique_image):
    backend = Backend()
    panel = _panel(backend)
    backend.during = panel.onRun
    panel.ui.channelSelector0.setCurrentNode(oblique_image)
    _press(panel.ui.runButton)
    assert len(backend.calls) == 1


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (ModelError("The model is damaged. Copy it again."), "The model is damaged. Copy it again."),
        (KeyError("x"), "Something unexpected went wrong"),
    ],
)
def test_errors_are_shown_without_a_traceback(messages, oblique_image, capsys, error, shown):
    def fail():
        raise error

    panel = _panel(Backend(fail))
    panel.ui.channelSelector0.setCurrentNode(oblique_image)
    _press(panel.ui.runButton)
    assert len(messages) == 1
    assert messages[0].startswith(shown)
    assert "Traceback" not in messages[0] + capsys.readouterr().err
    assert panel.ui.runButton.enabled


def test_a_threshold_that_is_no_number_is_refused_before_the_run(messages, oblique_image):
    backend = Backend()
    panel = _panel(backend)
    panel.ui.channelSelector0.setCurrentNode(oblique_image)
    panel.ui.thresholdEdit.text = "high"
    _press(panel.ui.runButton)
    assert backend.calls == []
    assert "found 'high'" in messages[0]


def test_thresholds_are_read_as_people_write_them():
    assert thresholdFromText("  ") is None
    assert thresholdFromText("0.25") == thresholdFromText("0,25") == 0.25
    with pytest.raises(SettingsError, match="found 'a'"):
        thresholdFromText("a")


def test_a_missing_package_is_said_in_the_panel(messages):
    panel = _panel(Backend(models=MissingPackageError("MTANNDetect needs the Python package 'pydantic'.")))
    assert "pydantic" in panel.ui.statusLabel.text
    assert not panel.ui.runButton.enabled


def test_looking_for_models_again_keeps_the_choice(messages):
    panel = _panel(Backend())
    panel.ui.modelSelector.currentIndex = 1
    panel.refreshModels()
    assert panel.ui.modelSelector.currentText == "two"
    assert panel.ui.channelLabel1.text == "t1c:"


def test_models_of_the_same_name_are_told_apart(messages, oblique_image):
    backend = Backend(models=(MODELS[0], ModelChoice("one", ("flair",), "my own", Path("mine", "one"))))
    panel = _panel(backend)
    panel.ui.modelSelector.currentIndex = 1
    panel.refreshModels()
    panel.ui.channelSelector0.setCurrentNode(oblique_image)
    _press(panel.ui.runButton)
    assert backend.calls[0][1] == Path("mine", "one")


def test_models_with_too_many_channels_are_told(messages):
    panel = _panel(Backend(models=(*MODELS, FIVE)))
    assert panel.ui.modelSelector.count == 2
    assert panel.ui.statusLabel.text.startswith("Choose images and a model. Not listed, because")
    assert "at most 4 images: five." in panel.ui.statusLabel.text
    panel = _panel(Backend(models=(FIVE,)))
    assert panel.ui.statusLabel.text.startswith("Not listed, because")
    assert not panel.ui.runButton.enabled


def test_a_misspelt_signal_fails_at_once(messages):
    panel = _panel(Backend())
    with pytest.raises(RuntimeError, match="runButton has no signal clicked"):
        connect(panel.ui.runButton, "clicked", panel.onRun)
    with pytest.raises(RuntimeError, match="no signal"):
        connect(panel.ui.runButton, "klicked()", panel.onRun)


def test_the_stand_ins_are_as_strict_as_pythonqt(messages):
    edit = _panel(Backend()).ui.thresholdEdit
    for wrong in (
        lambda: edit.text(),
        lambda: edit.textt,
        lambda: setattr(edit, "textt", 1),
        lambda: edit.setText(text="a"),
    ):
        with pytest.raises((AttributeError, TypeError)):
            wrong()


def test_the_module_file_builds_the_panel(messages, monkeypatch):
    monkeypatch.setitem(sys.modules, "slicer.ScriptedLoadableModule", scriptedLoadableModule())
    monkeypatch.delitem(sys.modules, "MTANNDetect", raising=False)
    module = importlib.import_module("MTANNDetect")
    parent = types.SimpleNamespace()
    module.MTANNDetect(parent)
    assert (parent.title, parent.categories) == ("MTANNDetect", ["Segmentation"])
    widget = module.MTANNDetectWidget()
    widget.setup()
    widget.enter()
    assert widget.logic.moduleName == "MTANNDetect"
    assert plain(widget.layout).count() == 1
    widget.cleanup()
    module.MTANNDetectTest("runTest").runTest()
