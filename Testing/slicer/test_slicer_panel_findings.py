"""Looking at findings and deciding on them in the panel."""

import zipfile

import numpy as np
import pytest

pytest.importorskip("slicer.util", reason="slicer-core is not installed (pip install slicer-core)")
pytest.importorskip("PySide6.QtUiTools", reason="PySide6 is not installed (pip install PySide6-Essentials)")

import slicer
import slicer.util
from panels import Panel
from standins.strict import plain

from MTANNDetectLib.MarkupsAdapter import numbersOfPoints
from MTANNDetectLib.Presenters.ReviewPresenter import SHORTCUTS
from MTANNDetectLib.Spaces import worldFromLocal

pytestmark = pytest.mark.slicer


@pytest.fixture
def panel(monkeypatch, scene, oblique_image):
    for name in ("Red", "Green"):
        slice_node = slicer.vtkMRMLSliceNode()
        slice_node.SetName(name)
        slice_node.SetLayoutName(name)
        scene.AddNode(slice_node)
        scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode", name).SetLayoutName(name)
    scene.AddNewNodeByClass("vtkMRMLCameraNode")
    made = Panel(monkeypatch)
    made.detected(oblique_image)
    yield made
    made.panel.cleanup()


@pytest.fixture
def session(panel):
    return panel.panel.results.session


def _numbers(panel):
    return [int(row[0]) for row in panel.rows()]


def _statuses(panel):
    return [row[5] for row in panel.rows()]


def test_the_table_shows_what_counts_by_score(panel):
    assert panel.rows() == [
        ("1", "0.83", "5.1", "0.07", "right, inferior", "new"),
        ("2", "0.61", "5.1", "0.07", "near midline", "new"),
    ]
    assert panel.ui.summaryLabel.text == "2 findings (2 new), 0.13 ml together, largest 5.1 mm. Model: made-up 1."


def test_a_rows_tool_tip_tells_the_rest_with_units(panel):
    tip = plain(panel.ui.findingsTable).item(0, 0).toolTip()
    assert "score 0.830" in tip
    assert "probability 42 %" in tip
    assert "volume 66 mm³" in tip
    assert "axial diameters 5.1 x 4.9 mm" in tip


def test_the_views_show_image_and_overlay(panel, session, scene):
    composite = scene.GetFirstNodeByClass("vtkMRMLSliceCompositeNode")
    assert composite.GetBackgroundVolumeID() == session.nodes.inputNode.GetID()
    assert composite.GetForegroundVolumeID() == session.nodes.likelihoodNode.GetID()
    assert composite.GetForegroundOpacity() == pytest.approx(0.6)
    surface = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
    assert session.nodes.segmentationNode.GetSegmentation().ContainsRepresentation(surface)


def test_selecting_a_row_moves_slices_and_camera_there(panel, session, scene):
    camera = scene.GetFirstNodeByClass("vtkMRMLCameraNode")
    gaze = np.subtract(camera.GetPosition(), camera.GetFocalPoint())
    panel.select(2)
    place = session.worldOf(2)
    for index in range(2):
        matrix = scene.GetNthNodeByClass(index, "vtkMRMLSliceNode").GetSliceToRAS()
        assert np.allclose([matrix.GetElement(row, 3) for row in range(3)], place, atol=1e-4)
    assert np.allclose(camera.GetFocalPoint(), place, atol=1e-4)
    # The camera looks from the same side as before.
    assert np.allclose(np.subtract(camera.GetPosition(), camera.GetFocalPoint()), gaze, atol=1e-4)
    assert session.chosen == (2,)


def test_a_click_on_a_point_selects_its_row(panel, session):
    display = session.nodes.markupsNode.GetDisplayNode()
    display.SetActiveComponent(slicer.vtkMRMLMarkupsDisplayNode.ComponentControlPoint, 1)
    display.InvokeEvent(slicer.vtkMRMLMarkupsDisplayNode.JumpToPointEvent)
    assert session.chosen == (2,)
    assert {item.row() for item in plain(panel.ui.findingsTable).selectedItems()} == {1}


def test_the_threshold_slider_acts_on_table_points_and_overlay_at_once(panel, session):
    panel.ui.liveThresholdSlider.value = 0.15
    assert _numbers(panel) == [1, 2, 3]
    assert numbersOfPoints(session.nodes.markupsNode) == [1, 2, 3]
    assert session.nodes.likelihoodNode.GetDisplayNode().GetLowerThreshold() == pytest.approx(0.075)
    assert panel.ui.summaryLabel.text.startswith("3 findings (3 new)")
    assert len(panel.runner.jobs) == 1
    assert session.nodes.segmentationNode.GetSegmentation().GetNumberOfSegments() == 2
    panel.panel.results.onSettled()
    assert session.nodes.segmentationNode.GetSegmentation().GetNumberOfSegments() == 3
    panel.ui.liveThresholdSlider.value = 0.99
    assert panel.rows() == []
    assert panel.ui.summaryLabel.text.startswith("No finding counts at this threshold.")


