"""The panel's inputs and runs on the real .ui file, behind stand-ins as strict as PythonQt."""

import importlib
import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("slicer.util", reason="slicer-core is not installed (pip install slicer-core)")
pytest.importorskip("PySide6.QtUiTools", reason="PySide6 is not installed (pip install PySide6-Essentials)")

import slicer
import slicer.util
from nodes import node_like, put_under, rigid
from panels import UI_FILE, Panel
from standins.module import scriptedLoadableModule
from standins.strict import plain

from MTANNDetectLib.Panels.QtTools import connect
from MTANNDetectLib.Presenters.RunPresenter import ComputeDevice, Failure
from MTANNDetectLib.Spaces import worldFromLocal

pytestmark = pytest.mark.slicer


@pytest.fixture
def panel(monkeypatch, scene):
    made = Panel(monkeypatch)
    yield made
    made.panel.cleanup()


def _is_shown(widget):
    return not plain(widget).isHidden()


def test_run_is_offered_once_everything_is_chosen(panel, oblique_image):
    assert not panel.ui.runButton.enabled
    assert panel.ui.expectationLabel.text == "Choose an image for flair."
    panel.ui.channelSelector0.setCurrentNode(oblique_image)
    assert panel.ui.runButton.enabled
    panel.ui.modelSelector.currentIndex = 1
    assert not panel.ui.runButton.enabled
    assert panel.ui.expectationLabel.text == "Choose an image for t1c."
    panel.ui.channelSelector1.setCurrentNode(oblique_image)
    assert "same image" in panel.ui.expectationLabel.text
    other = node_like(oblique_image, np.ones((18, 30, 26), np.float32), "T1c", "vtkMRMLScalarVolumeNode")
    panel.ui.channelSelector1.setCurrentNode(other)
    assert panel.ui.runButton.enabled
    assert not panel.ui.cancelButton.enabled


def test_a_run_hands_on_what_was_chosen_and_shows_how_it_goes(panel, oblique_image):
    mask = slicer.util.addVolumeFromArray(np.ones((2, 2, 2), np.uint8), None, "m", "vtkMRMLLabelMapVolumeNode")
    mask.CopyOrientation(oblique_image)
    panel.ui.channelSelector0.setCurrentNode(oblique_image)
    panel.ui.maskSelector.setCurrentNode(mask)
    panel.ui.operatingPointSelector.currentIndex = 2
    panel.ui.thresholdEdit.text = " 0,3 "
    panel.ui.deviceSelector.currentIndex = 1
    panel.ui.precisionSelector.currentIndex = 2
    panel.press("runButton")
    (job,) = panel.runner.jobs
    assert (job.kind, job.model, list(job.volumes)) == ("detect", Path("bundled", "one"), ["flair"])
    assert np.array_equal(job.volumes["flair"].array, slicer.util.arrayFromVolume(oblique_image))
    assert job.mask.array.shape == (2, 2, 2)
    assert (job.threshold, job.device, job.precision) == (0.3, "cpu", "bf16")
    assert (panel.ui.runButton.enabled, panel.ui.cancelButton.enabled) == (False, True)
    panel.runner.report(0.4)
    assert (panel.ui.progressBar.value, panel.ui.statusLabel.text) == (40, "Scanning")
    panel.runner.detect()
    assert panel.ui.statusLabel.text == "2 candidates reported at threshold 0.4. The model is made up."
    assert panel.ui.progressBar.value == 100
    assert (panel.ui.runButton.enabled, panel.ui.cancelButton.enabled) == (True, False)
    assert panel.ui.resultSelector.currentNode().GetName() == "FLAIR MTANN table"
    assert panel.shown == []


def test_operating_points_stand_from_sensitive_to_specific(panel, oblique_image):
    combo = plain(panel.ui.operatingPointSelector)
    assert [combo.itemText(index) for index in range(combo.count())] == [
        "High sensitivity: 100 % found, 3.0 false a case",
        "Balanced: 90 % found, 0.8 false a case",
        "From a threshold of your own",
    ]
    assert combo.currentIndex() == 1
    assert not panel.isShown("thresholdEdit")
    panel.ui.operatingPointSelector.currentIndex = 0
    panel.ui.channelSelector0.setCurrentNode(oblique_image)
    panel.press("runButton")
    assert (panel.runner.jobs[0].operatingPoint, panel.runner.jobs[0].threshold) == ("high_sensitivity", None)


