"""The panel's runner over a worker that only takes notes: which models it is told to load, and when."""

from pathlib import Path

import pytest

pytest.importorskip("slicer.util", reason="slicer-core is not installed (pip install slicer-core)")

from MTANNDetectLib.Jobs import Job
from MTANNDetectLib.WorkerJob import Job as WorkerJob
from MTANNDetectLib.WorkerJob import JobState
from MTANNDetectLib.WorkerRunner import WorkerRunner

pytestmark = pytest.mark.slicer


class Worker:
    def __init__(self):
        self.jobs = []

    def submit(self, command, arguments=None, *, onProgress=None, onDone=None):
        job = WorkerJob(len(self.jobs), command, arguments, None, onProgress, onDone, self._cancel)
        self.jobs.append(job)
        return job

    def machine(self, onDone=None):
        return self.submit("hello", onDone=onDone)

    def loadInWorker(self, model):
        return self.submit("load", {"model": model})

    def _cancel(self, job):
        job.end(JobState.CANCELLED)


def test_a_model_is_loaded_in_place_of_one_that_still_waits():
    worker = Worker()
    runner = WorkerRunner(worker)
    runner.load(Path("one"))
    runner.load(Path("two"))
    first, second = worker.jobs
    assert (first.state, second.state) == (JobState.CANCELLED, JobState.WAITING)
    assert (second.command, second.arguments) == ("load", {"model": Path("two")})


def test_a_model_that_is_being_loaded_is_let_be():
    worker = Worker()
    runner = WorkerRunner(worker)
    runner.load(Path("one"))
    worker.jobs[0].state = JobState.RUNNING
    runner.load(Path("two"))
    assert [job.state for job in worker.jobs] == [JobState.RUNNING, JobState.WAITING]


def test_a_run_does_not_wait_for_a_model_that_is_not_loaded_yet():
    worker = Worker()
    runner = WorkerRunner(worker)
    runner.load(Path("one"))
    runner.submit(Job("detect", Path("two")), None)
    assert worker.jobs[0].state is JobState.CANCELLED
    assert worker.jobs[1].command == "detect"
