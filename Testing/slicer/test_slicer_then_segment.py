"""Detecting with one model and outlining with another: logic, worker, runner and panel."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("slicer.util", reason="slicer-core is not installed (pip install slicer-core)")
pytest.importorskip("PySide6.QtUiTools", reason="PySide6 is not installed (pip install PySide6-Essentials)")

import slicer
import slicer.util
from nodes import put_under, rigid, scene_label_map
from panels import ONE, POINTS, TWO, Logic, Panel
from results import make_result

from mtann.detection.candidate import ModelReference
from mtann.segmentation.result import Segmentation, SegmentationSettings, SegmentedLabel
from mtann.unets.two_stage import TwoStageResult
from mtann.volume import Volume
from MTANNDetectLib import LabelAdapter, TwoStageAdapter, TwoStageLogic
from MTANNDetectLib.Jobs import Job
from MTANNDetectLib.Logic import DetectLogic
from MTANNDetectLib.Presenters.ModelsPresenter import ModelChoice, outlinersOf
from MTANNDetectLib.WorkerRunner import WorkerRunner

pytestmark = pytest.mark.slicer

UNET = ModelChoice(
    "outliner", ("flair",), "outlines", Path("mine", "unet"), kind="unet", canDetect=False, canOutline=True
)


def choice(name, *channels, kind="unet"):
    return ModelChoice(name, channels, "", Path(name), kind=kind, canDetect=kind == "mtann", canOutline=True)


def two_stages(geometry):
    """Findings as in a made-up detection, and a box of each of two labels."""
    labels = np.zeros(geometry.shape_zyx, np.uint8)
    labels[2:6, 3:9, 4:10] = 1
    labels[8:10, 3:9, 4:10] = 2
    names = ("edema", "enhancing tumor")
    parts = tuple(
        SegmentedLabel(name, (value,), np.count_nonzero(labels == value) * geometry.voxel_volume_mm3)
        for value, name in enumerate(names, 1)
    )
    found = Segmentation(
        Volume(labels, geometry), parts, ModelReference("unet", "1", ""), (), SegmentationSettings(), "the test",
        warnings=("Only about 2 places.",),
    )  # fmt: skip
    return TwoStageResult(make_result(geometry), found, make_result(geometry))


class Library:
    """Stands for mtann.unets.two_stage."""

    arguments = None

    def detect_then_segment(self, volumes, model, unet, settings, **options):
        self.arguments = (model, unet, settings, options)
        return two_stages(volumes[0].geometry)


@pytest.fixture
def library(monkeypatch):
    made, real = Library(), TwoStageLogic.libraryModule
    monkeypatch.setattr(
        TwoStageLogic, "libraryModule", lambda name: made if name == "mtann.unets.two_stage" else real(name)
    )
    return made


@pytest.fixture
def panel(monkeypatch, scene):
    made = Panel(monkeypatch, Logic((ONE, TWO, UNET)))
    yield made
    made.panel.cleanup()


def test_the_logic_adds_findings_and_a_segment_a_label(oblique_image, library):
    put_under(oblique_image, rigid((0, 1, 0), 0.4, (7, 8, 9)))
    found = DetectLogic().detectThenSegment(oblique_image, "mtann", "unet", threshold=0.3, device="cpu")
    model, unet, settings, options = library.arguments
    assert (model, unet, settings) == ("mtann", "unet", None)
    assert (options["threshold"], options["operating_point"], options["device"]) == (0.3, "balanced", "cpu")
    node = found.segmented.segmentationNode
    segments = [node.GetSegmentation().GetNthSegment(number).GetName() for number in range(2)]
    assert segments == ["edema", "enhancing tumor"]
    labels = found.result.segmentation.label_map.array
    for number in range(2):
        np.testing.assert_array_equal(
            scene_label_map(node, LabelAdapter.labelSegmentId(number), oblique_image), labels == number + 1
        )
    assert found.findings.tableNode.GetName() == "FLAIR MTANN table"
    assert found.warnings[-1] == "Only about 2 places." and len(set(found.warnings)) == len(found.warnings)


def test_all_is_added_or_nothing(oblique_image, library, monkeypatch):
    before = slicer.mrmlScene.GetNumberOfNodes()
    monkeypatch.setattr(TwoStageAdapter, "nodesFromSegmentation", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        DetectLogic().detectThenSegment(oblique_image, "mtann", "unet")
    assert slicer.mrmlScene.GetNumberOfNodes() == before


def test_the_u_nets_that_fit_a_model_are_offered():
    model = choice("mtann", "t1", "flair", kind="mtann")
    same, part = choice("same", "flair", "t1"), choice("part", "t1")
    with_likelihood = choice("likelihood", "t1", "mtann_likelihood", kind="nnunet")
    renamed = choice("renamed", "T1w", "FLAIR")
    others = [choice("other", "ct"), choice("more", "t1", "flair", "t2"), choice("mtann 2", "t1", kind="mtann")]
    assert outlinersOf([model, same, part, with_likelihood, renamed, *others], model) == (
        same,
        part,
        with_likelihood,
        renamed,
    )
    assert outlinersOf([same], same) == outlinersOf([same], None) == ()


def test_the_panel_offers_and_runs_it(panel, oblique_image, scene):
    panel.ui.channelSelector0.setCurrentNode(oblique_image)
    assert panel.isShown("unetSelector") and panel.ui.unetSelector.count == 2
    assert not panel.isShown("precisionSelector")
    panel.ui.unetSelector.currentIndex = 1
    assert panel.isShown("precisionSelector")
    assert panel.ui.expectationLabel.text.endswith("The U-Net comes on top.")
    panel.press("runButton")
    (job,) = panel.runner.jobs
    assert (job.kind, job.model, job.unet) == ("then_segment", ONE.directory, UNET.directory)
    panel.runner.listener.finished(two_stages(job.volumes["flair"].geometry))
    said = panel.ui.statusLabel.text
    assert said.startswith("2 candidates reported at threshold 0.4. Outlined: edema 0.19 ml, enhancing tumor 0.10 ml.")
    outlines = scene.GetFirstNodeByName("FLAIR segmentation")
    assert outlines.GetSegmentation().GetSegment("label_2").GetName() == "enhancing tumor"
    assert panel.rows() and panel.ui.runButton.enabled


def test_a_region_cuts_both(panel, oblique_image, scene):
    roi = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "box")
    roi.SetCenter(0, 0, 0)
    roi.SetSize(1000, 1000, 1000)
    panel.ui.channelSelector0.setCurrentNode(oblique_image)
    panel.ui.roiSelector.setCurrentNode(roi)
    panel.ui.unetSelector.currentIndex = 1
    panel.press("runButton")
    panel.runner.listener.finished(two_stages(panel.runner.jobs[0].volumes["flair"].geometry))
    assert panel.ui.statusLabel.text.count("Findings outside the region 'box' were left out.") == 1
    assert "Outlined: edema 0.19 ml" in panel.ui.statusLabel.text


def test_where_something_else_is_done_no_u_net_is_used(panel, oblique_image):
    panel.ui.channelSelector0.setCurrentNode(oblique_image)
    panel.ui.unetSelector.currentIndex = 1
    panel.ui.taskSelector.currentIndex = 1
    assert not panel.isShown("unetSelector")
    panel.press("runButton")
    assert (panel.runner.jobs[0].kind, panel.runner.jobs[0].unet) == ("segment", None)


def test_the_choice_is_kept_with_the_scene(panel, oblique_image, monkeypatch):
    panel.ui.channelSelector0.setCurrentNode(oblique_image)
    panel.ui.unetSelector.currentIndex = 1
    again = Panel(monkeypatch, panel.logic)
    assert again.ui.unetSelector.currentIndex == 1
    again.panel.cleanup()


def test_a_model_without_a_fitting_u_net_offers_none(monkeypatch, scene):
    made = Panel(monkeypatch, Logic((TWO, UNET)))
    assert not made.isShown("unetSelector")
    made.panel.cleanup()


def test_the_worker_is_told_both_models_and_how_to_segment():
    sent = []

    class Worker:
        def submit(self, command, arguments, **_):
            sent.append((command, arguments))

    job = Job("then_segment", ONE.directory, device="cpu", precision="bf16", threshold=0.2, unet=UNET.directory)
    WorkerRunner(Worker()).submit(job, None)
    ((command, arguments),) = sent
    assert command == "then_segment" and arguments["unet"] == str(UNET.directory)
    assert arguments["how"] == SegmentationSettings(device="cpu", precision="bf16")
    assert (arguments["threshold"], arguments["operating_point"], arguments["device"]) == (0.2, "balanced", "cpu")
    assert POINTS[0].name == "balanced"
