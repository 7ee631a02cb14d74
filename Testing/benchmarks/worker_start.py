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
SHAPE = (160, 192, 160)
REPEATS = 5


def arguments() -> dict[str, Any]:
    array = np.random.default_rng(0).normal(100, 10, SHAPE).astype(np.float32)
    return {"volumes": Volume(array, Geometry(SHAPE, (1, 1, 1), (0, 0, 0)), "noise"), "model": MODEL, "device": "cpu"}


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
    given = arguments()
    client = WorkerClient()
    print(f"{platform.machine()}, {os.cpu_count()} processors, image of {' x '.join(map(str, SHAPE))} voxels, float32")
    job, first = begin(client, given)
    print(f"first run, process and torch not loaded: computes after {first:.2f} s")
    stops = [stop(client, job)]
    starts = []
    for _ in range(REPEATS):
        before = client.processId
        job, seconds = begin(client, given)
        starts.append((seconds, client.processId == before))
        time.sleep(0.5)  # into the scan
        stops.append(stop(client, job))
    warm = sorted(seconds for seconds, same in starts if same)
    print(f"later runs in the same process ({len(warm)}): {', '.join(f'{s:.2f}' for s in warm)} s")
    print(f"cancelled after {', '.join(f'{s:.2f}' for s in stops)} s")
    client.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
