"""Curves over all thresholds, of weighted cases: FROC, average precision, ROC, for one or many weightings at once."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mtann.evaluation.bootstrap import FloatArray, Statistic
from mtann.evaluation.froc import LUNA16_RATES

_AT_ONCE = 4_000_000
"""Numbers in memory at a time while many weightings are evaluated."""


class RankedCandidates:
    """Best score on every lesion and scores of false alarms, case by case, sorted once for all weightings.

    Args:
        lesion_scores: Case by case; minus infinity for a missed lesion.
        false_alarm_scores: Case by case.
    """

    def __init__(self, lesion_scores: Sequence[Sequence[float]], false_alarm_scores: Sequence[Sequence[float]]) -> None:
        self._lesions = np.array([len(scores) for scores in lesion_scores], dtype=np.float64)
        hit_case, hit = _flat([[s for s in scores if np.isfinite(s)] for scores in lesion_scores])
        false_case, false = _flat(false_alarm_scores)
        scores = np.concatenate([hit, false])
        order = np.argsort(-scores, kind="stable")
        self._case = np.concatenate([hit_case, false_case])[order]
        self._is_hit = (np.arange(len(scores)) < len(hit))[order]
        ranked = scores[order]
        # A threshold keeps all candidates of its score: only the last of equal ones ends a step.
        self._ends = np.flatnonzero(np.r_[ranked[1:] != ranked[:-1], True]) if len(ranked) else np.empty(0, np.int64)

    def sensitivity_at(self, rate: float) -> Statistic:
        """Sensitivity at so many false alarms a case; no interpolation."""
        return self._statistic(lambda weights: self._at_rates(weights, (rate,)))

    @property
    def mean_sensitivity(self) -> Statistic:
        """Mean of the sensitivity at LUNA16's seven rates."""
        return self._statistic(lambda weights: self._at_rates(weights, LUNA16_RATES))

    @property
    def average_precision(self) -> Statistic:
        """Sum over thresholds of precision times the gain in sensitivity; lesions never found gain nothing."""
        return self._statistic(self._average_precision)

    def _statistic(self, evaluate: Statistic) -> Statistic:
        step = max(1, _AT_ONCE // max(1, len(self._case)))

        def statistic(weights: FloatArray) -> FloatArray:
            return np.concatenate([evaluate(weights[start : start + step]) for start in range(0, len(weights), step)])

        return statistic

    def _sums(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Lesions found and false alarms (draws, thresholds), from the highest threshold on."""
        own = weights[:, self._case]
        hits = np.cumsum(own * self._is_hit, axis=1)[:, self._ends]
        false = np.cumsum(own * ~self._is_hit, axis=1)[:, self._ends]
        return hits, false

    def _at_rates(self, weights: FloatArray, rates: Sequence[float]) -> FloatArray:
        hits, false = self._sums(weights)
        cases, lesions = weights.sum(axis=1), weights @ self._lesions
        found = np.hstack([np.zeros((len(weights), 1)), hits])
        total = np.zeros(len(weights))
        for rate in rates:
            allowed = np.count_nonzero(false <= rate * cases[:, None] + 1e-9, axis=1)
            total += found[np.arange(len(weights)), allowed]
        with np.errstate(invalid="ignore", divide="ignore"):
            result: FloatArray = total / len(rates) / lesions
        return result

    def _average_precision(self, weights: FloatArray) -> FloatArray:
        hits, false = self._sums(weights)
        lesions = weights @ self._lesions
        with np.errstate(invalid="ignore", divide="ignore"):
            precision = np.nan_to_num(hits / (hits + false))
            gain = np.diff(hits, axis=1, prepend=0.0)
            result: FloatArray = (precision * gain).sum(axis=1) / lesions
        return result


def auroc(scores: npt.ArrayLike, positive: npt.ArrayLike) -> Statistic:
    """Chance that a positive case scores higher than a negative one, equal scores counting half.

    Not-a-number where one kind is missing.
    """
    values, is_positive = np.asarray(scores, dtype=np.float64), np.asarray(positive, dtype=bool)
    rank = np.unique(values, return_inverse=True)[1].ravel()
    steps = np.arange(rank.max() + 1 if len(rank) else 0)
    member = (rank[:, None] == steps).astype(np.float64)

    def statistic(weights: FloatArray) -> FloatArray:
        of_positive, of_negative = (weights * is_positive) @ member, (weights * ~is_positive) @ member
        below = np.cumsum(of_negative, axis=1) - of_negative
        wins = (of_positive * (below + of_negative / 2)).sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            result: FloatArray = wins / (of_positive.sum(axis=1) * of_negative.sum(axis=1))
        return result

    return statistic


def figure_of_merit(
    lesion_scores: Sequence[Sequence[float]], false_alarm_scores: Sequence[Sequence[float]], rating: npt.ArrayLike
) -> Statistic:
    """JAFROC's: the chance that a lesion scores higher than the highest false alarm of a case; equals count half.

    Chakraborty and Berbaum, Med Phys 31:2313 (2004). A missed lesion, and a case without false alarm, score minus
    infinity.

    Args:
        lesion_scores: Case by case.
        false_alarm_scores: Case by case.
        rating: Which cases' false alarms are taken: those without lesions (JAFROC), or all (AFROC1).
    """
    highest = np.array([max(scores, default=-np.inf) for scores in false_alarm_scores], dtype=np.float64)
    taken, (case, lesions) = np.asarray(rating, dtype=np.float64), _flat(lesion_scores)
    # (lesions, cases): 1 where the lesion scores higher, 1/2 where equal.
    wins = (lesions[:, None] > highest) + 0.5 * (lesions[:, None] == highest)

    def statistic(weights: FloatArray) -> FloatArray:
        of_lesion, of_case = weights[:, case], weights * taken
        with np.errstate(invalid="ignore", divide="ignore"):
            result: FloatArray = ((of_lesion @ wins) * of_case).sum(axis=1) / (
                of_lesion.sum(axis=1) * of_case.sum(axis=1)
            )
        return result

    return statistic


def _flat(by_case: Sequence[Sequence[float]]) -> tuple[npt.NDArray[np.int64], FloatArray]:
    """The case of each value, and the values."""
    cases = np.repeat(np.arange(len(by_case)), [len(values) for values in by_case])
    return cases, np.array([value for values in by_case for value in values], dtype=np.float64)
