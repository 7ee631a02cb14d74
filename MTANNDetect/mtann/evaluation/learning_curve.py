"""Whether more lesions would help: out-of-fold sensitivity with a part of the training lesions, and with all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from mtann.evaluation.froc import LUNA16_RATES

FloatArray = npt.NDArray[np.float64]

_RESAMPLES = 2000
_INTERVAL = (2.5, 97.5)
_WORTHWHILE = 0.02
"""A gain in mean sensitivity that a few more lesions would be worth marking for."""


@dataclass(frozen=True)
class LearningPoint:
    """What was reached with a share of the lesions.

    Attributes:
        share: Share of the patients (or lesions) that was kept, 0 to 1.
        lesions: How many lesions that left to learn from, in all folds together.
        mean_sensitivity: Mean FROC sensitivity out of fold.
        low: Lower end of its 95 % bootstrap interval, by lesion.
        high: Upper end.
    """

    share: float
    lesions: int
    mean_sensitivity: float
    low: float
    high: float


@dataclass(frozen=True)
class LearningCurve:
    """Points by ascending share, the last with all lesions.

    Attributes:
        thinned_by: What was left out: whole patients, or single lesions where there are few patients.
        points: The curve.
        gain: Mean sensitivity with all lesions less that with half of them.
        gain_low: Lower end of its 95 % bootstrap interval, by lesion.
        gain_high: Upper end.
    """

    thinned_by: Literal["patients", "lesions"]
    points: tuple[LearningPoint, ...]
    gain: float
    gain_low: float
    gain_high: float

    @property
    def words(self) -> str:
        """What the curve says about more lesions."""
        found = (
            f"From half of the lesions to all, the mean sensitivity changed by {self.gain:+.3f} "
            f"(95 % interval {self.gain_low:+.3f} to {self.gain_high:+.3f}): "
        )
        if self.gain_low > 0:
            return found + "it still rises with the number of lesions, so more lesions are likely to help."
        if self.gain_high < _WORTHWHILE:
            return found + "it has levelled off, so more lesions of the same kind are unlikely to help much."
        return found + "there are too few lesions to tell whether more would help."


def shares_by_lesion(
    lesion_scores: Sequence[Sequence[float]], false_alarm_scores: Sequence[Sequence[float]]
) -> FloatArray:
    """For each lesion, at which share of LUNA16's seven false-alarm rates it is found; their mean is the FROC's.

    Args:
        lesion_scores: Case by case; minus infinity for a missed lesion.
        false_alarm_scores: Case by case.
    """
    lesions = np.concatenate([np.asarray(scores, dtype=np.float64) for scores in lesion_scores])
    alarms = np.sort(np.concatenate([np.asarray(scores, dtype=np.float64) for scores in false_alarm_scores]))
    at_least_as_high = (len(alarms) - np.searchsorted(alarms, lesions, side="left")) / len(lesion_scores)
    found = (at_least_as_high[:, None] <= np.array(LUNA16_RATES)) & np.isfinite(lesions)[:, None]
    shares: FloatArray = found.mean(axis=1)
    return shares


def learning_curve(
    thinned_by: Literal["patients", "lesions"],
    shares: Sequence[float],
    lesions: Sequence[int],
    found: Sequence[FloatArray],
    seed: int,
) -> LearningCurve:
    """Put a curve together.

    Args:
        thinned_by: What was left out.
        shares: Which share was kept, ascending to 1; 0.5 is among them.
        lesions: How many lesions there were to learn from.
        found: :func:`shares_by_lesion` of the same lesions, for each share.
        seed: Seed of the bootstrap.
    """
    values = np.stack(found)
    random = np.random.default_rng([seed, 7])
    # The same lesions are drawn for every share, so that intervals of differences are paired.
    drawn = random.integers(values.shape[1], size=(_RESAMPLES, values.shape[1]))
    means = np.stack([values[:, rows].mean(axis=1) for rows in drawn], axis=1)
    lows, highs = np.percentile(means, _INTERVAL, axis=1)
    points = tuple(
        LearningPoint(float(share), int(count), float(value.mean()), float(low), float(high))
        for share, count, value, low, high in zip(shares, lesions, values, lows, highs, strict=True)
    )
    half = list(shares).index(0.5)
    gain_low, gain_high = np.percentile(means[-1] - means[half], _INTERVAL)
    gain = points[-1].mean_sensitivity - points[half].mean_sensitivity
    return LearningCurve(thinned_by, points, gain, float(gain_low), float(gain_high))
