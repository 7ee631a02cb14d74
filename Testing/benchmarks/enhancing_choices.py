"""Compares settings for `enhancing-lesion-t1c` in minutes: what one network of each finds in a brain it has not seen.

A whole training with its test takes an hour. Here each choice of settings teaches one network, without mining, on a few
copies of two backgrounds, and is asked about lesions of `enhancing_lesions` in the third. These are scanned where the
lesions are, and the background once as a whole for false alarms, so thresholds are those of the background alone.
Seeds are 200 upwards; validation and test seeds of `enhancing_lesion` lie below.

    python Testing/dev.py bench enhancing_choices [--held-out patient19] [--copies 28] CHOICE [CHOICE ...]

A choice is settings of training or network as NAME=VALUE, joined by semicolons, such as
"intensity_variation=0.1;steps=3000". Those that samples depend on, such as the teaching Gaussian, must be changed in
`train_enhancing_lesion`: samples are drawn once for all choices.
"""

import argparse
import multiprocessing
import sys
import time
from ast import literal_eval
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from enhancing_lesion import assign
from enhancing_lesions import EnhancingCase, insert_lesions
from real_scans import scans_folder
from scipy import ndimage
from train_enhancing_lesion import DETECTION, NETWORK, TRAINING, WHITE_MATTER
from varied_backgrounds import BACKGROUNDS, training_case

from mtann.detection.candidate import Candidate
from mtann.detection.find import find_candidates
from mtann.fitting import TrainingPlan, sample_case, with_sizes
from mtann.geometry import Geometry
from mtann.inference.scan import scan
from mtann.networks.mtann import MTANN
from mtann.preprocess.grid import resample_mask
from mtann.preprocess.hessian import with_hessian
from mtann.preprocess.prepare import PreparedCase, prepare
from mtann.progress import Run
from mtann.sampling.subvolumes import Samples
from mtann.settings import NetworkSettings, TrainingSettings
from mtann.teach import make_plan
from mtann.training.mtann import fit
from mtann.volume import Volume
from mtann.volume_io import read_volume

FIRST_SEED, LESIONS = 200, 5
STEPS, RATES = 2000, (1, 2, 4)
AROUND_VOXELS, MARGIN_VOXELS = 12, 30
"""So far from a lesion is scanned, where its candidate's score is felt; and so far that is looked at for it."""
SCALES_MM = (1.0, 1.6, 2.56, 4.1, 6.55, 10.49, 16.78, 26.84)


@dataclass(frozen=True)
class Scene:
    """A scan that is asked about, prepared; ``labels`` is None for the background alone."""

    prepared: PreparedCase
    labels: Volume | None
    volume: Volume


@dataclass(frozen=True)
class Job:
    """What a process makes ready: a training case's samples, or a scene."""

    plan: TrainingPlan
    background: str
    seed: int | None
    teaches: bool


def make(job: Job) -> "tuple[Samples, ...] | Scene":
    torch.set_num_threads(1)
    if job.teaches and job.seed is not None:
        (case,) = with_sizes([training_case(job.background, job.seed)], None)
        number = job.seed * len(BACKGROUNDS) + BACKGROUNDS.index(job.background)
        return sample_case(case, ready(case.channels[0], job.plan), job.plan, number).samples
    scan_ = read_volume(scans_folder() / "open_ms" / job.background / "t1c.nii.gz")
    if job.seed is None:
        return Scene(ready(scan_, job.plan), None, scan_)
    made: EnhancingCase = insert_lesions(scan_, job.seed, LESIONS)
    return Scene(ready(made.volume, job.plan), made.labels, made.volume)


def ready(volume: Volume, plan: TrainingPlan) -> PreparedCase:
    prepared = prepare([volume], plan.inputs, None, Run())
    return with_hessian(prepared, plan.network.hessian_scales_mm, plan.network.dimensions, Run())


def look(asked: tuple[MTANN, Scene]) -> tuple[list[tuple[float, float]], list[float]]:
    """Lesions of a scene, diameter (mm) and the best score on each; or of the background, the scores of all alarms."""
    torch.set_num_threads(1)
    network, scene = asked
    prepared = scene.prepared
    if scene.labels is None:
        whole = tuple(slice(0, length) for length in prepared.mask.shape)
        return [], [candidate.score for candidate in candidates_in(network, prepared, whole, prepared.mask)]
    labels, lesions = scene.labels, []
    for value in np.unique(labels.array[labels.array > 0]):
        own = labels.with_array((labels.array == value).astype(np.uint8))
        volume_mm3 = np.count_nonzero(own.array) * labels.geometry.voxel_volume_mm3
        lesions.append(((6 * volume_mm3 / np.pi) ** (1 / 3), best_score(network, prepared, own)))
    return lesions, []


