"""Splitting cases for cross-validation, never a patient across a split."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def patient_folds(patients: Sequence[str], folds: int, seed: int) -> list[npt.NDArray[np.int64]]:
    """Indices of the cases held out in each fold.

    Args:
        patients: The patient of each case.
        folds: How many folds; no more than there are patients are made.
        seed: Seed of the shuffle.

    Returns:
        One array of case indices a fold; empty list if fewer than two folds can be made.
    """
    unique = sorted(set(patients))
    count = min(folds, len(unique))
    if count < 2:
        return []
    shuffled = np.random.default_rng([seed, 2]).permutation(len(unique))
    fold_of = {unique[patient]: position % count for position, patient in enumerate(shuffled)}
    number = np.array([fold_of[patient] for patient in patients])
    return [np.flatnonzero(number == fold) for fold in range(count)]
