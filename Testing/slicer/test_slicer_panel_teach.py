"""Teaching from reviewed findings in the panel."""

import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("slicer.util", reason="slicer-core is not installed (pip install slicer-core)")
pytest.importorskip("PySide6.QtUiTools", reason="PySide6 is not installed (pip install PySide6-Essentials)")

import qt
import slicer
import slicer.util
from panels import Panel
from standins.strict import plain

from mtann.models import catalogue
from mtann.volume_io import write_volume
from MTANNDetectLib.Jobs import Taught
from MTANNDetectLib.Models import availableModels
from MTANNDetectLib.Presenters.RunPresenter import Failure
from MTANNDetectLib.Teaching import trainingCaseFromResult
from MTANNDetectLib.VolumeAdapter import volumeFromNode

pytestmark = pytest.mark.slicer


@pytest.fixture
def panel(monkeypatch, scene, oblique_image, tmp_path):
    monkeypatch.setattr(catalogue, "user_models", lambda: tmp_path / "models")
    made = Panel(monkeypatch)
    made.detected(oblique_image)
    yield made
    made.panel.cleanup()


@pytest.fixture
def session(panel):
    return panel.panel.results.session


def _list(panel):
    widget = plain(panel.ui.casesList)
    return [(widget.item(row).text(), widget.item(row).checkState().value == 2) for row in range(widget.count())]


def _taught(tmp_path):
    """A model as a training leaves it."""
    folder = tmp_path / "taught" / "model"
    shutil.copytree(catalogue.BUNDLED / "head-phantom-t1c", folder)
    return Taught(folder, ("Finds 80 % at 1 false alarm a case.",), (0.5, 1.0), (0.5, 0.8))


def test_nothing_can_be_taught_before_something_is_decided(panel):
    assert _list(panel) == [("FLAIR: lesions 0, rejected 0, undecided 2", False)]
    assert not panel.ui.trainButton.enabled
    assert not panel.ui.retrainButton.enabled
    assert panel.ui.teachLabel.text == "Tick a reviewed result, or choose a list of cases."


def test_decisions_are_what_is_learnt_from(panel, session, oblique_image):
    panel.select(1)
    panel.press("acceptButton")
    panel.press("rejectButton")
    assert _list(panel) == [("FLAIR: lesions 1, rejected 1, undecided 0", True)]
    assert "With one case alone" in panel.ui.teachLabel.text
    panel.press("trainButton")
    job = panel.runner.jobs[-1]
    assert (job.kind, job.name, job.channels, job.model) == ("train", "my model", ("flair",), None)
    (case,) = job.cases
    assert np.array_equal(case.channels[0].array, slicer.util.arrayFromVolume(oblique_image))
    labels = slicer.util.arrayFromVolume(session.nodes.labelMapNode)
    voxel = abs(np.linalg.det(session.geometry.matrix[:3, :3]))
    for lesions, number in ((case.lesions, 1), (case.non_lesions, 2)):
        (lesion,) = lesions
        world = session.worldOf(number) * (-1, -1, 1)
        assert np.allclose(lesion.centre_lps_mm, world, atol=1.2)
        volume = np.count_nonzero(labels == number) * voxel
        assert lesion.radius_mm == pytest.approx((volume * 3 / 4 / np.pi) ** (1 / 3))
        assert int(lesion.outline.array.sum()) == np.count_nonzero(labels == number)


def test_touching_lesions_stay_apart(panel, session):
    panel.select(1)
    panel.press("splitButton")
    panel.select(1, 4)
    panel.press("acceptButton")
    assert len(trainingCaseFromResult(session.nodes.tableNode).lesions) == 2


def test_cases_of_one_patient_are_told_as_such(panel, session, scene, oblique_image):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "Jane Doe")
    study = hierarchy.CreateStudyItem(patient, "study")
    hierarchy.CreateItem(study, oblique_image)
    case = trainingCaseFromResult(session.nodes.tableNode)
    assert case.patient == f"patient {patient}"
    assert "Jane" not in case.patient + case.case


def test_a_ticked_result_is_left_out_when_its_tick_is_taken(panel):
    panel.select(1)
    panel.press("acceptButton")
    assert panel.ui.trainButton.enabled
    plain(panel.ui.casesList).item(0).setCheckState(plain(qt.Qt.Unchecked))
    assert not panel.ui.trainButton.enabled


def test_a_model_without_lesions_can_only_be_retrained(panel):
    panel.select(1, 2)
    panel.press("rejectButton")
    assert not panel.ui.trainButton.enabled
    assert panel.ui.teachLabel.text == "No ticked result has an accepted or added lesion."
    panel.ui.modelNameEdit.text = "corrected"
    panel.press("retrainButton")
    job = panel.runner.jobs[-1]
    assert (job.kind, job.name, job.model) == ("retrain", "corrected", Path("bundled", "one"))
    assert [len(case.non_lesions) for case in job.cases] == [2]


