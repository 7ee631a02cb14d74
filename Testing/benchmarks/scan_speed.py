"""How long, and with how much memory, one scan of a whole brain takes; and how soon cancelling takes effect.

python Testing/dev.py bench scan_speed
"""

import platform
import resource
import sys
import time

import numpy as np
import torch

from mtann.inference.scan import scan
from mtann.networks.mtann import MTANN
from mtann.progress import Run
from mtann.settings import NetworkSettings

SHAPE_ZYX = (182, 218, 182)
REPEATS = 3


def peak_mib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def largest_gap(network: MTANN, channels: list[np.ndarray]) -> float:
    """The longest time between two moments at which the scan asks whether to stop."""
    moments = [time.perf_counter()]

    def cancelled() -> bool:
        moments.append(time.perf_counter())
        return False

    scan(network, channels, run=Run(cancelled=cancelled))
    return float(np.diff(moments).max())


def main() -> int:
    volume = np.random.default_rng(0).normal(size=SHAPE_ZYX).astype(np.float32)
    single = MTANN(NetworkSettings(dilations=(1,), hidden=(25,)), 1)
    scan(single, [volume[:64, :64, :64]])  # Loads what is loaded once.
    before = peak_mib()
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        scan(single, [volume])
        seconds.append(time.perf_counter() - start)
    above = peak_mib() - before
    print(
        f"{platform.machine()}, {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}, Python {platform.python_version()}"
    )
    print(
        f"7^3, 25 units, one channel, {SHAPE_ZYX[0]}x{SHAPE_ZYX[1]}x{SHAPE_ZYX[2]}: median {np.median(seconds):.2f} s "
        f"({min(seconds):.2f} to {max(seconds):.2f}), peak {above:.0f} MiB above the input"
    )
    default = MTANN(NetworkSettings(), 4)
    print(f"default network, 4 channels: cancelling takes effect within {largest_gap(default, [volume] * 4):.2f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
