"""A real worker process, spoken to byte by byte, and what becomes of it when its parent goes."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from worker.processes import is_gone, sockets_of, wait_until

from mtann.worker.protocol import FOLDER_PREFIX, LONGEST_LINE, PROTOCOL

STAGED = Path(__file__).with_name("staged_worker.py")
LIBRARY = Path(__file__).resolve().parents[3] / "MTANNDetect"


def command(folder, parent=None):
    return [sys.executable, str(STAGED), "worker", "--folder", str(folder), "--parent", str(parent or os.getpid())]


def environment():
    return {**os.environ, "PYTHONPATH": str(LIBRARY)}


class Talk:
    """A worker and its pipes."""

    def __init__(self, folder):
        self.folder = folder
        self.process = subprocess.Popen(
            command(folder), stdin=-1, stdout=-1, stderr=-1, env=environment(), start_new_session=True
        )

    def write(self, data: bytes):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def ask(self, number, name, **arguments):
        self.write(json.dumps({"id": number, "command": name, "arguments": arguments}).encode() + b"\n")

    def read(self):
        return json.loads(self.process.stdout.readline())

    def answer(self, number):
        """The last event of a request."""
        while (event := self.read()).get("id") != number or event["event"] in ("started", "progress"):
            pass
        return event

    def close(self):
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


@pytest.fixture
def folder(tmp_path):
    return Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=tmp_path))


@pytest.fixture
def talk(folder):
    made = Talk(folder)
    yield made
    made.close()


def test_malformed_lines_are_answered_and_the_worker_lives_on(talk):
    assert talk.read()["protocol"] == PROTOCOL
    bad = [
        b"garbage\n",
        b"\xff\xfe\x00\n",
        b"\n",
        b"[1]\n",
        b'{"command": "echo"}\n',
        b'{"id": 4, "command": "unheard of"}\n',
        b'{"id": 5, "command": "echo", "arguments": 3}\n',
        b'{"id": 6, "command": "cancel", "arguments": {}}\n',
        b'{"id": 7, "arguments": "' + b"x" * (2 * LONGEST_LINE) + b'"}\n',
    ]
    for line in bad:
        talk.write(line)
    errors = [talk.read() for _ in bad]
    assert {error["event"] for error in errors} == {"error"}
    assert {error["kind"] for error in errors} == {"protocol"}
    assert [error["id"] for error in errors] == [None, None, None, None, None, 4, 5, 6, None]
    assert "known are hello, load, detect" in errors[5]["message"]
    talk.ask(8, "echo", text="still here")
    assert talk.answer(8) == {"event": "result", "id": 8, "result": {"text": "still here"}}


def test_bad_arguments_of_a_good_request_are_answered(talk):
    talk.ask(1, "echo", value={"$": "Popen", "fields": {}})
    assert "no value of kind 'Popen'" in talk.answer(1)["message"]
    talk.ask(2, "echo", value={"$": "array", "file": "../../etc/passwd"})
    assert "plain name" in talk.answer(2)["message"]
    talk.ask(3, "train", cases=[])
    assert talk.answer(3)["kind"] == "protocol"
    talk.ask(4, "hello", protocol=PROTOCOL + 1)
    assert "different versions" in talk.answer(4)["message"]
    talk.ask(5, "echo")
    assert talk.answer(5)["event"] == "result"


def test_nothing_but_the_protocol_comes_out_of_standard_output(talk):
    talk.ask(1, "noisy")
    assert [talk.read()["event"] for _ in range(3)] == ["ready", "started", "result"]
    talk.ask(2, "shutdown")
    out, errors = talk.process.communicate(timeout=60)
    assert json.loads(out)["id"] == 2
    assert b"printed by a library" in errors
    assert b"printed by C code" in errors
    assert talk.process.returncode == 0
    assert not talk.folder.exists()


def test_a_waiting_job_can_be_cancelled_and_a_running_one_stops(talk):
    talk.ask(1, "hold", seconds=60)
    talk.ask(2, "echo")
    talk.ask(3, "cancel", job=2)
    talk.ask(4, "cancel", job=1)
    events = []
    while len(events) < 2:
        event = talk.read()
        if event["event"] == "cancelled":
            events.append(event["id"])
    assert events == [1, 2]


def test_no_port_is_opened(talk):
    talk.read()
    talk.ask(1, "hold", seconds=60)
    while talk.read()["event"] != "progress":
        pass
    assert sockets_of(talk.process.pid) == []


def test_a_closed_input_ends_the_worker_its_children_and_its_folder(talk):
    talk.read()
    talk.ask(1, "deaf")
    while (event := talk.read())["event"] != "progress":
        pass
    child = int(event["message"])
    talk.process.stdin.close()
    assert wait_until(lambda: talk.process.poll() is not None)
    assert wait_until(lambda: is_gone(child))
    assert not talk.folder.exists()


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGTERM])
def test_the_worker_ends_when_its_parent_is_killed_even_if_its_input_stays_open(folder, signal_number):
    # This process holds the other end of the worker's input, so that only the parent's death can tell.
    reading, writing = os.pipe()
    code = (
        "import os, subprocess, sys, time\n"
        f"command = {command(folder, 'PARENT')!r}\n"
        "command[command.index('PARENT')] = str(os.getpid())\n"
        f"worker = subprocess.Popen(command, stdin={reading}, stdout=subprocess.PIPE, start_new_session=True)\n"
        "worker.stdout.readline()\n"
        "sys.stdout.write(str(worker.pid) + chr(10)); sys.stdout.flush()\n"
        "time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=-1, pass_fds=[reading], env=environment())
    worker = int(parent.stdout.readline())
    os.write(writing, b'{"id": 1, "command": "deaf"}\n')
    assert not is_gone(worker)
    parent.send_signal(signal_number)
    parent.wait()
    assert wait_until(lambda: is_gone(worker))
    assert wait_until(lambda: not folder.exists())
    os.close(writing)
    os.close(reading)
    parent.stdout.close()


def test_a_folder_that_others_may_enter_is_refused(tmp_path):
    for name, mode, words in [
        (f"{FOLDER_PREFIX}open", 0o755, "Others may enter"),
        ("documents", 0o700, "no exchange folder"),
    ]:
        place = tmp_path / name
        place.mkdir()
        place.chmod(mode)
        (place / "thesis.txt").write_text("mine")
        done = subprocess.run(command(place), input=b"", capture_output=True, env=environment(), check=False)
        assert done.returncode == 2
        assert words in done.stderr.decode()
        assert (place / "thesis.txt").read_text() == "mine"
    done = subprocess.run(
        command(tmp_path / f"{FOLDER_PREFIX}absent"), input=b"", capture_output=True, env=environment(), check=False
    )
    assert done.returncode == 2