@pytest.mark.parametrize("name", ["", " ", "../up", "-x", "a/b"])
def test_names_that_cannot_be_a_models_are_refused(panel, name):
    panel.select(1)
    panel.press("acceptButton")
    panel.ui.modelNameEdit.text = name
    assert not panel.ui.trainButton.enabled
    assert "must begin with a letter or digit" in panel.ui.teachLabel.text


def test_teaching_shows_progress_and_then_the_curve(panel, scene, tmp_path):
    scene.AddNewNodeByClass("vtkMRMLPlotViewNode")
    panel.select(1)
    panel.press("acceptButton")
    panel.press("trainButton")
    assert not panel.ui.runButton.enabled
    assert panel.ui.cancelButton.enabled
    panel.runner.report(0.3, "Training")
    assert (panel.ui.progressBar.value, panel.ui.teachStatusLabel.text) == (30, "Training")
    panel.runner.listener.finished(_taught(tmp_path))
    assert panel.ui.teachStatusLabel.text.startswith("Finds 80 % at 1 false alarm a case.")
    assert panel.ui.runButton.enabled
    chart = scene.GetFirstNodeByClass("vtkMRMLPlotChartNode")
    assert scene.GetFirstNodeByClass("vtkMRMLPlotViewNode").GetPlotChartNodeID() == chart.GetID()
    assert "cases it has not seen" in chart.GetTitle()
    series = chart.GetNthPlotSeriesNode(0)
    table = series.GetTableNode().GetTable()
    columns = [table.GetColumnByName(name) for name in (series.GetXColumnName(), series.GetYColumnName())]
    points = [tuple(column.GetValue(row) for column in columns) for row in range(table.GetNumberOfRows())]
    assert points == [(0, 0), (0.5, 0.5), (1.0, 0.8)]


def test_a_taught_model_is_kept_among_the_users_own(panel, tmp_path):
    panel.select(1)
    panel.press("acceptButton")
    panel.press("trainButton")
    assert not panel.ui.keepButton.enabled
    panel.runner.listener.finished(_taught(tmp_path))
    panel.logic.models = availableModels
    panel.press("keepButton")
    assert panel.ui.modelSelector.currentText == "my model (MTANN, your own)"
    assert panel.ui.teachStatusLabel.text == "'my model' is among your models now, and chosen."
    assert not (tmp_path / "taught" / "model").exists()
    assert not panel.ui.keepButton.enabled
    # The same name again is refused, and the model still waits.
    panel.press("trainButton")
    panel.runner.listener.finished(_taught(tmp_path))
    panel.press("keepButton")
    assert "You have a model 'my model' already" in panel.ui.teachStatusLabel.text
    assert panel.ui.keepButton.enabled


def test_a_taught_model_can_be_discarded(panel, tmp_path):
    panel.select(1)
    panel.press("acceptButton")
    panel.press("trainButton")
    panel.runner.listener.finished(_taught(tmp_path))
    panel.press("discardButton")
    assert not (tmp_path / "taught" / "model").exists()
    assert not panel.ui.discardButton.enabled


def test_teaching_is_cancelled_with_the_same_button(panel):
    panel.select(1)
    panel.press("acceptButton")
    panel.press("trainButton")
    panel.press("cancelButton")
    assert panel.runner.cancels == 1
    panel.runner.listener.cancelled()
    assert panel.ui.teachStatusLabel.text == "Cancelled. No model was made."
    assert panel.ui.trainButton.enabled


def test_a_failure_is_said(panel):
    panel.select(1)
    panel.press("acceptButton")
    panel.press("trainButton")
    panel.runner.listener.failed(Failure("Memory ran out.", "Close other programs."))
    assert panel.ui.teachStatusLabel.text == "Memory ran out. Close other programs."
    assert panel.ui.trainButton.enabled


def test_a_list_of_cases_is_learnt_from_instead(panel, oblique_image, tmp_path, monkeypatch):
    write_volume(volumeFromNode(oblique_image), tmp_path / "a.nii.gz")
    labels = np.zeros((18, 30, 26), np.uint8)
    labels[5:8, 9:12, 7:10] = 1
    write_volume(volumeFromNode(oblique_image).with_array(labels), tmp_path / "l.nii.gz")
    (tmp_path / "cases.csv").write_text("case,patient,ct,lesions\nfirst,p,a.nii.gz,l.nii.gz\n")
    monkeypatch.setattr(qt.QFileDialog, "getOpenFileName", lambda *_arguments: str(tmp_path / "cases.csv"))
    panel.press("caseFileButton")
    panel.press("trainButton")
    job = panel.runner.jobs[-1]
    assert (job.channels, [case.case for case in job.cases]) == (("ct",), ["first"])
    assert len(job.cases[0].lesions) == 1


def test_a_list_that_is_not_there_is_said(panel, tmp_path):
    panel.ui.caseFileEdit.text = str(tmp_path / "gone.csv")
    jobs = len(panel.runner.jobs)
    panel.press("trainButton")
    assert panel.ui.teachStatusLabel.text == "There is no file 'gone.csv'. Choose the list of cases again."
    assert len(panel.runner.jobs) == jobs
