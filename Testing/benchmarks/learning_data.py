"""Cases to learn lesions from, with exactly so many lesions given, and cases to try on: head phantoms and real brains.

Images are brought to 1.5 mm, so that one core trains in about a minute. Where a case has more lesions than are given,
the others and some mm about them are neither lesion nor background to any learner. More lesions always contain the
fewer of the same seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import numpy.typing as npt
from real_scans import scans_folder
from scipy import ndimage

from mtann.cases import TrainingCase
from mtann.phantoms.head import head_phantom
from mtann.preprocess.grid import model_grid, resample, resample_mask
from mtann.sampling.lesions import Lesion, lesions_from_label_map, read_lesions
from mtann.volume import Volume
from mtann.volume_io import read_volume

SPACING_MM = 1.5
CUT_MM, OUTLINE_CUT_MM = 6.0, 3.0
"""About a lesion that is not given nothing is learnt so far beyond its radius, and so far beyond its outline: confluent
lesions reach beyond the ball of their volume."""
LEAST_MM3 = 10.0
"""Lesions below this are neither taught nor counted."""
FIRST_TRAINING_SEED, FIRST_UNSEEN_SEED, SEED_STEP = 7000, 9000, 100
UNSEEN = 10
PATIENTS = ("patient07", "patient19", "patient26")
OPEN_MS_CHANNELS = ("flair", "t1")
ALL = 0
"""Stands for all lesions there are."""


@dataclass(frozen=True)
class Task:
    """What to learn from, and what to try on.

    Attributes:
        channels: Names of the images.
        training: Cases whose masks leave out what is not given.
        unseen: Cases to try on, with all their lesions.
    """

    channels: tuple[str, ...]
    training: tuple[TrainingCase, ...]
    unseen: tuple[TrainingCase, ...]

    @property
    def given(self) -> int:
        """How many lesions are given."""
        return sum(len(case.lesions) for case in self.training)


def phantom_task(lesions: int, seed: int) -> Task:
    """As few phantoms as hold so many lesions, and the same ten unseen ones for every seed."""
    training: list[TrainingCase] = []
    left = lesions
    while left:
        number = FIRST_TRAINING_SEED + SEED_STEP * seed + len(training)
        case = phantom_case(number)
        order = np.random.default_rng(number).permutation(len(case.lesions))
        training.append(with_lesions(case, order[:left].tolist()))
        left -= len(training[-1].lesions)
    unseen = tuple(phantom_case(FIRST_UNSEEN_SEED + number) for number in range(UNSEEN))
    return Task(("t1c",), tuple(training), unseen)


@cache
def phantom_case(seed: int) -> TrainingCase:
    """A phantom as a training case, its truth as instances."""
    phantom = head_phantom(seed, SPACING_MM)
    lesions = lesions_from_label_map(phantom.labels, keep_instances=True)
    return TrainingCase(f"phantom {seed}", f"phantom {seed}", (phantom.volume,), lesions)


def open_ms_task(lesions: int, seed: int, held_out: str) -> Task:
    """Two patients to learn from, with so many lesions (or all) of both together, and the third to try on."""
    cases = [open_ms_case(patient) for patient in PATIENTS if patient != held_out]
    known = [(c, n) for c, case in enumerate(cases) for n, one in enumerate(case.lesions) if is_counted(one)]
    order = np.random.default_rng([seed, PATIENTS.index(held_out)]).permutation(len(known))
    given = [known[n] for n in (order if lesions == ALL else order[:lesions])]
    training = [with_lesions(case, [n for c, n in given if c == number]) for number, case in enumerate(cases)]
    return Task(OPEN_MS_CHANNELS, tuple(training), (open_ms_case(held_out),))


@cache
def open_ms_case(patient: str) -> TrainingCase:
    """A patient's images at 1.5 mm, and the lesions as they were outlined at 1 mm."""
    folder = scans_folder() / "open_ms" / patient
    images = [read_volume(folder / f"{name}.nii.gz") for name in OPEN_MS_CHANNELS]
    first = images[0]
    grid = model_grid(first.geometry, SPACING_MM, 3)
    brain = resample_mask(first.with_array((first.array > 0).astype(np.uint8), "brain"), grid)
    # Interpolation would blur the empty background, by which a stripped brain is known.
    brought = tuple(Volume(resample(image, grid) * brain, grid, image.name) for image in images)
    return TrainingCase(patient, patient, brought, read_lesions(folder / "lesions.nii.gz"))


def is_counted(lesion: Lesion) -> bool:
    """Whether a lesion is large enough to be taught and counted."""
    return 4 / 3 * np.pi * (lesion.radius_mm or 0.0) ** 3 >= LEAST_MM3 - 1e-6


def with_lesions(case: TrainingCase, given: Sequence[int]) -> TrainingCase:
    """The case with these of its lesions alone, and a mask of its tissue without the others."""
    spare = [lesion for number, lesion in enumerate(case.lesions) if number not in given]
    image = case.channels[0]
    inside = (image.array > 0) & ~about(spare, image)
    lesions = tuple(case.lesions[number] for number in sorted(given))
    return replace(case, lesions=lesions, mask=image.with_array(inside.astype(np.uint8), "mask"))


def about(lesions: Sequence[Lesion], image: Volume) -> npt.NDArray[np.bool_]:
    """Voxels of an image that lie on lesions or near them."""
    places = image.geometry.lps_from_index(np.moveaxis(np.indices(image.geometry.shape_zyx), 0, -1))
    near = np.zeros(image.geometry.shape_zyx, dtype=bool)
    for lesion in lesions:
        reach = (lesion.radius_mm or 0.0) + CUT_MM
        near |= np.square(places - np.array(lesion.centre_lps_mm)).sum(axis=-1) < reach**2
        if lesion.outline is not None:
            outline = resample_mask(lesion.outline, image.geometry)
            if outline.any():
                far = ndimage.distance_transform_edt(~outline, sampling=image.geometry.spacing_zyx_mm)
                near |= far <= OUTLINE_CUT_MM
    return near