def test_detecting_and_outlining_come_one_after_the_other(panel, oblique_image, scene):
    panel.ui.channelSelector0.setCurrentNode(oblique_image)
    panel.ui.taskSelector.currentIndex = 2
    panel.press("runButton")
    panel.runner.report(0.5)
    assert panel.ui.progressBar.value == 25
    panel.runner.detect()
    assert [job.kind for job in panel.runner.jobs] == ["detect", "segment"]
    panel.runner.report(0.5)
    assert panel.ui.progressBar.value == 75
    panel.runner.outline()
    outlines = scene.GetFirstNodeByName("FLAIR segmentation")
    assert outlines.GetSegmentation().GetSegment("label_1").GetName() == "lesion"
    # 4 x 6 x 6 voxels of 0.7 x 0.9 x 2.1 mm.
    assert panel.ui.statusLabel.text.endswith("Outlined: lesion 0.19 ml.")
    assert panel.ui.runButton.enabled


def test_a_region_cuts_the_outline_too(panel, oblique_image, scene):
    session = panel.detected(oblique_image)
    roi = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "box")
    # A large box whose face runs through the outline's middle.
    geometry = session.geometry
    middle = worldFromLocal(oblique_image, [geometry.lps_from_index([3.5, 5.5, 6.5]) * (-1, -1, 1)])[0]
    roi.SetCenter(*(middle + np.array([50, 0, 0])))
    roi.SetSize(100, 300, 300)
    panel.ui.roiSelector.setCurrentNode(roi)
    panel.ui.taskSelector.currentIndex = 1
    panel.press("runButton")
    panel.runner.outline()
    volume = float(re.search(r"lesion ([\d.]+) ml", panel.ui.statusLabel.text)[1])
    assert 0.05 < volume < 0.14
    assert "Findings outside the region 'box' were left out." in panel.ui.statusLabel.text


def test_outlining_alone_asks_for_no_threshold(panel, oblique_image):
    panel.ui.channelSelector0.setCurrentNode(oblique_image)
    panel.ui.taskSelector.currentIndex = 1
    assert not panel.isShown("operatingPointSelector")
    panel.press("runButton")
    assert panel.runner.jobs[0].kind == "segment"


def test_a_model_that_only_detects_offers_only_that(panel):
    panel.ui.modelSelector.currentIndex = 1
    combo = plain(panel.ui.taskSelector)
    assert [combo.itemText(index) for index in range(combo.count())] == ["Detect"]


def test_the_panel_warns_of_a_transform_that_turns_the_image(panel, oblique_image):
    put_under(oblique_image, rigid((1, 0, 0), 0.5))
    panel.detected(oblique_image)
    assert "volume's own axial plane" in panel.ui.statusLabel.text


def test_cancel_ends_the_run_and_adds_nothing(panel, oblique_image, scene):
    panel.ui.channelSelector0.setCurrentNode(oblique_image)
    before = scene.GetNumberOfNodes()
    panel.press("runButton")
    panel.press("cancelButton")
    assert panel.runner.cancels == 1
    assert panel.ui.statusLabel.text == "Stopping…"
    assert not panel.ui.cancelButton.enabled
    panel.runner.report(0.5)
    assert panel.ui.statusLabel.text == "Stopping…"
    panel.runner.listener.cancelled()
    assert scene.GetNumberOfNodes() == before
    assert panel.ui.statusLabel.text == "Cancelled. Nothing was added to the scene."
    assert (panel.ui.runButton.enabled, panel.ui.cancelButton.enabled) == (True, False)
    panel.press("runButton")
    panel.runner.detect()
    assert panel.rows()


def test_a_second_press_during_a_run_does_nothing(panel, oblique_image):
    panel.ui.channelSelector0.setCurrentNode(oblique_image)
    panel.press("runButton")
    panel.panel.run.onRun()
    assert len(panel.runner.jobs) == 1


