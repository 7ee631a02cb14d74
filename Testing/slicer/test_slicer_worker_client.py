"""The client against real worker processes: what it does with jobs, and what it leaves behind."""

import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("slicer.util", reason="slicer-core is not installed (pip install slicer-core)")

from clients import ended, run_until
from worker.processes import is_gone, wait_until

from mtann.geometry import Geometry
from mtann.volume import Volume
from MTANNDetectLib import WorkerClient as clientModule
from MTANNDetectLib import WorkerPython
from MTANNDetectLib.WorkerJob import JobProgress, JobState
from MTANNDetectLib.WorkerProcess import WorkerProcess
from MTANNDetectLib.WorkerPython import makeExchangeFolder, pythonExecutable, workerEnvironment

pytestmark = pytest.mark.slicer


def test_jobs_run_one_after_another_in_one_process(client):
    order = []
    jobs = [client.submit("echo", {"n": n}, onDone=lambda job: order.append(job.result["n"])) for n in range(3)]
    assert [job.state for job in jobs] == [JobState.WAITING] * 3
    ended(client, jobs[-1])
    assert order == [0, 1, 2]
    process = client.processId
    assert ended(client, client.submit("echo", {"a": "Zoë"})).result == {"a": "Zoë"}
    assert client.processId == process
    assert not client.busy


def test_a_job_is_converted_on_the_callers_thread_and_fails_with_its_conversion(client):
    job = client.submit("echo", {"n": 2}, convert=lambda result: result["n"] * 21)
    assert ended(client, job).result == 42

    def convert(result):
        raise RuntimeError("no room in the scene")

    job = ended(client, client.submit("echo", convert=convert))
    assert (job.state, job.failure.kind, job.result) == (JobState.FAILED, "defect", None)
    assert "no room in the scene" in job.failure.message


def test_the_folder_is_private_and_goes_with_the_client(client, tmp_path):
    ended(client, client.submit("echo", {"array": np.ones(5)}))
    (folder,) = tmp_path.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in folder.iterdir() if path.name.startswith("in-")] == []
    process = client.processId
    client.close()
    assert list(tmp_path.iterdir()) == []
    assert is_gone(process)


def test_folders_of_parents_that_died_are_removed_and_no_others(tmp_path):
    dead = os.spawnlp(os.P_NOWAIT, "true", "true")
    os.waitpid(dead, 0)
    names = [f"mtann-worker-{dead}-abc", f"mtann-worker-{os.getpid()}-abc", "mtann-worker-mine", "photos"]
    for name in names:
        (tmp_path / name).mkdir()
    made = makeExchangeFolder(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*names[1:], made.name])


def test_a_job_that_hears_stops_by_itself_and_the_worker_stays(client):
    job = client.submit("hold")
    run_until(client, lambda: job.progress is not None)
    process, start = client.processId, time.monotonic()
    job.cancel()
    ended(client, job)
    assert job.state is JobState.CANCELLED
    assert time.monotonic() - start < 1.0
    time.sleep(clientModule.CANCEL_TIME_S + 0.3)  # The threat to end it by force must be off.
    assert ended(client, client.submit("echo")).state is JobState.DONE
    assert client.processId == process


def test_a_job_that_does_not_hear_is_gone_within_a_second_with_its_children(client):
    job = client.submit("deaf")
    run_until(client, lambda: job.progress is not None)
    process, child, start = client.processId, int(job.progress.message), time.monotonic()
    assert not is_gone(child)
    job.cancel()
    ended(client, job)
    assert time.monotonic() - start < 1.0
    assert job.state is JobState.CANCELLED
    assert is_gone(process)
    assert wait_until(lambda: is_gone(child), 1.0)
    assert ended(client, client.submit("echo")).state is JobState.DONE
    assert client.processId != process


def test_cancel_works_while_nobody_takes_the_news(client):
    job = client.submit("deaf")
    run_until(client, lambda: job.progress is not None)
    process = client.processId
    job.cancel()
    time.sleep(clientModule.CANCEL_TIME_S + 0.3)  # The window is busy with something else.
    assert wait_until(lambda: is_gone(process), 1.0)
    assert ended(client, job).state is JobState.CANCELLED


def test_a_waiting_job_is_cancelled_at_once_and_others_go_on(client):
    first, second, third = (client.submit(name) for name in ("hold", "echo", "echo"))
    second.cancel()
    assert second.state is JobState.CANCELLED
    run_until(client, lambda: first.progress is not None)
    first.cancel()
    assert ended(client, third).state is JobState.DONE
    second.cancel()
    third.cancel()
    assert third.state is JobState.DONE


