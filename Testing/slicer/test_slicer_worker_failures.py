"""The client against worker processes that fail on purpose: what it tells, and how it goes on."""

import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("slicer.util", reason="slicer-core is not installed (pip install slicer-core)")

from clients import ended, run_until

from MTANNDetectLib import WorkerClient as clientModule
from MTANNDetectLib.WorkerDeath import failureOfDeath
from MTANNDetectLib.WorkerJob import JobState

pytestmark = pytest.mark.slicer


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ({"signal": "SIGKILL"}, "memory", "was killed during 'Dying'. The system does that when memory runs out"),
        ({"signal": "SIGSEGV"}, "crash", "ended during 'Dying': it crashed with the signal SIGSEGV"),
        ({"signal": "SIGABRT"}, "crash", "signal SIGABRT"),
        ({"code": 3}, "crash", "it ended with the exit code 3"),
        ({"code": 0}, "crash", "it ended with the exit code 0"),
    ],
)
def test_a_death_is_told_with_cause_remedy_and_last_lines(client, arguments, kind, words):
    job = ended(client, client.submit("die", arguments))
    assert (job.state, job.failure.kind) == (JobState.FAILED, kind)
    assert words in job.failure.message
    assert job.failure.remedy
    assert "the last words" in job.failure.lines
    assert ended(client, client.submit("echo")).state is JobState.DONE


@pytest.mark.parametrize(
    ("kind", "told", "words"),
    [
        ("image", "user", "made up"),
        ("memory", "memory", "Memory ran out."),
        ("torch memory", "memory", "Memory ran out."),
        ("wrapped memory", "memory", "while scanning on cpu"),
        ("package", "missing", "'monai.networks'"),
        ("defect", "defect", "KeyError"),
    ],
)
def test_a_jobs_own_failures_leave_the_worker_running(client, kind, told, words):
    job = ended(client, client.submit("fail", {"kind": kind}))
    assert (job.failure.kind, words in job.failure.message) == (told, True)
    process = client.processId
    assert ended(client, client.submit("echo")).state is JobState.DONE
    assert client.processId == process


def test_an_unknown_command_is_a_misunderstanding(client):
    job = ended(client, client.submit("unheard of"))
    assert (job.failure.kind, job.state) == ("protocol", JobState.FAILED)


def test_what_cannot_be_sent_is_a_failure_of_the_job_alone(client):
    assert "cannot be sent" in ended(client, client.submit("echo", {"x": object()})).failure.message
    assert ended(client, client.submit("echo")).state is JobState.DONE


def test_a_full_disk_is_told_on_either_side(client, monkeypatch):
    job = ended(client, client.submit("full"))
    assert (job.failure.kind, "disk is full" in job.failure.message) == ("disk", True)
    assert "TMPDIR" in job.failure.remedy

    def writeArray(path, array):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("mtann.worker.values.write_array", writeArray)
    job = ended(client, client.submit("echo", {"array": np.ones(4)}))
    assert (job.failure.kind, "disk is full" in job.failure.message) == ("disk", True)


def test_a_temporary_folder_that_cannot_be_written_is_told(make_client, tmp_path):
    place = tmp_path / "read-only"
    place.mkdir(mode=0o500)
    if os.access(place, os.W_OK):
        place = Path("/proc")  # The superuser may write anywhere else.
    job = make_client(place).submit("echo")
    assert (job.state, job.failure.kind) == (JobState.FAILED, "disk")
    assert "cannot be started" in job.failure.message
    assert "permissions" in job.failure.remedy


def test_a_folder_that_is_gone_is_told_and_made_again(client, tmp_path):
    ended(client, client.submit("echo"))
    (folder,) = tmp_path.iterdir()
    folder.rmdir()
    job = ended(client, client.submit("echo", {"array": np.ones(4)}))
    assert job.failure.kind == "disk"
    client.close()
    assert ended(client, client.submit("echo", {"array": np.ones(4)})).state is JobState.DONE


def test_another_version_is_told_in_words(client, monkeypatch):
    monkeypatch.setattr(clientModule, "VERSION", "99.0")
    job = ended(client, client.submit("hold"))
    assert job.failure.kind == "protocol"
    assert "this is 99.0. Restart Slicer" in job.failure.message


def test_a_python_that_is_not_there_is_told(make_client, monkeypatch):
    monkeypatch.setattr(clientModule, "workerCommand", lambda folder: ["/no/such/python", str(folder)])
    job = make_client().submit("echo")
    assert (job.state, "cannot be started" in job.failure.message) == (JobState.FAILED, True)


def test_a_worker_that_cannot_start_is_told_with_its_last_lines(make_client, monkeypatch):
    code = "import sys; sys.exit('python has no library')"
    monkeypatch.setattr(clientModule, "workerCommand", lambda folder: [sys.executable, "-c", code])
    client = make_client()
    job = ended(client, client.submit("echo"))
    assert "before 'echo' began: it ended with the exit code 1" in job.failure.message
    assert job.failure.lines == ("python has no library",)


def test_the_death_of_an_idle_worker_goes_unnoticed(client):
    ended(client, client.submit("echo"))
    os.kill(client.processId, signal.SIGKILL)
    assert ended(client, client.submit("echo")).state is JobState.DONE
    process = client.processId
    os.kill(process, signal.SIGKILL)
    run_until(client, lambda: client.processId is None)
    assert ended(client, client.submit("echo")).state is JobState.DONE


def test_windows_codes_are_put_into_words():
    failure = failureOfDeath(0xC0000005, ["a"], "during 'x'")
    assert (failure.kind, "access violation" in failure.message) == ("crash", True)
    assert failureOfDeath(0xC0000017, [], "during 'x'").kind == "memory"
    assert failureOfDeath(-99, [], "").message.endswith("the signal 99.")
