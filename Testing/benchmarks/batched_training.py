"""Training 8 experts x 3 seeds as one batched computation, beside training the same networks one by one.

The samples are those of sphere phantoms: shared lesions, and each expert's own non-lesions. Both ways run in turn in
one process; their losses must agree.

    python Testing/dev.py bench batched_training
"""

import platform
import sys
import time

import numpy as np
import torch

from mtann.networks.mtann import MTANN
from mtann.phantoms.shapes import spheres_and_cylinders
from mtann.preprocess.prepare import Channel, InputSpecification, prepare
from mtann.sampling.lesions import Lesion, lesions_from_label_map
from mtann.sampling.subvolumes import Samples, draw_samples, region_negatives
from mtann.settings import TrainingSettings, preset
from mtann.training.mtann import fit

EXPERTS, SEEDS = 8, 3
REPEATS = 3
STEPS, BATCH = 300, 256
MOST_DIFFERENCE = 1e-4


def lessons(settings: TrainingSettings) -> list[list[Samples]]:
    """What each expert learns from: all lesions of four phantoms, and one non-lesion of each."""
    network, _ = preset("historic")
    inputs = InputSpecification(channels=(Channel(name="image"),), spacing_mm=1.0)
    own: list[list[Samples]] = [[] for _ in range(EXPERTS)]
    for seed in range(4):
        phantom = spheres_and_cylinders(seed, count=EXPERTS)
        prepared = prepare([phantom.volume], inputs)
        lesions = lesions_from_label_map(phantom.labels, keep_instances=True)
        random = np.random.default_rng(seed)
        shared = draw_samples(prepared, lesions, network, settings, random)
        for expert, rod in enumerate(phantom.cylinders):
            place = Lesion(rod.centre_lps_mm, rod.radius_mm)
            own[expert] += [shared, region_negatives(prepared, [place], lesions, network, settings, random)]
    return own


def main() -> int:
    network, settings = preset("historic")
    settings = settings.model_copy(update={"steps": STEPS, "batch_size": BATCH, "negatives_per_case": 1000})
    own = lessons(settings)
    members = [(expert, seed) for expert in range(EXPERTS) for seed in range(SEEDS)]
    seeds = [seed for _, seed in members]
    together, alone = [], []
    for _ in range(REPEATS):
        start = time.perf_counter()
        batched = fit(MTANN(network, 1, seeds), [own[expert] for expert, _ in members], settings, seeds=seeds).losses
        together.append(time.perf_counter() - start)
        start = time.perf_counter()
        single = [fit(MTANN(network, 1, [s]), [own[e]], settings, seeds=[s]).losses[0] for e, s in members]
        alone.append(time.perf_counter() - start)
    difference = float(np.abs(batched - np.array(single)).max())
    print(
        f"{platform.machine()}, {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}, Python {platform.python_version()}"
    )
    print(
        f"{EXPERTS} experts x {SEEDS} seeds, 171-25-1, {STEPS} steps of {BATCH}: together {np.median(together):.1f} s "
        f"({min(together):.1f} to {max(together):.1f}), one by one {np.median(alone):.1f} s "
        f"({min(alone):.1f} to {max(alone):.1f}): {np.median(alone) / np.median(together):.1f} times as fast"
    )
    print(f"largest difference of the losses: {difference:.1e}")
    return int(difference > MOST_DIFFERENCE)


if __name__ == "__main__":
    sys.exit(main())
