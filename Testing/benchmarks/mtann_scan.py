"""Scanning one MTANN: ours beside torch's conv3d, subvolume by subvolume, and OpenVINO, in turn in one process.

Subvolume by subvolume is done twice: each batch of voxels' subvolumes drawn as for training and passed through the
network (``subvolumes``), and, as fast as it can be made, gathered plane by plane for one matrix product (``gathered``).

    python Testing/dev.py bench mtann_scan

7^3 in a sphere (171 inputs), 25 units, one channel, 240x240x155, random and trained weights; cubes of 11^3 and 15^3 on
a slab of the same cross-section, at full rank and with trained weights enlarged. ``--small`` is for tests: it checks
that all ways agree, on a small volume.
"""

import sys
from collections.abc import Callable

import numpy as np
import torch
from measuring import in_turn, machine, prepare_process, ratio, write_result
from scipy import ndimage

from mtann.backends.computation import Computation
from mtann.inference.layers import LevelKernel, ScanLayers, layers_of
from mtann.inference.plan import direct_plan, plan_scan
from mtann.inference.scan import scan_layers
from mtann.networks.mtann import MTANN
from mtann.phantoms.shapes import spheres_and_cylinders
from mtann.preprocess.prepare import Channel, InputSpecification, prepare
from mtann.sampling.lesions import lesions_from_label_map
from mtann.sampling.subvolumes import draw_samples, gather
from mtann.settings import preset
from mtann.training.mtann import fit

UNITS = 25
SHAPE_ZYX = (155, 240, 240)
SLAB = 40
"""Slices for the large kernels, whose direct convolution of the whole volume would take minutes."""
NAIVE_SLICES = 6
ROUNDS = 5
AGREEMENT = {"openvino": 1e-4}
AT_ONCE = 1 << 15
AIMS = {("7^3", "subvolumes"): 10.0, ("7^3", "conv3d"): 3.0, ("11^3", "conv3d"): 2.0, ("15^3", "conv3d"): 3.0}
THREE_AXES = (1, 1, 1)


def untrained() -> MTANN:
    settings, _ = preset("historic")
    return MTANN(settings, 1)


def trained() -> MTANN:
    """The historic network, taught on two phantoms."""
    settings, training = preset("historic")
    training = training.model_copy(update={"steps": 200, "negatives_per_case": 1000})
    inputs = InputSpecification(channels=(Channel(name="image"),), spacing_mm=1.0)
    samples = []
    for seed in range(2):
        phantom = spheres_and_cylinders(seed, count=4)
        prepared = prepare([phantom.volume], inputs)
        lesions = lesions_from_label_map(phantom.labels, keep_instances=True)
        samples.append(draw_samples(prepared, lesions, settings, training, np.random.default_rng(seed)))
    network = MTANN(settings, 1)
    fit(network, [samples], training)
    return network


def cube_layers(weight: torch.Tensor) -> ScanLayers:
    """A network of any cube's kernels (units, 1, k, k, k), with a sigmoid and a linear output."""
    generator = torch.Generator().manual_seed(1)
    output = torch.randn(1, len(weight), generator=generator) / len(weight) ** 0.5
    none = torch.zeros(len(weight))
    return ScanLayers((LevelKernel(0, 1, weight),), len(weight), 1, none, lambda sums: output @ sums.sigmoid_())


def full_rank(edge: int) -> ScanLayers:
    weight = torch.randn(UNITS, 1, edge, edge, edge, generator=torch.Generator().manual_seed(0))
    return cube_layers(weight / edge**1.5)


def enlarged(edge: int, network: MTANN) -> ScanLayers:
    """The trained network's kernels, enlarged to another cube."""
    weight = layers_of(network).kernels[0].weight.numpy()
    larger = ndimage.zoom(weight, (1, 1, *(edge / n for n in weight.shape[2:])), order=1)
    return cube_layers(torch.from_numpy(larger * (weight.shape[2] / edge) ** 3))


def whole_convolution(layers: ScanLayers, volume: np.ndarray) -> np.ndarray:
    """As torch's own layers would: one conv3d over the padded volume, the activation, the output."""
    (kernel,) = layers.kernels
    around = [radius for radius in reversed(kernel.radius_zyx) for _ in (0, 1)]
    with torch.inference_mode():
        padded = torch.nn.functional.pad(torch.from_numpy(volume)[None, None], around, mode="replicate")
        sums = torch.conv3d(padded, kernel.weight, layers.bias)[0]
        return layers.finish(sums.flatten(1)).view(-1, *sums.shape[1:]).numpy()


