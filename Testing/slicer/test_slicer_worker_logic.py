"""The logic's calls in the background: a real worker, a real model, a real scene."""

import os
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("slicer.util", reason="slicer-core is not installed (pip install slicer-core)")

import slicer
import slicer.util
from clients import run_until

from mtann.errors import CancelledError, MTANNError
from mtann.models.bundle import load_card
from mtann.retrain import retraining_settings
from mtann.segmentation.result import SegmentationSettings
from MTANNDetectLib.Logic import DetectLogic, TrainingNodes
from MTANNDetectLib.WorkerJob import JobState

pytestmark = pytest.mark.slicer

MODEL = "head-phantom-t1c"


@pytest.fixture
def logic(scene):
    made = DetectLogic()
    yield made
    made.closeWorker()


def noise(shape, name="noise"):
    array = np.random.default_rng(0).normal(100, 10, shape).astype(np.float32)
    return slicer.util.addVolumeFromArray(array, None, name)


def test_the_worker_finds_what_the_logic_finds_in_process(logic, scene):
    image = noise((24, 30, 28))
    own = logic.detect(image, MODEL, device="cpu").result
    seen = []
    job = logic.detectInWorker(
        image, MODEL, device="cpu", onProgress=lambda job: seen.append(job.progress), onDone=seen.append
    )
    before = scene.GetNumberOfNodes()
    found = logic.wait(job)
    assert seen[-1] is job
    assert job.state is JobState.DONE
    assert [one.fraction for one in seen[:-1]] == sorted(one.fraction for one in seen[:-1])
    assert {"prepare", "scan", "candidates"} <= {one.stage for one in seen[:-1]}
    assert scene.GetNumberOfNodes() > before
    np.testing.assert_allclose(found.result.likelihood.array, own.likelihood.array, atol=1e-6)
    assert [one.id for one in found.result.candidates] == [one.id for one in own.candidates]
    assert (found.result.model, found.result.inputs, found.result.settings) == (own.model, own.inputs, own.settings)
    shown = slicer.util.arrayFromVolume(found.likelihoodNode)
    np.testing.assert_allclose(shown, own.likelihood.array, atol=1e-6)


def test_a_users_error_is_told_as_in_process_and_the_worker_lives_on(logic, scene):
    flat = slicer.util.addVolumeFromArray(np.full((8, 8, 8), 3, np.int16), None, "flat")
    before = scene.GetNumberOfNodes()
    job = logic.detectInWorker(flat, MODEL)
    with pytest.raises(MTANNError, match="'flat' has the value 3 in every voxel"):
        logic.wait(job)
    assert (job.state, job.failure.kind, job.failure.lines) == (JobState.FAILED, "user", ())
    process = logic.worker.processId
    with pytest.raises(MTANNError, match="no model 'none'"):
        logic.wait(logic.detectInWorker(flat, "none"))
    assert logic.worker.processId == process
    assert scene.GetNumberOfNodes() == before


def test_an_image_removed_during_the_run_drops_the_result(logic, scene):
    image = noise((12, 12, 12))
    job = logic.detectInWorker(image, MODEL, device="cpu")
    scene.RemoveNode(image)
    before = scene.GetNumberOfNodes()
    with pytest.raises(MTANNError, match="was removed from the scene"):
        logic.wait(job)
    assert scene.GetNumberOfNodes() == before


def test_cancelling_adds_nothing(logic, scene):
    image = noise((60, 60, 60))
    before = scene.GetNumberOfNodes()
    job = logic.detectInWorker(image, MODEL, device="cpu", onProgress=lambda job: job.cancel())
    with pytest.raises(CancelledError):
        logic.wait(job)
    assert scene.GetNumberOfNodes() == before


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["start", "prepare", "scan", "candidates", "done", "result"])
def test_a_kill_at_any_stage_is_told_leaves_the_scene_alone_and_the_next_run_works(
    logic, scene, staged_workers, monkeypatch, stage
):
    image = noise((16, 16, 16))
    before = scene.GetNumberOfNodes()
    monkeypatch.setenv("SLOW_AT", stage)
    job = logic.detectInWorker(image, MODEL, device="cpu")
    if stage != "start":
        run_until(logic.worker, lambda: job.finished or (job.progress and job.progress.stage == stage))
    process = logic.worker.processId
    os.kill(process, signal.SIGKILL)
    with pytest.raises(MTANNError, match="The worker process was killed"):
        logic.wait(job)
    assert (job.state, job.failure.kind, job.result) == (JobState.FAILED, "memory", None)
    assert "smaller tiles" in job.failure.remedy
    assert scene.GetNumberOfNodes() == before
    monkeypatch.delenv("SLOW_AT")
    assert logic.wait(logic.detectInWorker(image, MODEL, device="cpu")).result.settings
    assert logic.worker.processId != process


@pytest.mark.slow
def test_a_real_run_is_cancelled_within_a_second_and_nothing_of_it_stays(logic, scene):
    image = noise((70, 70, 70))
    before = scene.GetNumberOfNodes()
    job = logic.detectInWorker(image, MODEL, device="cpu")
    run_until(logic.worker, lambda: job.finished or (job.progress and job.progress.stage == "scan"))
    start = time.monotonic()
    job.cancel()
    run_until(logic.worker, lambda: job.finished)
    assert time.monotonic() - start < 1.0
    assert job.state is JobState.CANCELLED
    assert scene.GetNumberOfNodes() == before


@pytest.mark.slow
def test_a_model_and_a_training_in_folders_with_blanks_and_letters_of_all_kinds(logic, scene, tmp_path):
    bundled = next(model.directory for model in logic.models() if model.name == MODEL)
    folder = tmp_path / "Modelle von Zoë 画像" / "head model"
    shutil.copytree(bundled, folder)
    image = noise((14, 14, 14), "Köpfchen; $(x)")
    found = logic.wait(logic.detectInWorker(image, folder, device="cpu"))
    assert found.result.model.name == MODEL
    assert "Köpfchen; $(x)" in found.likelihoodNode.GetName()
    points = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "lesions")
    points.AddControlPoint([7.0, 7.0, 7.0], "")
    few = retraining_settings(load_card(folder)[0]).model_copy(update={"steps": 3})
    cases, output = [TrainingNodes(image, points)], folder.parent / "taught mödel"
    taught = logic.wait(logic.retrainInWorker(folder, cases, output, device="cpu", training=few))
    assert (Path(taught["directory"]) / "model.json").is_file()
    assert taught["version"] == "1.1.0"
    assert "Retrained from" in taught["notes"][-1]


def test_the_worker_segments_what_the_logic_segments_in_process(logic, scene):
    image = noise((12, 14, 12))
    own = logic.segment(image, MODEL, settings=SegmentationSettings(threshold=0.05, device="cpu"))
    settings = SegmentationSettings(threshold=0.05, device="cpu")
    found = logic.wait(logic.segmentInWorker(image, MODEL, settings=settings))
    np.testing.assert_array_equal(found.result.label_map.array, own.result.label_map.array)
    assert [one.name for one in found.result.labels] == [one.name for one in own.result.labels]
    assert found.result.settings == settings
    assert found.segmentationNode.GetSegmentation().GetNumberOfSegments() == len(own.result.labels)
