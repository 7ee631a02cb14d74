"""``mtann bench``: how fast this machine scans and trains, beside plain torch."""

import argparse
import platform
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np

from mtann.backends.computation import Computation, choose_computation, choose_for_mtann
from mtann.commands.console import Console
from mtann.commands.options import add_common, add_device
from mtann.errors import SettingsError
from mtann.report.html import software_versions
from mtann.sampling.subvolumes import NEGATIVE, Samples, to_keep
from mtann.settings import NetworkSettings, TrainingSettings

_EDGE = 96
_SHAPES = {
    "7x7x7, 25 units, 1 channel": (NetworkSettings(dilations=(1,), hidden=(25,)), 1),
    "default network, 4 channels": (NetworkSettings(), 4),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument("--edge", type=int, default=_EDGE, metavar="N", help="edge of the volume (default: 96 voxels)")
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="times that each is run (default: 3)")
    add_device(parser)
    add_common(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command; returns the exit code."""
    if arguments.edge < 8 or arguments.repeats < 1:
        raise SettingsError("--edge must be at least 8 and --repeats at least 1.")
    import torch

    chosen = choose_for_mtann(arguments.device)
    rows: list[dict[str, Any]] = []
    for name in _SHAPES:
        rows += _scans(name, chosen, arguments.edge, arguments.repeats)
    rows.append(_training(chosen, arguments.repeats))
    for row in rows:
        console.say(f"{row['what']:<34} {row['by']:<24} {row['median_s']:8.3f} s   {row['rate']:9.3g} {row['unit']}")
    machine = {"processor": platform.machine(), "system": platform.system(), "threads": torch.get_num_threads()}
    console.say(f"{machine['processor']}, {machine['threads']} threads; chosen: {chosen.words}.")
    console.finish({"machine": machine, "software": software_versions(), "chosen": asdict(chosen), "rows": rows})
    return 0


def _scans(name: str, chosen: Computation, edge: int, repeats: int) -> list[dict[str, Any]]:
    """One network by every backend in turn, each result held against the first one's."""
    from mtann.inference.scan import scan
    from mtann.networks.mtann import MTANN

    shape, count = _SHAPES[name]
    network = MTANN(shape, count)
    channels = [np.random.default_rng(n).normal(size=(edge,) * 3).astype(np.float32) for n in range(count)]
    ways: dict[str, Callable[[], Any]] = {
        f"mtann ({chosen.backend})": lambda: scan(network, channels, computation=chosen)
    }
    other = choose_computation(chosen.device)  # type: ignore[arg-type]
    if other.backend != chosen.backend:
        ways[f"mtann ({other.backend}, asked for)"] = lambda: scan(network, channels, computation=other)
    if len(shape.hidden) == 1:
        ways["torch conv3d, whole"] = lambda: _by_convolution(network, channels, chosen.device)
    seconds, answers = _in_turn(ways, repeats)
    first = next(iter(answers.values()))
    voxels = float(edge**3)
    return [
        {
            "what": f"scan {edge}^3: {name}",
            "by": by,
            "median_s": float(np.median(times)),
            "spread_s": [min(times), max(times)],
            "rate": voxels / float(np.median(times)) / 1e6,
            "unit": "million voxels/s",
            "largest_difference": float(np.abs(answers[by] - first).max()),
        }
        for by, times in seconds.items()
    ]


def _by_convolution(network: Any, channels: list[Any], device: str) -> Any:
    """The network as torch's own layers, over the whole volume at once."""
    import torch

    from mtann.inference.layers import layers_of

    layers = layers_of(network.to(device))
    (kernel,) = layers.kernels
    around = [radius for radius in reversed(kernel.radius_zyx) for _ in (0, 1)]
    with torch.inference_mode():
        volume = torch.from_numpy(np.stack(channels))[None].to(device)
        padded = torch.nn.functional.pad(volume, around, mode="replicate")
        sums = torch.conv3d(padded, kernel.weight, layers.bias)[0]
        return layers.finish(sums.flatten(1)).view(-1, *sums.shape[1:]).cpu().numpy()


def _training(chosen: Computation, repeats: int) -> dict[str, Any]:
    """Gradient steps of eight networks at once."""
    from mtann.networks.mtann import MTANN
    from mtann.training.mtann import fit

    shape, steps, members = NetworkSettings(dilations=(1,), hidden=(25,)), 50, 8
    random = np.random.default_rng(0)
    inputs = to_keep(random.normal(size=(4096, 1, 1, 171)).astype(np.float32))
    groups = np.where(np.arange(4096) % 2, NEGATIVE, 0)
    samples = Samples(inputs, random.uniform(size=4096).astype(np.float32), groups)
    settings = TrainingSettings(steps=steps, batch_size=256)

    def train() -> None:
        seeds = list(range(members))
        fit(MTANN(shape, 1, seeds), [[samples]] * members, settings, seeds=seeds, device=chosen.device)

    seconds, _ = _in_turn({"train": train}, repeats)
    times = seconds["train"]
    return {
        "what": f"train {members} networks together",
        "by": "mtann (torch)",
        "median_s": float(np.median(times)),
        "spread_s": [min(times), max(times)],
        "rate": steps / float(np.median(times)),
        "unit": "steps of 256/s",
    }


def _in_turn(ways: dict[str, Callable[[], Any]], repeats: int) -> tuple[dict[str, list[float]], dict[str, Any]]:
    """Seconds of each way, run in turn so that a busy machine is as busy for all; and the first answers."""
    answers = {name: way() for name, way in ways.items()}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - start)
    return seconds, answers