def by_subvolumes(network: MTANN, volume: np.ndarray) -> np.ndarray:
    """Every voxel's subvolume drawn as in training, and the network's own answer to it, many at a time."""
    where = np.argwhere(np.ones(volume.shape, dtype=bool))
    with torch.inference_mode():
        answers = [
            network(torch.from_numpy(gather([volume], some, network.settings))[None])
            for some in np.array_split(where, -(-len(where) // AT_ONCE))
        ]
    return torch.cat(answers, dim=1).numpy().reshape(-1, *volume.shape)


def gathered(layers: ScanLayers, volume: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Every voxel's own inputs gathered into a matrix, plane by plane: vectorised, but not by convolution."""
    (kernel,) = layers.kernels
    weight = kernel.weight.flatten(1)[:, torch.from_numpy(inside.ravel())]
    around = [(radius, radius) for radius in kernel.radius_zyx]
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(volume, around, mode="edge"), inside.shape)
    planes = []
    with torch.inference_mode():
        for plane in windows:
            inputs = torch.from_numpy(plane[:, :, inside].reshape(-1, inside.sum()))
            sums = torch.addmm(layers.bias[:, None], weight, inputs.T)
            planes.append(layers.finish(sums).view(-1, *plane.shape[:2]).numpy())
    return np.stack(planes, axis=1)


def compare(name: str, layers: ScanLayers, volume: np.ndarray, rounds: int, network: MTANN | None) -> dict[str, object]:
    """One kernel by every way; by subvolumes only with the whole network."""
    shape = volume.shape
    plan = plan_scan(layers, shape, 64)
    direct = direct_plan(layers, shape, 64)
    openvino = Computation("cpu", "openvino", "fp32", "the benchmark asks for it")
    ways: dict[str, Callable[[], np.ndarray]] = {
        "mtann": lambda: scan_layers([layers], [[volume]]),
        "conv3d": lambda: whole_convolution(layers, volume),
        "tiled": lambda: scan_layers([layers], [[volume]], plan=direct),
        "openvino": lambda: scan_layers([layers], [[volume]], computation=openvino),
    }
    expected = ways["conv3d"]()
    differences = {way: float(np.abs(run() - expected).max()) for way, run in ways.items() if way != "conv3d"}
    part = volume[:NAIVE_SLICES]
    expected_part = whole_convolution(layers, part)
    slowly = {}
    if network is not None:
        inside = layers.kernels[0].weight[:, 0].ne(0).any(dim=0).numpy()
        slowly = {
            "subvolumes": lambda: by_subvolumes(network, part),
            "gathered": lambda: gathered(layers, part, inside),
        }
        differences |= {way: float(np.abs(run() - expected_part).max()) for way, run in slowly.items()}
    seconds = in_turn(ways | slowly, rounds)
    for way in slowly:
        # Its time is in proportion to the voxels.
        seconds[way] = [time * len(volume) / len(part) for time in seconds[way]]
    voxels = volume.size / 1e6
    print(f"{name}: {'x'.join(map(str, reversed(shape)))}, chosen: {plan.method}")
    rows = {}
    for way, times in seconds.items():
        median, low, high = ratio(seconds, way, "mtann")
        rows[way] = {
            "median_s": float(np.median(times)),
            "spread_s": [min(times), max(times)],
            "mtann_is_faster": median,
        }
        print(
            f"  {way:11} {np.median(times):7.2f} s ({min(times):.2f} to {max(times):.2f}), "
            f"{voxels / np.median(times):6.2f} million voxels/s; ours is {median:.2f} times as fast "
            f"({low:.2f} to {high:.2f})"
            f"{f', difference {differences[way]:.1e}' if way in differences else ''}"
        )
    return {"shape_zyx": shape, "method": plan.method, "ways": rows, "differences": differences}


def aims(results: dict[str, dict[str, object]]) -> list[str]:
    """What is not reached of the ratios aimed at."""
    missed = []
    for name, result in results.items():
        for (kernel, way), least in AIMS.items():
            if name.startswith(kernel):
                found = result["ways"][way]["mtann_is_faster"]  # type: ignore[index]
                if found < least:
                    missed.append(f"{name}: {found:.2f} times as fast as {way}, aimed at {least:g}")
    return missed


def disagreements(results: dict[str, dict[str, object]]) -> list[str]:
    return [
        f"{name}: {way} differs by {difference:.1e}"
        for name, result in results.items()
        for way, difference in result["differences"].items()  # type: ignore[attr-defined]
        if difference > AGREEMENT.get(way, 1e-5)
    ]


def main(arguments: list[str]) -> int:
    prepare_process()
    small = "--small" in arguments
    shape, slab, rounds = ((12, 30, 40), 8, 1) if small else (SHAPE_ZYX, SLAB, ROUNDS)
    volume = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    taught = trained()
    results = {}
    for kind, network in (("random weights", untrained()), ("trained weights", taught)):
        results[f"7^3, {kind}"] = compare(f"7^3, {kind}", layers_of(network), volume, rounds, network)
    part = np.ascontiguousarray(volume[:slab])
    for edge in (11, 15):
        for kind, layers in (("full rank", full_rank(edge)), ("trained weights", enlarged(edge, taught))):
            results[f"{edge}^3, {kind}"] = compare(f"{edge}^3, {kind}", layers, part, min(rounds, 3), None)
    missed = [] if small else aims(results)
    wrong = disagreements(results)
    print("\n".join([*missed, *wrong]) or "every aim is reached")
    if not small:
        write_result("mtann_scan", {"units": UNITS, "results": results, "missed": missed})
    else:
        print(machine()["software"])
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
