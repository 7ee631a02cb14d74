"""What the speed benchmarks share: ways run in turn, medians with their spread, and a JSON file of the results."""

import json
import platform
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mtann.memory import keep_freed_memory
from mtann.report.html import software_versions

RESULTS = Path(__file__).parent / "results"


def prepare_process() -> None:
    """What the command line does before it works."""
    keep_freed_memory()


def in_turn(ways: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each way; in every round each runs once, so that a busy machine is as busy for all."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def ratio(seconds: dict[str, list[float]], slow: str, fast: str) -> tuple[float, float, float]:
    """How many times as fast, from round to round: median, least, greatest."""
    ratios = np.array(seconds[slow]) / np.array(seconds[fast])
    return float(np.median(ratios)), float(ratios.min()), float(ratios.max())


def machine() -> dict[str, Any]:
    name = platform.machine()
    known = Path("/proc/cpuinfo")
    if known.exists():
        models = [line for line in known.read_text().splitlines() if line.startswith("model name")]
        name = models[0].partition(":")[2].strip() if models else name
    return {
        "processor": name,
        "threads": torch.get_num_threads(),
        "system": platform.system(),
        "software": software_versions(),
    }


def slope(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """The power of the size that a cost grows with: 1 for proportional."""
    return float(np.polyfit(np.log2(sizes), np.log2(costs), 1)[0])


def peak_mib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def write_result(name: str, document: dict[str, Any]) -> None:
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps({"benchmark": name, "machine": machine(), **document}, indent=1) + "\n"
    (RESULTS / f"{name}.json").write_text(text, encoding="utf-8")
    print(f"written to {RESULTS / name}.json")
