"""``--around``: is the time in proportion to the patches that are run, and are the labels those of the whole run?

A four-stage U-Net with patches of 64^3 on a volume of 60 patches with three lesions, by torch and by OpenVINO in fp32.
Whole and around alternate; medians are compared. The share of time is taken three times: of the networks alone; of
segmenting, where normalising the image and restoring the label map are fixed costs that do not depend on the patches;
and of the whole command, where starting Python, reading, loading and compiling the model, and writing come on top.

    python Testing/benchmarks/unet_around.py            # about ten minutes on two cores
    python Testing/benchmarks/unet_around.py --small    # seconds; tells whether labels agree, not how fast it is
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch

from mtann.geometry import Geometry
from mtann.models.bundle import ModelBundle, load_bundle, save_bundle
from mtann.models.unet_bundle import make_unet_bundle
from mtann.models.unet_card import UNetCard
from mtann.networks.registry import build_network
from mtann.planning.plan import Architecture, Configuration, Intensities, Plan
from mtann.sampling.lesions import Lesion
from mtann.segmentation import stage
from mtann.segmentation.around import boxes_around
from mtann.segmentation.result import Segmentation, SegmentationSettings
from mtann.segmentation.segment import segment
from mtann.volume import Volume
from mtann.volume_io import write_volume

MOST_AWAY = 0.15
"""How far the share of network time may be from the share of patches."""
RUNS = 3


@dataclass(frozen=True)
class Scale:
    """Sizes of a benchmark.

    Attributes:
        patch: Edge of a patch.
        size: Of the volume (z, y, x).
        features: Of each stage.
        places: Centres of lesions (x, y, z); voxels of 1 mm.
    """

    patch: int
    size: tuple[int, int, int]
    features: tuple[int, ...]
    places: tuple[tuple[float, float, float], ...]


LARGE = Scale(64, (192, 160, 128), (16, 32, 64, 128), ((10.0, 10.0, 10.0), (118.0, 150.0, 20.0), (12.0, 150.0, 182.0)))
SMALL = Scale(16, (48, 40, 32), (4, 8), ((2.0, 2.0, 2.0), (30.0, 38.0, 4.0), (3.0, 37.0, 46.0)))


def make_bundle(scale: Scale) -> ModelBundle[UNetCard]:
    """A U-Net of drawn weights."""
    stages = len(scale.features)
    architecture = Architecture(
        features=scale.features,
        kernel_sizes=((3, 3, 3),) * stages,
        strides=((1, 1, 1), *((2, 2, 2),) * (stages - 1)),
        encoder_blocks=(2,) * stages,
        decoder_convolutions=(2,) * (stages - 1),
    )
    configuration = Configuration(
        name="3d_fullres",
        spacing=(1.0, 1.0, 1.0),
        median_size=scale.size,
        patch_size=(scale.patch,) * 3,
        batch_size=2,
        normalisation=("z_score",),
        normalise_in_mask=(False,),
        batch_dice=False,
        architecture=architecture,
    )
    known = Intensities(mean=0, std=1, median=0, percentile_00_5=0, percentile_99_5=0, minimum=0, maximum=0)
    labels = {"oedema": (1,), "core": (2,)}
    plan = Plan(name="around", channels=("T1",), labels=labels, intensities=(known,), configurations=(configuration,))
    torch.manual_seed(0)
    network = build_network(architecture, 1, plan.outputs, configuration.patch_size)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    card = UNetCard(
        name="around", plan=plan, configurations=("3d_fullres",), folds=("0",), mirror_axes={"3d_fullres": ()},
        training_data=(), software={},
    )  # fmt: skip
    return make_unet_bundle(card, {("3d_fullres", "0"): network.state_dict()})


def make_volume(scale: Scale) -> Volume:
    """Noise of two scales, so that labels are patchy, and no patch is constant."""
    random = np.random.default_rng(0)
    coarse = random.normal(0, 1, tuple(n // 4 + 1 for n in scale.size))
    array = np.kron(coarse, np.ones((4, 4, 4)))[tuple(slice(0, n) for n in scale.size)]
    array = array + random.normal(0, 0.3, scale.size)
    return Volume(array.astype(np.float32), Geometry(scale.size, (1.0,) * 3, (0.0,) * 3), "noise")


class NetworkClock:
    """Adds up the seconds within compiled networks; compiling itself does not count."""

    def __init__(self) -> None:
        self.seconds, self._compile = 0.0, stage.compile_network

    def __enter__(self) -> "NetworkClock":
        stage.compile_network = self._timed  # type: ignore[assignment]
        return self

    def __exit__(self, *_: object) -> None:
        stage.compile_network = self._compile

    def _timed(self, module, shape, computation, **options):  # type: ignore[no-untyped-def]
        network = self._compile(module, shape, computation, **options)

        def evaluate(patches):  # type: ignore[no-untyped-def]
            started = time.perf_counter()
            try:
                return network(patches)
            finally:
                self.seconds += time.perf_counter() - started

        return evaluate


def timed(
    volume: Volume, bundle: ModelBundle[UNetCard], how: SegmentationSettings, around: list[Lesion] | None
) -> tuple[Segmentation, float, float]:
    """A segmentation, its seconds, and those within the networks."""
    with NetworkClock() as clock:
        started = time.perf_counter()
        result = segment(volume, bundle, how, around=around)
        return result, time.perf_counter() - started, clock.seconds


def command_seconds(folder: Path, backend: str, *more: str) -> float:
    """Seconds of the whole command in a process of its own."""
    words = [sys.executable, "-m", "mtann", "segment", str(folder / "noise.nii.gz"), "--model", str(folder / "model")]
    options = ["--device", "cpu", "--backend", backend, "--precision", "fp32", "--output", str(folder / "out")]
    started = time.perf_counter()
    subprocess.run([*words, *options, *more], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def same_labels(whole: Segmentation, part: Segmentation, places: list[Lesion]) -> bool:
    """Whether the labels about each place are those of the whole run."""
    maps = [one.label_map.array for one in (whole, part)]
    boxes = boxes_around(places, whole.label_map.geometry)
    return all(np.array_equal(maps[0][box], maps[1][box]) for box in boxes) and any(maps[1][box].any() for box in boxes)


def measure(scale: Scale, backend: str, runs: int) -> dict[str, object]:
    """One backend, whole against around."""
    places = [Lesion(place, 4.0) for place in scale.places]
    how = SegmentationSettings(device="cpu", backend=backend, precision="fp32")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        volume = make_volume(scale)
        write_volume(volume, folder / "noise.nii.gz")
        save_bundle(make_bundle(scale), folder / "model")
        lines = [",".join(map(str, (*place, 4.0))) for place in scale.places]
        (folder / "places.csv").write_text("\n".join(["x_lps_mm,y_lps_mm,z_lps_mm,radius_mm", *lines]) + "\n")
        bundle = load_bundle(folder / "model")
        whole, part = (timed(volume, bundle, how, around)[0] for around in (None, places))  # compiled from here on
        rows = [
            (
                *timed(volume, bundle, how, None)[1:],
                *timed(volume, bundle, how, places)[1:],
                command_seconds(folder, backend),
                command_seconds(folder, backend, "--around", str(folder / "places.csv")),
            )
            for _ in range(runs)
        ]
    seconds = [median(column) for column in zip(*rows, strict=True)]
    run, of_all = part.patches or (0, 0)
    return {
        "backend": backend,
        "patches": {"around": run, "whole": of_all, "share": run / of_all},
        "network": _share(seconds[3], seconds[1]),
        "segmenting": {**_share(seconds[2], seconds[0]), "fixed_seconds": seconds[2] - seconds[3]},
        "command": {**_share(seconds[5], seconds[4]), "fixed_seconds": seconds[5] - seconds[3]},
        "away": seconds[3] / seconds[1] / (run / of_all) - 1,
        "same_labels": same_labels(whole, part, places),
    }


def _share(around: float, whole: float) -> dict[str, float]:
    return {"around": around, "whole": whole, "share": around / whole}


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="small sizes, one run: labels are judged, times are not")
    arguments = parser.parse_args(words)
    os.environ.setdefault("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
    scale = SMALL if arguments.small else LARGE
    results = [measure(scale, backend, 1 if arguments.small else RUNS) for backend in ("torch", "openvino")]
    sys.stdout.write(json.dumps(results, indent=2) + "\n")
    wrong = [one["backend"] for one in results if not one["same_labels"]]
    slow = [one["backend"] for one in results if abs(float(str(one["away"]))) > MOST_AWAY]
    return 1 if wrong or (slow and not arguments.small) else 0


if __name__ == "__main__":
    sys.exit(main())
