"""A real worker with made-up commands beside its own: they do on purpose what goes wrong by chance.

``python staged_worker.py worker --folder DIR --parent PID``. With the environment variable SLOW_AT naming a stage, the
command ``detect`` takes its time there, so that it can be caught in the act.
"""

import os
import signal
import subprocess
import sys
import time

import numpy as np

from mtann import cli
from mtann.detection.candidate import DetectionResult
from mtann.errors import CancelledError, ImageError, MTANNError
from mtann.geometry import Geometry
from mtann.progress import Progress
from mtann.volume import Volume
from mtann.worker import server
from mtann.worker.machine import peak_bytes
from mtann.worker.tasks import TASKS


def echo(job, arguments):
    return arguments


def noisy(job, arguments):
    print("printed by a library")  # noqa: T201 - what a library may do
    os.write(1, b"printed by C code\n")
    return "quiet"


def hold(job, arguments):
    """Work until told to stop, or for the given seconds."""
    end = time.monotonic() + arguments.get("seconds", 60)
    while time.monotonic() < end and not job.cancelled():
        job.progress(Progress("hold", 0.5, "Holding"))
        time.sleep(0.02)
    if job.cancelled():
        raise CancelledError("stopped")
    return "held"


def deaf(job, arguments):
    """Never stop, with a child that never stops either; the progress message is the child's process."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    while True:
        job.progress(Progress("deaf", 0.5, str(child.pid)))
        time.sleep(0.02)


def die(job, arguments):
    job.progress(Progress("die", 0.5, "Dying"))
    sys.stderr.write("the last words\n")
    sys.stderr.flush()
    if "code" in arguments:
        os._exit(arguments["code"])
    os.kill(os.getpid(), getattr(signal, arguments["signal"]))
    time.sleep(10)


def fail(job, arguments):
    text = arguments.get("text", "made up")
    kinds = {
        "image": ImageError(text),
        "memory": MemoryError(),
        "torch memory": RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
        "defect": KeyError("nothing"),
        "package": ModuleNotFoundError("No module named 'monai'", name="monai.networks"),
    }
    if arguments["kind"] == "wrapped memory":
        try:
            raise MemoryError
        except MemoryError as error:
            raise MTANNError("Memory ran out while scanning on cpu.") from error
    raise kinds[arguments["kind"]]


def large(job, arguments):
    """Look at a volume's ends and give one of the same size back, neither of them ever read as a whole."""
    volume = arguments["volume"]
    ends = [float(volume.array[0, 0, 0]), float(volume.array[-1, -1, -1])]
    empty = np.broadcast_to(np.float32(0), volume.array.shape)
    return {"ends": ends, "peak_bytes": peak_bytes(), "volume": Volume(empty, volume.geometry, "large")}


def full(job, arguments):
    """Write a result where no file may be longer than 64 KiB: what a full disk looks like to a program."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, resource.RLIM_INFINITY))
    geometry = Geometry((64, 64, 64), (1, 1, 1), (0, 0, 0))
    return Volume(np.ones((64, 64, 64), np.float32), geometry, "too much")


def slowed(task, stage):
    """A command that takes its time once it has reported a stage; "result" is while its result is being written."""
    write = server.to_json

    def write_slowly(value, parcel):
        written = write(value, parcel)
        if isinstance(value, DetectionResult):
            time.sleep(30)
        return written

    def run(job, arguments):
        report = job.progress

        def report_slowly(progress):
            report(progress)
            if progress.stage == stage:
                time.sleep(30)

        job.progress = report_slowly
        result = task(job, arguments)
        if stage == "result":
            report(Progress("result", 1.0, "Writing"))
            server.to_json = write_slowly
        return result

    return run


if slow_at := os.environ.get("SLOW_AT"):
    TASKS["detect"] = slowed(TASKS["detect"], slow_at)

TASKS.update(
    {f.__name__: f for f in (echo, noisy, hold, deaf, die, fail, large, full)},
)

if __name__ == "__main__":
    sys.exit(cli.main())
