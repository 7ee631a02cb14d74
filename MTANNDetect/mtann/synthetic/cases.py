"""Synthetic lesions as augmentation, or as training set of last resort."""

import zlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mtann.cases import TrainingCase
from mtann.errors import SettingsError
from mtann.progress import Run
from mtann.sampling.lesions import lesions_from_label_map
from mtann.synthetic.insert import SyntheticCase, insert_lesions
from mtann.synthetic.recipe import LesionRecipe


def synthetic_cases(
    cases: Sequence[TrainingCase],
    recipe: LesionRecipe,
    per_case: int,
    seed: int,
    run: Run | None = None,
    *,
    channels: Sequence[str] = (),
    keep_real: bool = True,
) -> list[TrainingCase]:
    """Further training cases: each given one some times over, with new synthetic lesions each time.

    The patient stays the same, so that folds by patient keep a scan and its synthetic copies together. What a copy is
    like depends on the seed, the case's name and the copy's number alone. Training on normal scans alone: give cases
    without lesions, and train on what this returns.

    Args:
        cases: Scans with or without lesions; synthetic ones keep clear of real ones.
        recipe: What the lesions are like.
        per_case: Copies of each case.
        seed: Seed of every choice.
        run: Progress and cancellation.
        channels: The channels' names, for a recipe that tells them apart.
        keep_real: Whether real lesions remain lesions of the copies. If not, they are only kept clear of: for lesions
            of another sort, that the model need not find.

    Raises:
        SettingsError: ``per_case`` is below 1, or the lesions do not fit into the tissue.
        ImageError: A case has no tissue.
        CancelledError: The user asked to stop.
    """
    if per_case < 1:
        raise SettingsError(f"At least one synthetic copy of each case is needed; found {per_case}.")
    run = run or Run()
    copies = []
    for number, (case, copy) in enumerate([(case, copy) for case in cases for copy in range(1, per_case + 1)]):
        run.report("synthesize", number / (len(cases) * per_case), f"Inserting lesions into {case.case}")
        made = synthesize_copy(case, recipe, seed, copy, channels)
        lesions = lesions_from_label_map(made.label_map, keep_instances=True)
        copies.append(
            replace(
                case,
                case=copy_name(case.case, copy),
                channels=made.channels,
                lesions=(*(case.lesions if keep_real else ()), *lesions),
            )
        )
    return copies


def synthesize_copy(
    case: TrainingCase, recipe: LesionRecipe, seed: int, copy: int, channels: Sequence[str] = ()
) -> SyntheticCase:
    """One copy of a case with synthetic lesions; ``copy`` counts from 1.

    Raises:
        MTANNError: As :func:`mtann.synthetic.insert.insert_lesions`.
    """
    random = np.random.default_rng([seed, copy, zlib.crc32(case.case.encode("utf-8"))])
    return insert_lesions(case.channels, case.mask, recipe, random, case.lesions, channels)


def copy_name(case: str, copy: int) -> str:
    """What a copy of a case is called."""
    return f"{case}-synthetic-{copy}"
