"""How soon the worker computes: the first run of a process, and the second of the same model; and how soon it stops.

python Testing/dev.py bench worker_start
"""

import os
import platform
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from mtann.geometry import Geometry
from mtann.volume import Volume
from MTANNDetectLib.WorkerClient import WorkerClient
from MTANNDetectLib.WorkerJob import Job

MODEL = "head-phantom-t1c"
SHAPE, SMALL = (160, 192, 160), (24, 24, 24)
REPEATS = 5


def arguments(shape: tuple[int, int, int]) -> dict[str, Any]:
    array = np.random.default_rng(0).normal(100, 10, shape).astype(np.float32)
    return {"volumes": Volume(array, Geometry(shape, (1, 1, 1), (0, 0, 0)), "noise"), "model": MODEL, "device": "cpu"}


def seconds_until(client: WorkerClient, so: Callable[[], bool], start: float) -> float:
    while not so():
        client.processEvents()
        time.sleep(0.002)
    return time.perf_counter() - start


def begin(client: WorkerClient, given: dict[str, Any]) -> tuple[Job, float]:
    """Submit a detection; the job once it computes, and the seconds from the call to its first progress."""
    start = time.perf_counter()
    job = client.submit("detect", given)
    return job, seconds_until(client, lambda: job.finished or job.progress is not None, start)


def stop(client: WorkerClient, job: Job) -> float:
    start = time.perf_counter()
    job.cancel()
    return seconds_until(client, lambda: job.finished, start)


def main() -> int:
    small, large = arguments(SMALL), arguments(SHAPE)
    client = WorkerClient()
    print(f"{platform.machine()}, {os.cpu_count()} processors, image of {' x '.join(map(str, SHAPE))} voxels, float32")
    starts, stops, kept = [], [], 0
    for repeat in range(REPEATS):
        job, first = begin(client, small)
        if repeat == 0:
            print(f"first run, process and torch not loaded: computes after {first:.2f} s")
        seconds_until(client, lambda job=job: job.finished, 0.0)
        process = client.processId
        job, seconds = begin(client, large)
        starts.append(seconds)
        time.sleep(1.0)  # into the scan
        stops.append(stop(client, job))
        kept += client.processId == process
    print(f"second run of the same model in the same process: {', '.join(f'{s:.2f}' for s in sorted(starts))} s")
    print(f"cancelled after {', '.join(f'{s:.2f}' for s in stops)} s; {kept} of {REPEATS} times the process lived on")
    client.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