def best_score(network: MTANN, prepared: PreparedCase, lesion: Volume) -> float:
    """The best score on a lesion (its outline), minus infinity if there is none."""
    own = resample_mask(lesion, prepared.grid)
    near = ndimage.binary_dilation(own, iterations=AROUND_VOXELS) & prepared.mask
    reach = AROUND_VOXELS + MARGIN_VOXELS
    box = tuple(
        slice(max(0, part.start - reach), min(length, part.stop + reach))
        for part, length in zip(ndimage.find_objects(own.astype(np.uint8))[0], own.shape, strict=True)
    )
    found = candidates_in(network, prepared, box, near)
    outline = Volume(own[box].astype(np.uint8), cropped(prepared.grid, box), "lesion")
    best, _ = assign(outline, [one.peak_lps_mm for one in found], [one.score for one in found])
    return best[1]


def candidates_in(
    network: MTANN, prepared: PreparedCase, box: tuple[slice, ...], mask: npt.NDArray[np.bool_]
) -> tuple[Candidate, ...]:
    """What a network finds in a part of a scan (its box on the model's grid), within a mask of the whole."""
    part, grid = mask[box], cropped(prepared.grid, box)
    channels = [np.ascontiguousarray(channel[box]) for channel in prepared.channels]
    likelihood = scan(network, channels, part, tile_voxels=64, run=Run())[0]
    detection = DETECTION.model_copy(update={"scales_mm": SCALES_MM})
    return find_candidates(likelihood, grid, part, grid, detection, "lesion", Run())[2]


def cropped(grid: Geometry, box: tuple[slice, ...]) -> Geometry:
    return grid.cropped([one.start for one in box], [one.stop for one in box])


def report(name: str, found: Sequence[tuple[list[tuple[float, float]], list[float]]]) -> None:
    alarms = sorted((score for _, scores in found for score in scores), reverse=True)
    lesions = [lesion for own, _ in found for lesion in own]
    for rate in RATES:
        threshold = alarms[rate] if rate < len(alarms) else 0.0
        small = [score > threshold for size, score in lesions if size < 5]
        large = [score > threshold for size, score in lesions if size >= 5]
        print(
            f"{name}: at {rate} ({threshold:.3f}) {sum(small) + sum(large)} of {len(lesions)}, "
            f"of at least 5 mm {sum(large)} of {len(large)}",
            flush=True,
        )


def chosen(text: str) -> tuple[NetworkSettings, TrainingSettings]:
    pairs = [part.split("=", 1) for part in text.split(";")]
    values = {"steps": STEPS, **{name: literal_eval(value) for name, value in pairs}}
    own = {name: value for name, value in values.items() if name in NetworkSettings.model_fields}
    rest = {name: value for name, value in values.items() if name not in own}
    return (
        NetworkSettings.model_validate({**NETWORK.model_dump(), **own}),
        TrainingSettings.model_validate({**TRAINING.model_dump(), **rest}),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("choices", nargs="+", metavar="CHOICE", help="NAME=VALUE;NAME=VALUE …")
    parser.add_argument("--held-out", choices=BACKGROUNDS, default="patient19", help="background to be asked about")
    parser.add_argument("--copies", type=int, default=28, help="copies of each other background to learn from")
    parser.add_argument("--cases", type=int, default=12, help="scans with lesions to be asked about")
    arguments = parser.parse_args()
    start = time.perf_counter()
    others = [background for background in BACKGROUNDS if background != arguments.held_out]
    first = [training_case(background, 0) for background in others]
    plan = make_plan(first, ("t1c",), NETWORK, TRAINING, DETECTION, 1.0, {"t1c": WHITE_MATTER}, None, "cpu")
    jobs = [Job(plan, background, seed, True) for seed in range(arguments.copies) for background in others]
    seeds = [None, *range(FIRST_SEED, FIRST_SEED + arguments.cases)]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        taught = pool.map(make, jobs, chunksize=1)
        scenes = pool.map(make, [Job(plan, arguments.held_out, seed, False) for seed in seeds], chunksize=1)
    samples = [one for case in taught for one in case]  # type: ignore[union-attr]
    print(f"ready after {time.perf_counter() - start:.0f} s", flush=True)
    for text in arguments.choices:
        network_settings, training = chosen(text)
        network = MTANN(network_settings, len(scenes[0].prepared.channels), [training.seed])  # type: ignore[union-attr]
        done = fit(network, [samples], training, seeds=[training.seed])
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            found = pool.map(look, [(network.eval(), scene) for scene in scenes], chunksize=1)
        print(f"{text}: training error {done.losses[0]:.4f}, {time.perf_counter() - start:.0f} s")
        report(text, found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
