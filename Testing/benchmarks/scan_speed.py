"""How long, and with how much memory, one scan of a whole brain takes; and how soon a detection can be cancelled.

python Testing/dev.py bench scan_speed
"""

import platform
import resource
import sys
import time
from itertools import pairwise

import numpy as np
import torch

from mtann.detection.operating_points import OperatingPoint
from mtann.geometry import Geometry
from mtann.inference.scan import scan
from mtann.models.bundle import ModelBundle, make_bundle
from mtann.models.card import ModelCard
from mtann.networks.mtann import MTANN
from mtann.phantoms.fields import random_field
from mtann.pipeline import detect
from mtann.preprocess.prepare import Channel, InputSpecification
from mtann.progress import Progress
from mtann.settings import DetectionSettings, NetworkSettings, TrainingSettings
from mtann.volume import Volume

SHAPE_ZYX = (182, 218, 182)
SHAPE = "x".join(map(str, SHAPE_ZYX))
SPACING_MM = 0.9
CHANNELS = ("t1", "t1c", "t2", "flair")
REPEATS = 3
LONGEST_S = 1.0
"""Exit code 0 if cancelling takes effect within this time."""


class Moments:
    """When a run asks whether to stop, and what it said last that it was doing."""

    def __init__(self) -> None:
        self._moments = [(time.perf_counter(), Progress("start", 0.0, "before the first check"))]
        self._last = self._moments[0][1]

    def hear(self, progress: Progress) -> None:
        self._last = progress

    def ask(self) -> bool:
        self._moments.append((time.perf_counter(), self._last))
        return False

    def largest_gaps(self) -> dict[str, tuple[float, str]]:
        """For each stage, the longest time (s) without a check, and the message before it."""
        self.ask()
        gaps: dict[str, tuple[float, str]] = {}
        for (start, _), (stop, progress) in pairwise(self._moments):
            gaps[progress.stage] = max(gaps.get(progress.stage, (0.0, "")), (stop - start, progress.message))
        return gaps


def untrained_model() -> ModelBundle:
    """The default network on four channels with random weights, whose likelihood is about 0.3, give or take 0.3."""
    torch.manual_seed(0)
    network = MTANN(NetworkSettings(), len(CHANNELS))
    card = ModelCard(
        name="untrained",
        inputs=InputSpecification(
            channels=tuple(Channel(name=name) for name in CHANNELS), spacing_mm=SPACING_MM, mask="body"
        ),
        network=network.settings,
        training=TrainingSettings(),
        detection=DetectionSettings(),
        operating_points=(
            OperatingPoint(
                name="balanced", threshold=0.3, sensitivity=0, fp_per_case=0, lesions=0, cases=0, chosen_on="nothing"
            ),
        ),
        training_cases=1,
        training_patients=1,
        training_lesions=1,
        training_data=(),
        seed=0,
        software={},
    )
    return make_bundle(card, [network])


def image(seed: int, geometry: Geometry) -> Volume:
    """A ball of smooth tissue with noise in it, on air."""
    rng = np.random.default_rng(seed)
    coarse, fine = random_field(rng, 12.0, 110.0), random_field(rng, 4.0, 110.0)
    axes = [(np.arange(n) - (n - 1) / 2) * s for n, s in zip(geometry.shape_zyx, geometry.spacing_zyx_mm, strict=True)]
    z, y, x = np.ix_(*axes)
    inside = (z / 75) ** 2 + (y / 90) ** 2 + (x / 75) ** 2 < 1
    tissue = 100 + 15 * coarse.on_grid(*axes) + 10 * fine.on_grid(*axes)
    noise = rng.normal(scale=4, size=geometry.shape_zyx)
    return Volume((tissue * inside + noise).astype(np.float32), geometry, CHANNELS[seed])


def full_case() -> tuple[ModelBundle, list[Volume]]:
    fine, thick = (SPACING_MM,) * 3, (0.6, 0.6, 2.0)
    grids = [
        # Stored from left to right and back to front, so that nothing is spared the way onto the model's grid and back.
        Geometry(SHAPE_ZYX, fine, (81.9, 98.1, -81.9), (-1, 0, 0, 0, -1, 0, 0, 0, 1)),
        Geometry(SHAPE_ZYX, fine, (-81.9, -98.1, -81.9)),
        Geometry((82, 327, 273), thick, (-81.9, -98.1, -81.9)),
        Geometry(SHAPE_ZYX, fine, (-80.9, -97.1, -80.9)),
    ]
    return untrained_model(), [image(seed, grid) for seed, grid in enumerate(grids)]


def peak_mib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def measure_scan() -> None:
    volume = np.random.default_rng(0).normal(size=SHAPE_ZYX).astype(np.float32)
    single = MTANN(NetworkSettings(dilations=(1,), hidden=(25,)), 1)
    scan(single, [volume[:64, :64, :64]])  # Loads what is loaded once.
    before = peak_mib()
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        scan(single, [volume])
        seconds.append(time.perf_counter() - start)
    print(
        f"7^3, 25 units, one channel, {SHAPE}: median {np.median(seconds):.2f} s "
        f"({min(seconds):.2f} to {max(seconds):.2f}), peak {peak_mib() - before:.0f} MiB above the input"
    )


def measure_cancelling() -> float:
    """The longest time (s) in a whole detection after which cancelling takes effect."""
    bundle, images = full_case()
    moments = Moments()
    start = time.perf_counter()
    result = detect(images, bundle, device="cpu", progress=moments.hear, cancelled=moments.ask)
    seconds = time.perf_counter() - start
    gaps = moments.largest_gaps()
    longest, message = max(gaps.values())
    print(
        f"detection with the default network, {len(images)} channels, {SHAPE}: {seconds:.1f} s, "
        f"{len(result.candidates)} candidates; cancelling takes effect within {longest:.2f} s (after '{message}')"
    )
    for stage, (gap, message) in gaps.items():
        print(f"  {stage:10} {gap:.2f} s (after '{message}')")
    return longest


def main() -> int:
    print(
        f"{platform.machine()}, {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}, Python {platform.python_version()}"
    )
    measure_scan()
    return 0 if measure_cancelling() <= LONGEST_S else 1


if __name__ == "__main__":
    sys.exit(main())
