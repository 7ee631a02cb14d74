"""The panel with the real worker: a run to its end, a cancelled one, teaching, and what is missing."""

import time

import numpy as np
import pytest

pytest.importorskip("slicer.util", reason="slicer-core is not installed (pip install slicer-core)")
pytest.importorskip("PySide6.QtUiTools", reason="PySide6 is not installed (pip install PySide6-Essentials)")

import slicer
import slicer.util
from panels import Panel

from mtann.models.catalogue import locate_model
from mtann.phantoms.head import head_phantom
from MTANNDetectLib.Logic import DetectLogic
from MTANNDetectLib.VolumeAdapter import nodeFromVolume
from MTANNDetectLib.WorkerRunner import WorkerRunner

pytestmark = [pytest.mark.slicer, pytest.mark.slow]

LONGEST_S = 240.0


class RealLogic(DetectLogic):
    def getParameterNode(self):
        return slicer.mrmlScene.GetSingletonNode(
            "MTANNDetect", "vtkMRMLScriptedModuleNode"
        ) or slicer.mrmlScene.AddNode(_moduleNode())


def _moduleNode():
    node = slicer.vtkMRMLScriptedModuleNode()
    node.SetSingletonTag("MTANNDetect")
    return node


@pytest.fixture
def panel(monkeypatch, scene):
    logic = RealLogic()
    made = Panel(monkeypatch, logic, runner=WorkerRunner(logic))
    made.panel.inputs.chooseModel(str(locate_model("head-phantom-t1c")))
    yield made
    made.panel.cleanup()


def _until(panel, condition):
    end = time.monotonic() + LONGEST_S
    while not condition():
        assert time.monotonic() < end, panel.ui.statusLabel.text
        panel.application.processEvents()
        time.sleep(0.005)


@pytest.fixture
def head(scene):
    phantom = head_phantom(3)
    return nodeFromVolume(phantom.volume, "t1c head"), phantom


def test_a_run_in_the_worker_from_press_to_table(panel, head):
    panel.panel.enter()
    _until(panel, lambda: panel.runner.devices())
    assert "cpu" in [device.name for device in panel.runner.devices()]
    panel.panel.refreshScene()
    panel.press("runButton")
    assert panel.ui.cancelButton.enabled
    messages = set()
    _until(panel, lambda: messages.add(panel.ui.statusLabel.text) or not panel.panel.isBusy)
    assert len(messages) > 3, messages
    assert "reported at threshold" in panel.ui.statusLabel.text
    assert panel.rows()
    assert panel.panel.results.session.about.model.startswith("head-phantom-t1c")
    # A second run of the same model starts in the same process.
    process = panel.logic.worker.processId
    panel.press("runButton")
    assert panel.ui.progressBar.value == 0
    _until(panel, lambda: panel.ui.progressBar.value > 0)
    assert panel.logic.worker.processId == process
    begun = time.monotonic()
    panel.press("cancelButton")
    _until(panel, lambda: not panel.panel.isBusy)
    assert time.monotonic() - begun < 2.0
    assert panel.ui.statusLabel.text == "Cancelled. Nothing was added to the scene."


def test_a_killed_worker_is_told_and_the_next_run_works(panel, head):
    import os
    import signal

    panel.panel.refreshScene()
    before = slicer.mrmlScene.GetNumberOfNodes()
    panel.press("runButton")
    _until(panel, lambda: panel.ui.progressBar.value > 5)
    os.kill(panel.logic.worker.processId, signal.SIGKILL)
    _until(panel, lambda: not panel.panel.isBusy)
    assert "The worker" in panel.ui.statusLabel.text
    assert slicer.mrmlScene.GetNumberOfNodes() == before
    panel.press("runButton")
    _until(panel, lambda: not panel.panel.isBusy)
    assert panel.rows()


def test_retraining_from_a_review_gives_a_model_that_can_be_kept(panel, head, monkeypatch, tmp_path):
    from mtann.models import catalogue

    monkeypatch.setattr(catalogue, "user_models", lambda: tmp_path / "models")
    panel.panel.refreshScene()
    panel.press("runButton")
    _until(panel, lambda: not panel.panel.isBusy)
    panel.select(1)
    panel.press("acceptButton")
    panel.press("rejectButton")
    assert panel.ui.retrainButton.enabled
    panel.ui.modelNameEdit.text = "corrected"
    panel.press("retrainButton")
    _until(panel, lambda: not panel.panel.isBusy)
    assert "Retrained from 'head-phantom-t1c'" in panel.ui.teachStatusLabel.text
    panel.press("keepButton")
    assert panel.ui.teachStatusLabel.text == "'corrected' is among your models now, and chosen."
    assert panel.ui.modelSelector.currentText == "corrected (MTANN, your own)"
    assert (tmp_path / "models" / "corrected" / "model.json").is_file()
    assert np.isfinite(panel.panel.inputs.model.points[0].threshold)