def test_a_failure_says_cause_remedy_and_last_lines_and_leaves_the_scene(panel, oblique_image, scene):
    panel.ui.channelSelector0.setCurrentNode(oblique_image)
    before = scene.GetNumberOfNodes()
    panel.press("runButton")
    lines = ("Traceback", "RuntimeError: boom")
    panel.runner.listener.failed(Failure("The worker ended unexpectedly.", "Run again.", lines))
    assert panel.ui.statusLabel.text == "The worker ended unexpectedly. Run again."
    assert panel.ui.failureText.plainText == "Traceback\nRuntimeError: boom"
    assert panel.isShown("failureText")
    assert scene.GetNumberOfNodes() == before
    assert panel.ui.runButton.enabled
    panel.press("runButton")
    assert not panel.isShown("failureText")


def test_an_image_removed_during_a_run_is_said_and_nothing_is_added(panel, oblique_image, scene):
    panel.ui.channelSelector0.setCurrentNode(oblique_image)
    panel.press("runButton")
    scene.RemoveNode(oblique_image)
    before = scene.GetNumberOfNodes()
    panel.runner.detect()
    assert "was removed from the scene during the run" in panel.ui.statusLabel.text
    assert scene.GetNumberOfNodes() == before


def test_a_threshold_that_is_no_number_is_refused_before_the_run(panel, oblique_image):
    panel.ui.channelSelector0.setCurrentNode(oblique_image)
    panel.ui.operatingPointSelector.currentIndex = 2
    panel.ui.thresholdEdit.text = "high"
    panel.press("runButton")
    assert panel.runner.jobs == []
    assert "found 'high'" in panel.ui.statusLabel.text


def test_a_region_leaves_out_what_lies_outside(panel, oblique_image, scene):
    session = panel.detected(oblique_image)
    place, other = session.worldOf(1), session.worldOf(2)
    roi = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "box")
    roi.SetCenter(*other)
    roi.SetSize(4, 4, 4)
    panel.ui.roiSelector.setCurrentNode(roi)
    session = panel.detected(oblique_image)
    assert [one.id for one in session.findings] == [1]
    assert np.allclose(session.worldOf(1), other, atol=0.01)
    assert not np.allclose(place, other, atol=1)
    assert "Findings outside the region 'box' were left out." in panel.ui.statusLabel.text
    roi.SetCenter(500, 0, 0)
    panel.press("runButton")
    panel.runner.detect()
    assert "does not touch the first image" in panel.ui.statusLabel.text


def test_what_a_run_takes_is_told_and_learnt(monkeypatch, scene, oblique_image):
    rates = {}
    panel = Panel(monkeypatch, rates=rates)
    panel.ui.channelSelector0.setCurrentNode(oblique_image)
    assert panel.ui.expectationLabel.text.startswith("Expected: about ")
    assert panel.ui.expectationLabel.text.endswith("(a guess until the first run).")
    panel.press("runButton")
    panel.runner.detect()
    assert list(rates) == ["mtann/one/auto"]
    assert panel.ui.expectationLabel.text.endswith("as measured here.")


def test_devices_are_listed_once_the_worker_knows_them(panel, oblique_image):
    panel.runner.known = (ComputeDevice("cuda", "Fast card", 24_000_000_000), ComputeDevice("cpu", "Processor"))
    panel.ui.channelSelector0.setCurrentNode(oblique_image)
    combo = plain(panel.ui.deviceSelector)
    texts = [combo.itemText(index) for index in range(combo.count())]
    assert texts == ["automatic", "cuda: Fast card, 24 GB", "cpu: Processor"]
    panel.ui.deviceSelector.currentIndex = 1
    panel.press("runButton")
    assert panel.runner.jobs[0].device == "cuda"


def test_a_misspelt_signal_fails_at_once(panel):
    with pytest.raises(RuntimeError, match="runButton has no signal clicked"):
        connect(panel.ui.runButton, "clicked", panel.panel.run.onRun)
    with pytest.raises(RuntimeError, match="no signal"):
        connect(panel.ui.runButton, "klicked()", panel.panel.run.onRun)


def test_leaving_stops_the_run_and_the_runner(monkeypatch, scene, oblique_image):
    panel = Panel(monkeypatch)
    panel.ui.channelSelector0.setCurrentNode(oblique_image)
    panel.press("runButton")
    panel.panel.cleanup()
    assert (panel.runner.cancels, panel.runner.closed) == (1, True)


def test_the_module_file_builds_the_panel(panel, monkeypatch):
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
    assert UI_FILE.is_file()
