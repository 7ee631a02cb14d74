"""What the worker says of the machine is what the machine has."""

import os
import subprocess
import sys

from mtann.backends.computation import choose_computation
from mtann.version import VERSION
from mtann.worker import machine
from mtann.worker.machine import describe_machine, memory_bytes, peak_bytes
from mtann.worker.protocol import PROTOCOL


def test_versions_and_devices_are_told():
    told = describe_machine()
    assert (told["mtann"], told["protocol"], told["process"]) == (VERSION, PROTOCOL, os.getpid())
    processor = told["devices"][-1]
    assert processor["name"] == "cpu"
    assert processor["precisions"][0] == "fp32"
    for device in told["devices"]:
        assert 0 < device["free_bytes"] <= device["memory_bytes"]
        for precision in device["precisions"]:
            assert choose_computation(device["name"], precision=precision).precision == precision


def test_a_container_has_no_more_memory_than_its_limit(monkeypatch):
    whole, _free = memory_bytes()
    limit = whole // 2
    monkeypatch.setattr(machine, "_container_limit", lambda: (limit, limit - 1000))
    assert memory_bytes() == (limit, 1000)
    monkeypatch.setattr(machine, "_container_limit", lambda: (2 * whole, 0))
    assert memory_bytes()[0] == whole


def test_the_peak_is_what_the_process_has_held():
    before = peak_bytes()
    block = bytearray(before + 50 * 2**20)
    block[::4096] = b"x" * len(block[::4096])
    assert peak_bytes() - before > 40 * 2**20
    del block


def test_the_peak_of_the_process_that_started_this_one_does_not_count():
    block = bytearray(400 * 2**20)
    block[::4096] = b"x" * len(block[::4096])
    code = "from mtann.worker.machine import peak_bytes; print(peak_bytes())"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 300 * 2**20
    del block
