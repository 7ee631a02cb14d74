"""How cost grows: voxels, channels, kernel, experts, labels and lesions, each doubled four times.

    python Testing/dev.py bench cost_growth

Prints the slope of each (1: proportional) and draws ``results/cost_growth.svg``: times, and the memory that training
takes by lesions, each measured in a process of its own.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from measuring import RESULTS, in_turn, prepare_process, slope, write_result

from mtann.inference.labels import blocks, labels_of
from mtann.inference.layers import LevelKernel, ScanLayers
from mtann.inference.scan import scan, scan_layers
from mtann.inference.window import Rows
from mtann.networks.mtann import MTANN
from mtann.planning.plan import Architecture, Configuration, Intensities, Plan
from mtann.preprocess.resize import make_resize
from mtann.sampling.subvolumes import NEGATIVE, Samples, to_keep
from mtann.settings import NetworkSettings, TrainingSettings
from mtann.training.mtann import fit

DOUBLINGS = 5
ROUNDS = 3
EDGE = 48
EDGES = {1: 3, 2: 5, 4: 7, 8: 9, 16: 11}
"""Odd cubes cannot double their taps; these come near, and the slope is taken over their true numbers."""
STEPS = 20
MEMORY_LESIONS = 25


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
    kernels = (LevelKernel(0, 1, weight),)
    layers = ScanLayers(kernels, 25, 1, torch.zeros(25), lambda sums: sums.sigmoid_().mean(dim=-2, keepdim=True))
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
    inputs = np.empty((2 * count, 1, 1, 171), np.float16)
    for part in np.array_split(inputs, 2 * lesions):
        # Case by case, as training draws them: nothing else is as large as what it keeps.
        part[:] = to_keep(random.standard_normal(size=part.shape, dtype=np.float32))
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


def plan_of(labels: int) -> Plan:
    """A plan of so many labels; only these matter here."""
    threes = ((3, 3, 3),)
    architecture = Architecture(
        features=(8,), kernel_sizes=threes, strides=((1, 1, 1),), encoder_blocks=(1,), decoder_convolutions=()
    )
    configuration = Configuration(
        name="3d_fullres",
        spacing=(1.0, 1.0, 1.0),
        median_size=(EDGE,) * 3,
        patch_size=(EDGE,) * 3,
        batch_size=2,
        normalisation=("z_score",),
        normalise_in_mask=(False,),
        batch_dice=False,
        architecture=architecture,
    )
    one = Intensities(mean=0, std=1, median=0, percentile_00_5=0, percentile_99_5=0, minimum=0, maximum=0)
    return Plan(
        name="labels",
        channels=("image",),
        labels={f"label {value}": (value,) for value in range(1, labels + 1)},
        intensities=(one,),
        configurations=(configuration,),
    )


def restoring_labels(factor: int) -> Callable[[], object]:
    """From logits to labels on a grid 1.25 times as fine."""
    plan, fine = plan_of(2 * factor), EDGE * 5 // 4
    logits = np.random.default_rng(0).normal(size=(plan.outputs, EDGE, EDGE, EDGE)).astype(np.float32)
    way = make_resize((EDGE,) * 3, (fine,) * 3, (1.0,) * 3, (0.8,) * 3, order=1)
    return lambda: [labels_of(block, plan, probabilities=False) for block in blocks([Rows(0, logits)], way)]


def training_memory(factor: int) -> float:
    """MiB that a process takes at most for samples and training, beyond what it had before. Needs Linux."""
    command = [sys.executable, __file__, "--memory-of", str(factor)]
    return float(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def memory_of(factor: int) -> None:
    prepare_process()
    lesson(1)
    status = Path("/proc/self/status")
    # The peak so far, of loading libraries, is forgotten.
    Path("/proc/self/clear_refs").write_text("5")
    before = _kibibytes(status, "VmRSS")
    settings = TrainingSettings(steps=STEPS, batch_size=256)
    fit(MTANN(NetworkSettings(dilations=(1,), hidden=(25,)), 1), [[lesson(MEMORY_LESIONS * factor)]], settings)
    print(json.dumps((_kibibytes(status, "VmHWM") - before) / 1024))


def _kibibytes(status: Path, name: str) -> int:
    (line,) = (line for line in status.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1])


SERIES: dict[str, Callable[[int], Callable[[], object]]] = {
    "scan: voxels": scanning_voxels,
    "scan: channels": scanning_channels,
    "scan: kernel taps": scanning_kernel,
    "scan: experts": scanning_experts,
    "segment: labels": restoring_labels,
    "train: lesions and steps": training_lesions,
    "train: experts": training_experts,
}


def draw(found: dict[str, dict[str, object]]) -> None:
    figure = Figure(figsize=(7.2, 8.4))
    FigureCanvasSVG(figure)
    for place, (quantity, unit) in enumerate((("time", "s"), ("memory", "MiB")), start=1):
        axes = figure.add_subplot(
            2, 1, place, xlabel="size, as a multiple of the smallest", ylabel=f"{quantity} ({unit})"
        )
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        for name, one in found.items():
            if one["unit"] == unit:
                axes.plot(one["factors"], one["costs"], marker="o", label=f"{name}: slope {one['slope']:.2f}")
        low = min(min(one["costs"]) for one in found.values() if one["unit"] == unit)
        axes.plot([1, 16], [low, 16 * low], color="black", linewidth=0.8, linestyle="--", label="in proportion")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    figure.tight_layout()
    RESULTS.mkdir(exist_ok=True)
    figure.savefig(RESULTS / "cost_growth.svg", metadata={"Date": None})


def record(name: str, unit: str, sizes: list[float], costs: list[float]) -> dict[str, object]:
    found = {"unit": unit, "factors": sizes, "costs": costs, "slope": slope(sizes, costs)}
    print(f"{name:26} slope {found['slope']:.2f}: {', '.join(f'{cost:.3g}' for cost in costs)} {unit}", flush=True)
    return found


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--memory-of"]:
        memory_of(int(arguments[1]))
        return 0
    prepare_process()
    factors = [2**n for n in range(DOUBLINGS)]
    found = {}
    for name, make in SERIES.items():
        ways = {str(factor): make(factor) for factor in factors}
        for way in ways.values():
            way()
        medians = [float(np.median(times)) for times in in_turn(ways, ROUNDS).values()]
        sizes = [(EDGES[n] / EDGES[1]) ** 3 for n in factors] if make is scanning_kernel else factors
        found[name] = record(name, "s", sizes, medians)
    name = f"train: lesions, from {MEMORY_LESIONS}"
    if sys.platform == "linux":
        found[name] = record(name, "MiB", factors, [training_memory(factor) for factor in factors])
    draw(found)
    write_result("cost_growth", {"series": found})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
