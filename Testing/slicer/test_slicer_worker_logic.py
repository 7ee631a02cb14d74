"""The logic's calls in the background: a real worker, a real model, a real scene."""

import numpy as np
import pytest

pytest.importorskip("slicer.util", reason="slicer-core is not installed (pip install slicer-core)")

import slicer
import slicer.util

from mtann.errors import CancelledError, MTANNError
from MTANNDetectLib.Logic import DetectLogic
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