def test_closing_cancels_everything_and_leaves_no_process(client):
    jobs = [client.submit("deaf"), client.submit("echo")]
    run_until(client, lambda: jobs[0].progress is not None)
    process, child = client.processId, int(jobs[0].progress.message)
    client.close()
    assert [job.state for job in jobs] == [JobState.CANCELLED] * 2
    assert is_gone(process)
    assert wait_until(lambda: is_gone(child), 1.0)
    assert ended(client, client.submit("echo")).state is JobState.DONE


def test_two_workers_at_once_do_not_meet(make_client):
    one, two = make_client(), make_client()
    held, other = one.submit("deaf"), two.submit("hold", {"seconds": 60})
    run_until(one, lambda: held.progress is not None)
    run_until(two, lambda: other.progress is not None)
    assert one.processId != two.processId
    held.cancel()
    ended(one, held)
    two.processEvents()
    assert other.state is JobState.RUNNING
    other.cancel()
    assert ended(two, other).state is JobState.CANCELLED
    assert ended(two, two.submit("echo", {"a": np.arange(3)})).result["a"].tolist() == [0, 1, 2]


def test_blanks_and_letters_of_all_kinds_in_paths(make_client, tmp_path):
    place = tmp_path / "Bilder von Zoë; $(true) 画像"
    place.mkdir()
    client = make_client(place)
    assert ended(client, client.submit("echo", {"a": np.arange(3), "name": "é 画"})).result["a"].tolist() == [0, 1, 2]


def test_two_gigabytes_pass_by_memory_map_alone(client, monkeypatch, tmp_path):
    sent, taken = [], []
    send, take = WorkerProcess.send, WorkerProcess._takeLine
    monkeypatch.setattr(
        WorkerProcess, "send", lambda self, message: (sent.append(len(str(message))), send(self, message))
    )
    monkeypatch.setattr(WorkerProcess, "_takeLine", lambda self, line: (taken.append(len(line)), take(self, line)))
    ended(client, client.submit("echo"))
    before = resident_bytes()
    shape = (512, 1024, 1024)
    huge = Volume(np.broadcast_to(np.float32(0), shape), Geometry(shape, (1, 1, 1), (0, 0, 0)), "huge")
    assert huge.array.nbytes == 2**31
    job = ended(client, client.submit("large", {"volume": huge}))
    assert job.failure is None
    assert job.result["volume"].array.shape == shape
    assert job.result["ends"] == (0.0, 0.0)
    assert sum(sent) + sum(taken) < 10_000
    assert job.result["peak_bytes"] < 300 * 2**20
    assert resident_bytes() - before < 100 * 2**20


def resident_bytes():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_progress_is_told_with_the_time_that_is_left():
    assert JobProgress("scan", 0.5, "Scanning").text == "Scanning"
    assert JobProgress("scan", 0.5, "Scanning", 12.4).text == "Scanning (about 12 s left)"
    assert JobProgress("scan", 0.5, "Scanning", 0.2).text == "Scanning (about 1 s left)"
    assert JobProgress("scan", 0.5, "Scanning", 200).text == "Scanning (about 3 min left)"


def test_slicers_own_python_is_taken_and_the_application_never_is(monkeypatch, tmp_path):
    import types

    import slicer

    from mtann.errors import MTANNError

    python = tmp_path / "bin" / "PythonSlicer"
    python.parent.mkdir()
    python.write_text("")
    monkeypatch.setattr(slicer, "app", types.SimpleNamespace(slicerHome=str(tmp_path)), raising=False)
    assert pythonExecutable() == python
    python.unlink()
    assert pythonExecutable() == Path(sys.executable)
    application = tmp_path / "SlicerApp-real"
    application.write_text("")
    monkeypatch.setattr(sys, "executable", str(application))
    with pytest.raises(MTANNError, match="No Python was found"):
        pythonExecutable()


def test_the_environment_leads_to_this_very_library():
    made = workerEnvironment({"PYTHONPATH": "other", "PYTHONINSPECT": "1", "HOME": "h"})
    assert made["PYTHONPATH"] == os.pathsep.join([str(WorkerPython.MODULE_FOLDER), "other"])
    assert (made["HOME"], made["PYTHONUTF8"], "PYTHONINSPECT" in made) == ("h", "1", False)
    assert (WorkerPython.MODULE_FOLDER / "mtann" / "worker").is_dir()
