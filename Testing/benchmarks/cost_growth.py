"""How cost grows: voxels, channels, kernel, units, experts and lesions, each doubled four times.

    python Testing/dev.py bench cost_growth

Prints the slope of each (1: proportional) and draws ``results/cost_growth.svg``.
"""

import sys
from collections.abc import Callable

import numpy as np
import torch
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from measuring import RESULTS, in_turn, prepare_process, slope, write_result

from mtann.inference.layers import LevelKernel, ScanLayers
from mtann.inference.scan import scan, scan_layers
from mtann.networks.mtann import MTANN
from mtann.sampling.subvolumes import NEGATIVE, Samples
from mtann.settings import NetworkSettings, TrainingSettings
from mtann.training.mtann import fit

DOUBLINGS = 5
ROUNDS = 3
EDGE = 48
EDGES = {1: 3, 2: 5, 4: 7, 8: 9, 16: 11}
"""Odd cubes cannot double their taps; these come near, and the slope is taken over their true numbers."""
STEPS = 20


def volumes(count: int, shape: tuple[int, int, int]) -> list[np.ndarray]:
    return [np.random.default_rng(n).normal(size=shape).astype(np.float32) for n in range(count)]


def scanning_voxels(factor: int) -> Callable[[], object]:
    network, channels = MTANN(NetworkSettings(dilations=(1,), hidden=(25,)), 1), volumes(1, (24 * factor, 64, 64))
    return lambda: scan(network, channels)


def scanning_channels(factor: int) -> Callable[[], object]:
    network, channels = MTANN(NetworkSettings(dilations=(1,), hidden=(25,)), factor), volumes(factor, (EDGE,) * 3)
    return lambda: scan(network, channels)


def scanning_kernel(factor: int) -> Callable[[], object]:
    """Cubes of 3^3, 5^3, 7^3, 9^3 and 11^3 taps."""
    edge = EDGES[factor]
    weight = torch.randn(25, 1, edge, edge, edge) / edge**1.5
    layers = ScanLayers((LevelKernel(0, 1, weight),), 25, 1, lambda sums: sums.sigmoid_().mean(dim=-2, keepdim=True))
    channels = volumes(1, (EDGE,) * 3)
    return lambda: scan_layers([layers], [channels])


def scanning_experts(factor: int) -> Callable[[], object]:
    network = MTANN(NetworkSettings(dilations=(1,), hidden=(25,)), 1, list(range(factor)))
    channels = volumes(1, (EDGE,) * 3)
    return lambda: scan(network, channels)


def lesson(lesions: int) -> Samples:
    """So many regions of 512 voxels each, and as many voxels from elsewhere."""
    count = 512 * lesions
    random = np.random.default_rng(0)
    groups = np.concatenate([np.repeat(np.arange(lesions), 512), np.full(count, NEGATIVE)])
    inputs = random.normal(size=(2 * count, 1, 1, 171)).astype(np.float32)
    return Samples(inputs, random.uniform(size=2 * count).astype(np.float32), groups)


def training_lesions(factor: int) -> Callable[[], object]:
    """As many steps for each lesion."""
    samples = lesson(4 * factor)
    settings = TrainingSettings(steps=STEPS * factor, batch_size=256)
    return lambda: fit(MTANN(NetworkSettings(dilations=(1,), hidden=(25,)), 1), [[samples]], settings)


def training_experts(factor: int) -> Callable[[], object]:
    samples = lesson(4)
    settings = TrainingSettings(steps=STEPS, batch_size=256)
    seeds = list(range(factor))
    shape = NetworkSettings(dilations=(1,), hidden=(25,))
    return lambda: fit(MTANN(shape, 1, seeds), [[samples]] * factor, settings, seeds=seeds)


SERIES: dict[str, Callable[[int], Callable[[], object]]] = {
    "scan: voxels": scanning_voxels,
    "scan: channels": scanning_channels,
    "scan: kernel taps": scanning_kernel,
    "scan: experts": scanning_experts,
    "train: lesions and steps": training_lesions,
    "train: experts": training_experts,
}


def draw(found: dict[str, dict[str, object]]) -> None:
    figure = Figure(figsize=(6.4, 4.4))
    FigureCanvasSVG(figure)
    axes = figure.add_subplot(
        xscale="log", yscale="log", xlabel="size, as a multiple of the smallest", ylabel="time, as a multiple"
    )
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    for name, one in found.items():
        times = np.array(one["median_s"])
        axes.plot(one["factors"], times / times[0], marker="o", label=f"{name}: slope {one['slope']:.2f}")
    axes.plot([1, 16], [1, 16], color="black", linewidth=0.8, linestyle="--", label="in proportion")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.tight_layout()
    RESULTS.mkdir(exist_ok=True)
    figure.savefig(RESULTS / "cost_growth.svg", metadata={"Date": None})


def main() -> int:
    prepare_process()
    factors = [2**n for n in range(DOUBLINGS)]
    found = {}
    for name, make in SERIES.items():
        ways = {str(factor): make(factor) for factor in factors}
        for way in ways.values():
            way()
        seconds = in_turn(ways, ROUNDS)
        medians = [float(np.median(times)) for times in seconds.values()]
        sizes = [(EDGES[n] / EDGES[1]) ** 3 for n in factors] if make is scanning_kernel else factors
        found[name] = {"factors": sizes, "median_s": medians, "slope": slope(sizes, medians)}
        print(f"{name:26} slope {found[name]['slope']:.2f}: {', '.join(f'{time:.3f}' for time in medians)} s")
    draw(found)
    write_result("cost_growth", {"series": found})
    return 0


if __name__ == "__main__":
    sys.exit(main())