def test_the_slider_settles_by_itself(panel, session):
    panel.ui.liveThresholdSlider.value = 0.15
    timer = panel.panel.results._settling
    assert plain(timer).isActive()
    plain(timer).timeout.emit()
    assert session.nodes.segmentationNode.GetSegmentation().GetNumberOfSegments() == 3


def test_the_overlay_slider_acts_on_the_views(panel, session, scene):
    assert panel.ui.opacitySlider.value == 60
    panel.ui.opacitySlider.value = 25
    assert scene.GetFirstNodeByClass("vtkMRMLSliceCompositeNode").GetForegroundOpacity() == pytest.approx(0.25)
    assert session.opacity == 0.25


def test_deciding_goes_on_to_the_next_finding_that_waits(panel, session):
    assert not panel.ui.acceptButton.enabled
    panel.select(1)
    panel.press("acceptButton")
    assert _statuses(panel) == ["accepted", "new"]
    assert session.chosen == (2,)
    panel.press("rejectButton")
    # A rejected finding stays listed, struck out, so that it can be taken back; it counts no more.
    assert _statuses(panel) == ["accepted", "rejected"]
    assert plain(panel.ui.findingsTable).item(1, 0).font().strikeOut()
    assert not plain(panel.ui.findingsTable).item(0, 0).font().strikeOut()
    assert panel.ui.summaryLabel.text.startswith("1 finding,")
    panel.select(2)
    panel.press("undecideButton")
    assert _statuses(panel) == ["accepted", "new"]
    assert session.chosen == (2,)


def test_undo_and_redo(panel):
    assert not panel.ui.undoButton.enabled
    panel.select(1)
    panel.press("rejectButton")
    assert (panel.ui.undoButton.enabled, panel.ui.redoButton.enabled) == (True, False)
    panel.press("undoButton")
    assert _statuses(panel) == ["new", "new"]
    assert (panel.ui.undoButton.enabled, panel.ui.redoButton.enabled) == (False, True)
    panel.press("redoButton")
    assert _statuses(panel) == ["rejected", "new"]


def test_merging_and_splitting(panel, session):
    panel.select(1)
    assert (panel.ui.mergeButton.enabled, panel.ui.splitButton.enabled) == (False, True)
    panel.select(1, 2)
    assert (panel.ui.mergeButton.enabled, panel.ui.splitButton.enabled) == (True, False)
    panel.press("mergeButton")
    assert _numbers(panel) == [1]
    panel.press("splitButton")
    assert _numbers(panel) == [1, 4]
    assert session.chosen == (1, 4)


def test_findings_are_renamed(panel):
    panel.select(2)
    assert not panel.ui.renameButton.enabled
    panel.ui.nameEdit.text = "vessel"
    panel.press("renameButton")
    assert panel.rows()[1][4] == "vessel: near midline"


def test_a_lesion_is_added_at_the_crosshair(panel, session, scene):
    panel.press("addCrosshairButton")
    assert panel.ui.reviewLabel.text == "There is no crosshair. Hold Shift and move the mouse over a slice view."
    crosshair = scene.AddNewNodeByClass("vtkMRMLCrosshairNode")
    place = worldFromLocal(session.nodes.inputNode, [session.geometry.lps_from_index([3, 22, 5]) * (-1, -1, 1)])[0]
    crosshair.SetCrosshairRAS(*place)
    panel.ui.diameterBox.value = 4.0
    panel.press("addCrosshairButton")
    assert panel.ui.reviewLabel.text == ""
    number, score, diameter, _volume, _place, status = panel.rows()[-1]
    assert (number, score, status) == ("4", "–", "added")
    assert 3.0 < float(diameter) < 6.0
    crosshair.SetCrosshairRAS(999, 0, 0)
    panel.press("addCrosshairButton")
    assert "outside the image" in panel.ui.reviewLabel.text


def test_a_lesion_is_added_by_a_click(panel, session, scene):
    scene.AddNewNodeByClass("vtkMRMLSelectionNode")
    interaction = scene.AddNewNodeByClass("vtkMRMLInteractionNode")
    panel.press("addClickButton")
    assert interaction.GetCurrentInteractionMode() == slicer.vtkMRMLInteractionNode.Place
    assert panel.ui.reviewLabel.text == "Click on the lesion in any view."
    placed = scene.GetNodeByID(scene.GetFirstNodeByClass("vtkMRMLSelectionNode").GetActivePlaceNodeID())
    place = worldFromLocal(session.nodes.inputNode, [session.geometry.lps_from_index([3, 22, 5]) * (-1, -1, 1)])[0]
    placed.AddControlPoint(*place)
    assert _numbers(panel) == [1, 2, 4]
    assert np.allclose(session.worldOf(4), place, atol=1.1)
    assert placed.GetNumberOfControlPoints() == 0
    # The list that serves for placing is no part of what is saved.
    assert not placed.GetSaveWithScene()


