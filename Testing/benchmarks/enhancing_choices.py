"""Compares settings for `enhancing-lesion-t1c` in minutes: what one network of each finds in a brain it has not seen.

A whole training with its test takes an hour. Here each choice of settings teaches one network, without mining, on a few
copies of two backgrounds, and is asked about lesions of `enhancing_lesions` in the third. These are scanned where the
lesions are, and the background once as a whole for false alarms, so thresholds are those of the background alone.
Seeds are 200 upwards; validation and test seeds of `enhancing_lesion` lie below.

    python Testing/dev.py bench enhancing_choices [--held-out patient19] [--copies 28] CHOICE [CHOICE ...]

A choice is settings of training or network as NAME=VALUE, joined by semicolons, such as
"intensity_variation=0.1;steps=3000". Those that samples depend on, such as the teaching Gaussian, must be changed in
`train_enhancing_lesion`: samples are drawn once for all choices. With a glioma's scan held out, all three backgrounds
are learnt from, and what enhances in the scan by itself is no alarm.
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
from enhancing_lesion import GLIOMAS, RATES, CaseOutcome, assign, outcome, read_background, share, threshold_at
from enhancing_lesions import insert_lesions
from scipy import ndimage
from train_enhancing_lesion import DETECTION, NAME, NETWORK, TRAINING, WHITE_MATTER
from varied_backgrounds import BACKGROUNDS, training_case

from mtann.detection.candidate import Candidate
from mtann.detection.find import find_candidates
from mtann.fitting import TrainingPlan, sample_case, with_sizes
from mtann.inference.scan import scan
from mtann.models.catalogue import open_model
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

FIRST_SEED, LESIONS = 200, 5
STEPS, SMALL_MM = 2000, 5.0
AROUND_VOXELS, MARGIN_VOXELS = 12, 30
"""So far from a lesion is scanned, where its candidate's score is felt; and so far that is looked at for it."""


@dataclass(frozen=True)
class Scene:
    """A scan to be asked about, as the network sees it; of the background alone, labels are of what enhances in it."""

    prepared: PreparedCase
    labels: Volume
    kinds: dict[int, str]


def samples_of(background: str, seed: int, plan: TrainingPlan) -> tuple[Samples, ...]:
    torch.set_num_threads(1)
    (case,) = with_sizes([training_case(background, seed)], None)
    number = seed * len(BACKGROUNDS) + BACKGROUNDS.index(background)
    return sample_case(case, ready(case.channels[0], plan), plan, number).samples


def scene_of(background: str, seed: int | None, plan: TrainingPlan) -> Scene:
    torch.set_num_threads(1)
    volume, enhancing = read_background(background)
    if seed is None:
        return Scene(ready(volume, plan), volume.with_array(enhancing.astype(np.uint8)), {})
    made = insert_lesions(volume, seed, LESIONS)
    return Scene(ready(made.volume, plan), made.labels, {one.value: one.plan.kind for one in made.lesions})


def ready(volume: Volume, plan: TrainingPlan) -> PreparedCase:
    prepared = prepare([volume], plan.inputs, None, Run())
    return with_hessian(prepared, plan.network.hessian_scales_mm, plan.network.dimensions, Run())


def look(network: MTANN, scene: Scene) -> CaseOutcome:
    """The lesions of a scene, or the false alarms in the background alone."""
    torch.set_num_threads(1)
    if not scene.kinds:
        whole = tuple(slice(0, length) for length in scene.prepared.mask.shape)
        found = candidates_in(network, scene.prepared, whole, scene.prepared.mask)
        places, scores = [one.peak_lps_mm for one in found], [one.score for one in found]
        _, alarms = assign(scene.labels, places, scores)
        return CaseOutcome("background", (), tuple((scores[k], places[k]) for k in alarms), {})
    lesions = []
    for value, kind in scene.kinds.items():
        own = scene.labels.with_array((scene.labels.array == value).astype(np.uint8))
        score = best_score(network, scene.prepared, own)
        lesions.append(outcome(str(value), kind, scene.labels, value, score))
    return CaseOutcome("lesions", tuple(lesions), (), {})


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
    grid = prepared.grid.cropped([one.start for one in box], [one.stop for one in box])
    outline = Volume(own[box].astype(np.uint8), grid, "lesion")
    best, _ = assign(outline, [one.peak_lps_mm for one in found], [one.score for one in found])
    return best[1]


def candidates_in(
    network: MTANN, prepared: PreparedCase, box: tuple[slice, ...], mask: npt.NDArray[np.bool_]
) -> tuple[Candidate, ...]:
    """What a network finds in a part of a scan (its box on the model's grid), within a mask of the whole."""
    part, grid = mask[box], prepared.grid.cropped([one.start for one in box], [one.stop for one in box])
    channels = [np.ascontiguousarray(channel[box]) for channel in prepared.channels]
    likelihood = scan(network, channels, part, tile_voxels=64, run=Run())[0]
    # The scales of a model that was taught on lesions of all sizes.
    return find_candidates(likelihood, grid, part, grid, open_model(NAME).card.detection, "lesion", Run())[2]


def report(choice: str, cases: Sequence[CaseOutcome]) -> None:
    background = [case for case in cases if not case.lesions]
    lesions = [lesion for case in cases for lesion in case.lesions]
    large = [lesion for lesion in lesions if lesion.diameter_mm >= SMALL_MM]
    for rate in RATES:
        threshold = threshold_at(background, rate)
        print(
            f"{choice}: at {rate:g} in the background (threshold {threshold:.3f}) {share(lesions, threshold)}, "
            f"of at least {SMALL_MM:g} mm {share(large, threshold)}",
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
    parser.add_argument("--held-out", choices=(*BACKGROUNDS, *GLIOMAS), default="patient19", help="scan to ask about")
    parser.add_argument("--copies", type=int, default=28, help="copies of each other background to learn from")
    parser.add_argument("--cases", type=int, default=12, help="scans with lesions to be asked about")
    arguments = parser.parse_args()
    start = time.perf_counter()
    others = [background for background in BACKGROUNDS if background != arguments.held_out]
    first = [training_case(background, 0) for background in others]
    plan = make_plan(first, ("t1c",), NETWORK, TRAINING, DETECTION, 1.0, {"t1c": WHITE_MATTER}, None, "cpu")
    seeds = [None, *range(FIRST_SEED, FIRST_SEED + arguments.cases)]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        copies = [(background, seed, plan) for seed in range(arguments.copies) for background in others]
        samples = [one for case in pool.starmap(samples_of, copies, chunksize=1) for one in case]
        scenes = pool.starmap(scene_of, [(arguments.held_out, seed, plan) for seed in seeds], chunksize=1)
        print(f"ready after {time.perf_counter() - start:.0f} s", flush=True)
        for choice in arguments.choices:
            settings, training = chosen(choice)
            network = MTANN(settings, len(scenes[0].prepared.channels), [training.seed])
            done = fit(network, [samples], training, seeds=[training.seed])
            cases = pool.starmap(look, [(network.eval(), scene) for scene in scenes], chunksize=1)
            print(f"{choice}: training error {done.losses[0]:.4f}, {time.perf_counter() - start:.0f} s")
            report(choice, cases)
    return 0


if __name__ == "__main__":
    sys.exit(main())
