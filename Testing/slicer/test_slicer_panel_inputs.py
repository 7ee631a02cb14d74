"""Choosing models and images in the panel, on the real .ui file behind stand-ins as strict as PythonQt."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("slicer.util", reason="slicer-core is not installed (pip install slicer-core)")
pytest.importorskip("PySide6.QtUiTools", reason="PySide6 is not installed (pip install PySide6-Essentials)")

import qt
import slicer
import slicer.util
from panels import FIVE, ONE, TWO, Logic, Panel
from standins.strict import plain

from mtann.errors import MissingPackageError, ModelError
from MTANNDetectLib.Presenters.ModelsPresenter import ADDED_FOLDER, ModelChoice

pytestmark = pytest.mark.slicer


@pytest.fixture
def panel(monkeypatch, scene):
    made = Panel(monkeypatch)
    yield made
    made.panel.cleanup()


def _rows(panel):
    return [panel.isShown(f"channelSelector{row}") for row in range(4)]


def test_rows_follow_the_models_channels(panel):
    assert _rows(panel) == [True, False, False, False]
    assert panel.ui.channelLabel0.text == "flair:"
    panel.ui.modelSelector.currentIndex = 1
    assert _rows(panel) == [True, True, False, False]
    assert panel.ui.channelLabel1.text == "t1c:"
    assert panel.ui.modelSelector.toolTip == "finds two"


def test_the_list_tells_kind_and_origin_and_the_card_the_rest(panel):
    assert plain(panel.ui.modelSelector).itemText(0) == "one (MTANN, bundled)"
    assert plain(panel.ui.modelSelector).itemText(1) == "two (MTANN, your own)"
    assert panel.ui.modelSummaryLabel.text == "Finds lesion in the head. Images: flair. Licence: Apache-2.0."
    assert "Taught on 5 lesions" in panel.ui.modelCardText.plainText


def test_colour_and_empty_volumes_are_refused_with_the_reason(panel, scene):
    colour = slicer.util.addVolumeFromArray(np.zeros((3, 4, 5, 3), np.uint8), None, "photo", "vtkMRMLVectorVolumeNode")
    panel.ui.channelSelector0.setCurrentNode(colour)
    assert "3 values a voxel (colour or vector)" in panel.ui.channelNote0.text
    assert panel.isShown("channelNote0")
    assert not panel.ui.runButton.enabled
    empty = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    panel.ui.channelSelector0.setCurrentNode(empty)
    assert "holds no voxels" in panel.ui.channelNote0.text
    assert not panel.ui.runButton.enabled


def test_four_dimensional_volumes_are_refused_with_the_reason(panel):
    frames = slicer.util.addVolumeFromArray(np.zeros((3, 4, 5, 7), np.int16), None, "cine", "vtkMRMLVectorVolumeNode")
    panel.ui.channelSelector0.setCurrentNode(frames)
    assert "'cine' has 7 values a voxel" in panel.ui.channelNote0.text
    assert "Extract one component" in panel.ui.channelNote0.text
    assert not panel.ui.runButton.enabled


def test_of_a_sequence_the_shown_frame_is_searched_and_the_panel_says_which(panel, oblique_image, scene):
    logic = slicer.vtkSlicerSequencesLogic()
    logic.SetMRMLScene(scene)
    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "series")
    for index in range(3):
        slicer.util.arrayFromVolume(oblique_image)[:] = index
        sequence.SetDataNodeAtValue(oblique_image, str(index))
    browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "browser")
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    browser.SetSelectedItemNumber(1)
    logic.UpdateProxyNodesFromSequences(browser)
    proxy = browser.GetProxyNode(sequence)
    panel.ui.channelSelector0.setCurrentNode(proxy)
    assert "frame 2 of 3 of a sequence" in panel.ui.channelNote0.text
    panel.press("runButton")
    assert set(np.unique(panel.runner.jobs[0].volumes["flair"].array)) == {1}


def _bend(node, scene):
    """Put a node under a transform that bends space: a grid whose middle is shifted by 5 mm."""
    grid = slicer.vtkOrientedGridTransform()
    import vtk

    image = vtk.vtkImageData()
    image.SetDimensions(3, 3, 3)
    image.SetSpacing(60, 60, 60)
    image.SetOrigin(-60, -60, -60)
    image.AllocateScalars(vtk.VTK_DOUBLE, 3)
    image.GetPointData().GetScalars().Fill(0)
    image.SetScalarComponentFromDouble(1, 1, 1, 0, 5.0)
    grid.SetDisplacementGridData(image)
    transform = scene.AddNewNodeByClass("vtkMRMLGridTransformNode", "bend")
    transform.SetAndObserveTransformFromParent(grid)
    node.SetAndObserveTransformNodeID(transform.GetID())


def test_under_a_bending_transform_a_straightened_copy_is_offered(panel, oblique_image, scene):
    panel.ui.channelSelector0.setCurrentNode(oblique_image)
    assert not panel.isShown("hardenButton")
    _bend(oblique_image, scene)
    panel.panel.inputs.onInputChanged()
    assert panel.isShown("hardenButton")
    assert "bends space" in panel.ui.channelNote0.text
    panel.press("hardenButton")
    copy = panel.ui.channelSelector0.currentNode()
    assert copy.GetName() == "FLAIR straightened"
    assert copy.GetParentTransformNode() is None
    assert oblique_image.GetParentTransformNode() is not None
    assert not panel.isShown("hardenButton")
    panel.detected(copy)
    assert panel.rows()


def test_images_are_matched_by_name_as_they_come(panel, oblique_image, scene):
    assert panel.ui.channelSelector0.currentNode() is None
    panel.panel.refreshScene()
    assert panel.ui.channelSelector0.currentNode() is oblique_image


def test_a_missing_package_is_said_in_the_panel(monkeypatch, scene):
    error = MissingPackageError("MTANNDetect needs the Python package 'pydantic'.")
    panel = Panel(monkeypatch, Logic(error))
    assert "pydantic" in panel.ui.statusLabel.text
    assert not panel.ui.runButton.enabled
    assert panel.ui.expectationLabel.text == "There is no model to run; the reason stands below."


def test_looking_for_models_again_keeps_the_choice(panel):
    panel.ui.modelSelector.currentIndex = 1
    panel.panel.refreshModels()
    assert panel.ui.modelSelector.currentText == "two (MTANN, your own)"
    assert panel.ui.channelLabel1.text == "t1c:"


def test_models_of_the_same_name_are_told_apart(monkeypatch, scene, oblique_image):
    panel = Panel(monkeypatch, Logic((ONE, ModelChoice("one", ("flair",), "my own", Path("mine", "one")))))
    panel.ui.modelSelector.currentIndex = 1
    panel.panel.refreshModels()
    panel.ui.channelSelector0.setCurrentNode(oblique_image)
    panel.press("runButton")
    assert panel.runner.jobs[0].model == Path("mine", "one")


def test_models_with_too_many_channels_are_told(monkeypatch, scene):
    panel = Panel(monkeypatch, Logic((ONE, TWO, FIVE)))
    assert panel.ui.modelSelector.count == 2
    assert panel.ui.statusLabel.text.startswith("Not listed, because")
    assert "at most 4 images: five." in panel.ui.statusLabel.text
    panel = Panel(monkeypatch, Logic((ONE, TWO)))
    assert panel.ui.statusLabel.text == ""
    panel = Panel(monkeypatch, Logic((FIVE,)))
    assert panel.ui.statusLabel.text.startswith("Not listed, because")
    assert not panel.ui.runButton.enabled


def test_a_folder_can_be_added_and_taken_off(panel, monkeypatch):
    added = ModelChoice("brats", ("t1c",), "outlines", Path("x", "y"), "nnunet", ADDED_FOLDER, canDetect=False)
    panel.logic.toAdd = added
    monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", lambda *_arguments: "chosen")
    panel.press("addModelButton")
    assert panel.ui.modelSelector.currentText == "brats (nnU-Net v2, added folder)"
    panel.press("removeModelButton")
    assert panel.asked == ["Take 'brats' off the list? Its folder stays where it is."]
    assert panel.logic.removed == [added]
    assert panel.ui.modelSelector.count == 2


def test_a_folder_without_a_model_is_refused_with_the_reason(panel, monkeypatch):
    panel.logic.toAdd = ModelError("'chosen' is not a model bundle.")
    monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", lambda *_arguments: "chosen")
    panel.press("addModelButton")
    assert panel.shown == ["'chosen' is not a model bundle."]
    monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", lambda *_arguments: "")
    panel.press("addModelButton")
    assert len(panel.shown) == 1


def test_removing_asks_first_and_spares_bundled_models(panel):
    assert not panel.ui.removeModelButton.enabled
    panel.ui.modelSelector.currentIndex = 1
    panel.answer = False
    panel.press("removeModelButton")
    assert panel.asked == ["Delete your model 'two' from this computer for good?"]
    assert panel.logic.removed == []
    panel.answer = True
    panel.press("removeModelButton")
    assert panel.logic.removed == [TWO]
