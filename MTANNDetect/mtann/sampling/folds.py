"""Splitting cases for cross-validation, never a patient across a split."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Fold = npt.NDArray[np.int64]


def patient_folds(
    patients: Sequence[str], folds: int, seed: int, has_lesions: Sequence[bool] | None = None
) -> list[Fold]:
    """Indices of the cases held out in each fold.

    Args:
        patients: The patient of each case.
        folds: How many folds; no more than there are patients are made.
        seed: Seed of the shuffle.
        has_lesions: Whether each case has lesions; patients with some are dealt out first, so that they spread evenly.

    Returns:
        One array of case indices a fold; empty list if fewer than two folds can be made.
    """
    unique = sorted(set(patients))
    count = min(folds, len(unique))
    if count < 2:
        return []
    diseased = {p for p, has in zip(patients, has_lesions or [True] * len(patients), strict=True) if has}
    shuffled = [unique[number] for number in np.random.default_rng([seed, 2]).permutation(len(unique))]
    dealt = sorted(shuffled, key=lambda patient: patient not in diseased)
    fold_of = {patient: position % count for position, patient in enumerate(dealt)}
    number = np.array([fold_of[patient] for patient in patients])
    return [np.flatnonzero(number == fold) for fold in range(count)]
