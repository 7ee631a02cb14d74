"""Two readers of the same cases: how far they agree beyond chance."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mtann.errors import CasesError
from mtann.evaluation.bootstrap import FloatArray, Statistic, mean, share
from mtann.evaluation.levels import Figure
from mtann.evaluation.matching import match_found
from mtann.evaluation.rules import HitRule
from mtann.evaluation.study import LazyVolume, StudyCase
from mtann.evaluation.voxels import measure_voxels
from mtann.sampling.lesions import Lesion
from mtann.volume import Volume


def kappa(
    both: npt.ArrayLike, first_only: npt.ArrayLike, second_only: npt.ArrayLike, neither: npt.ArrayLike
) -> Statistic:
    """Cohen's kappa (Educ Psychol Meas 20:37, 1960) of counts, each one number a case.

    Not-a-number where both readers always say the same one thing, so that nothing could be left to chance.
    """
    counts = np.stack([np.asarray(each, dtype=np.float64) for each in (both, first_only, second_only, neither)], axis=1)

    def statistic(weights: FloatArray) -> FloatArray:
        sums = weights @ counts
        with np.errstate(invalid="ignore", divide="ignore"):
            yes, first, second, no = (sums / sums.sum(axis=1, keepdims=True)).T
            chance = (yes + first) * (yes + second) + (no + second) * (no + first)
            result: FloatArray = (yes + no - chance) / (1 - chance)
        return np.where(np.isfinite(result), result, np.nan)

    return statistic


def reader_figures(
    cases: Sequence[StudyCase],
    second: Sequence[tuple[Lesion, ...]],
    second_maps: Sequence[LazyVolume | None],
    rule: HitRule,
) -> list[Figure]:
    """Agreement of the references with a second reader's, on cases with lesions, lesions and voxels.

    Lesions that no reader marked cannot be counted, so their agreement is the share that both marked: twice the pairs
    over the lesions of both (positive specific agreement). A lesion of one reader pairs with one of the other that it
    hits; lesions pair in both directions, and the smaller number counts.
    """
    ours, theirs = [bool(case.lesions) for case in cases], [bool(lesions) for lesions in second]
    yes, no = np.array(ours), np.array(theirs)
    figures = [Figure("kappa_cases", kappa(yes & no, yes & ~no, ~yes & no, ~yes & ~no))]
    pairs, marked = [], []
    for case, lesions in zip(cases, second, strict=True):
        pairs.append(_pairs(case.lesions, lesions, rule))
        marked.append(len(case.lesions) + len(lesions))
    figures.append(Figure("agreement_lesions", share(2 * np.array(pairs), marked), True))
    compared = [_voxels(*both) for both in zip(cases, second, second_maps, strict=True)]
    counts, dice = [one[:4] for one in compared], [one[4] for one in compared]
    if np.any(np.isfinite(dice)):
        figures += [Figure("kappa_voxels", kappa(*np.array(counts, dtype=np.float64).T)), Figure("dice", mean(dice))]
    return figures


def _pairs(first: Sequence[Lesion], second: Sequence[Lesion], rule: HitRule) -> int:
    there = match_found(second, [1.0] * len(second), first, rule)
    back = match_found(first, [1.0] * len(first), second, rule)
    return int(min(np.isfinite(there.lesion_scores).sum(), np.isfinite(back.lesion_scores).sum()))


def _voxels(
    case: StudyCase, lesions: Sequence[Lesion], other: LazyVolume | None
) -> tuple[float, float, float, float, float]:
    """Voxels marked by both, by the first alone, by the second alone, by none; the Dice coefficient.

    A reader without a map who marked nothing marked no voxel of the other's.
    """
    first = case.lesion_map() if case.lesion_map else None
    second = other() if other else None
    first = _no_voxel(second) if first is None and not case.lesions else first
    second = _no_voxel(first) if second is None and not lesions else second
    if first is None or second is None:
        return 0.0, 0.0, 0.0, 0.0, np.nan
    if not first.geometry.matches(second.geometry, tolerance_mm=1e-3):
        raise CasesError(
            f"Case '{case.case}': the two readers' label maps lie on different voxel grids. "
            "Resample one onto the other's grid."
        )
    a, b = first.array != 0, second.array != 0
    both, ours, theirs, none = (float(np.count_nonzero(each)) for each in (a & b, a & ~b, ~a & b, ~a & ~b))
    return both, ours, theirs, none, measure_voxels(a, b, second.geometry.spacing_zyx_mm).dice


def _no_voxel(like: Volume | None) -> Volume | None:
    return None if like is None else like.with_array(np.zeros(like.geometry.shape_zyx, dtype=np.uint8), "nothing")