def test_every_key_presses_its_button(panel, session):
    keys = {
        key: plain(shortcut) for (key, _name), shortcut in zip(SHORTCUTS, panel.panel.review.shortcuts, strict=True)
    }
    panel.select(1)
    keys["A"].activated.emit()
    assert _statuses(panel) == ["accepted", "new"]
    keys["R"].activated.emit()
    keys["Ctrl+Z"].activated.emit()
    assert _statuses(panel) == ["accepted", "new"]
    keys["Ctrl+Y"].activated.emit()
    assert _statuses(panel) == ["accepted", "rejected"]
    panel.select(2)
    keys["U"].activated.emit()
    panel.select(1, 2)
    keys["M"].activated.emit()
    assert _numbers(panel) == [1]
    keys["S"].activated.emit()
    assert _numbers(panel) == [1, 4]
    # Nothing to merge: a key presses no button that cannot be pressed.
    panel.select(1)
    keys["M"].activated.emit()
    assert _numbers(panel) == [1, 4]
    keys["C"].activated.emit()
    assert "no crosshair" in panel.ui.reviewLabel.text
    keys["K"].activated.emit()
    assert "Click on the lesion" in panel.ui.reviewLabel.text


def test_places_tell_the_nearest_landmark(panel, session, scene):
    points = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "landmarks")
    points.AddControlPoint((session.worldOf(2) + np.array([3, 0, 4])).tolist(), "AC")
    panel.ui.landmarksSelector.setCurrentNode(points)
    panel.panel.results.onReviewed()
    assert panel.rows()[1][4] == "near midline; 5 mm from AC"


def test_results_can_be_switched_between(panel, oblique_image, session):
    panel.select(1)
    panel.press("rejectButton")
    first = session.nodes.tableNode
    panel.detected(oblique_image, scores=(0.9,))
    assert _numbers(panel) == [1]
    assert panel.ui.resultSelector.currentNode() is not first
    panel.ui.resultSelector.setCurrentNode(first)
    assert _statuses(panel) == ["rejected", "new"]


def test_a_result_that_was_deleted_is_let_go(panel, session, scene):
    scene.RemoveNode(session.nodes.likelihoodNode)
    panel.panel.refreshScene()
    assert panel.panel.results.session is None
    assert panel.rows() == []
    assert not panel.ui.acceptButton.enabled


@pytest.mark.parametrize("opened", ["in a new panel", "in the panel that is there"])
def test_the_panel_comes_back_with_a_saved_scene(panel, scene, monkeypatch, tmp_path, opened):
    panel.select(1)
    panel.press("acceptButton")
    panel.ui.liveThresholdSlider.value = 0.15
    panel.ui.operatingPointSelector.currentIndex = 0
    panel.ui.taskSelector.currentIndex = 2
    panel.ui.thresholdEdit.text = "0.7"
    panel.ui.diameterBox.value = 12.0
    assert scene.WriteToMRB(str(tmp_path / "scene.mrb"), None)
    scene.Clear(1)
    panel.panel.refreshScene()
    assert panel.rows() == []
    panel.ui.taskSelector.currentIndex = 1
    if opened == "in a new panel":
        panel.panel.cleanup()
    # Slicer's own reading of the bundle needs the application's cache; unpacking it and opening the scene does not.
    with zipfile.ZipFile(tmp_path / "scene.mrb") as bundle:
        bundle.extractall(tmp_path / "unpacked")
    scene.SetURL(str(next((tmp_path / "unpacked").rglob("*.mrml"))))
    assert scene.Connect()
    again = Panel(monkeypatch) if opened == "in a new panel" else panel
    assert again.ui.channelSelector0.currentNode().GetName() == "FLAIR"
    assert again.ui.resultSelector.currentNode().GetName() == "FLAIR MTANN table"
    assert (again.ui.taskSelector.currentIndex, again.ui.operatingPointSelector.currentIndex) == (2, 0)
    assert (again.ui.thresholdEdit.text, again.ui.diameterBox.value) == ("0.7", 12.0)
    assert _statuses(again) == ["accepted", "new", "new"]
    assert again.ui.liveThresholdSlider.value == 0.15
    if again is not panel:
        again.panel.cleanup()
