"""How sure a figure is: 95 % bootstrap intervals, drawn by patient.

Lesions of one patient are alike, so patients are drawn, each with all its cases. A statistic takes weights (draws,
cases), how often each case was drawn, and gives one value a draw; so one call serves all draws. Percentiles are widened
for few patients as Hesterberg advises (Am Stat 69:371, 2015). A share that draws cannot vary, as one of 0 or 1, or one
that is equal in all patients, has Clopper and Pearson's interval with as many trials as there are patients: the widest
that is honest. Only patients with something to count make a share sure: of specificity, those without lesions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from mtann.errors import SettingsError

FloatArray = npt.NDArray[np.float64]
Statistic = Callable[[FloatArray], FloatArray]
"""From weights (draws, cases) to values (draws,); not-a-number where a draw leaves nothing to measure."""

DRAWS = 1000
_LEAST_DRAWS = 100
"""With fewer draws that have a value, there is no interval."""


@dataclass(frozen=True)
class Measured:
    """A figure with its 95 % interval; None where it cannot be said."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Resamples:
    """Weights of the cases as they are, and of draws of patients.

    Attributes:
        plain: Ones (1, cases).
        drawn: How often each draw took each case (draws, cases).
        patients: How many patients there are.
        patient_of: Number of each case's patient.
    """

    plain: FloatArray
    drawn: FloatArray
    patients: int
    patient_of: npt.NDArray[np.int64]

    def restricted(self, keep: npt.NDArray[np.bool_]) -> "Resamples":
        """The same draws with all other cases left out; patients are those that keep a case."""
        left = len(np.unique(self.patient_of[keep]))
        return Resamples(self.plain * keep, self.drawn * keep, left, self.patient_of)


def resamples(patients: Sequence[str], draws: int = DRAWS, seed: int = 0) -> Resamples:
    """Draw patients with replacement, as many as there are, each with all its cases.

    Raises:
        SettingsError: The number of draws or the seed is negative.
    """
    for name, number in (("draws", draws), ("seed", seed)):
        if number < 0:
            raise SettingsError(f"The bootstrap's {name} must not be negative; found {number}.")
    unique, place = np.unique(np.asarray(patients, dtype=object).astype(str), return_inverse=True)
    count = len(unique)
    random = np.random.default_rng([seed, 11])
    taken = random.multinomial(count, np.full(count, 1 / count), size=draws) if count else np.zeros((draws, 0))
    return Resamples(np.ones((1, len(patients))), taken[:, place.ravel()].astype(np.float64), count, place.ravel())


def measure(statistic: Statistic, draws: Resamples, is_share: bool = False) -> Measured:
    """A statistic and its interval.

    Args:
        statistic: What to measure.
        draws: The cases' weights.
        is_share: Whether it is a share of independent things, for the interval at 0 and 1.
    """
    value = float(statistic(draws.plain)[0])
    if not np.isfinite(value):
        return Measured(None)
    patients = _counted(statistic, draws) if is_share else draws.patients
    if draws.patients < 2 or not patients:
        return Measured(value)
    if is_share and value in (0.0, 1.0):
        return Measured(value, *_clopper_pearson(value, patients))
    low, high = percentile_interval(statistic(draws.drawn), patients)
    if low is not None and low == high:
        # Equal draws say how alike these patients are, and nothing of how others may differ.
        return Measured(value, *_clopper_pearson(value, patients)) if is_share else Measured(value)
    return Measured(value, low, high)


def _counted(statistic: Statistic, draws: Resamples) -> int:
    """How many patients have something to count: those of whom the statistic has a value by themselves."""
    each = (draws.patient_of == np.unique(draws.patient_of)[:, None]) * draws.plain
    return int(np.isfinite(statistic(each)).sum())


def _clopper_pearson(share: float, trials: int) -> tuple[float, float]:
    """The interval of a share of so many trials (Biometrika 26:404, 1934)."""
    hits = share * trials
    low = float(stats.beta.ppf(0.025, hits, trials - hits + 1)) if hits > 0 else 0.0
    high = float(stats.beta.ppf(0.975, hits + 1, trials - hits)) if hits < trials else 1.0
    return low, high


def percentile_interval(values: FloatArray, patients: int) -> tuple[float | None, float | None]:
    """The ends of the 95 % interval of drawn values, widened for few patients; None where too few could be measured."""
    values = values[np.isfinite(values)]
    if len(values) < _LEAST_DRAWS or patients < 2:
        return None, None
    reach = float(np.sqrt(patients / (patients - 1)) * stats.t.ppf(0.975, patients - 1))
    tail = 100 * float(stats.norm.cdf(-reach))
    low, high = np.percentile(values, [tail, 100 - tail])
    return float(low), float(high)


def difference(first: Statistic, second: Statistic, draws: Resamples) -> Measured:
    """The first statistic less the second, both on the same draws: paired where both take the same cases."""
    value = float(first(draws.plain)[0] - second(draws.plain)[0])
    if not np.isfinite(value):
        return Measured(None)
    if draws.patients < 2:
        return Measured(value)
    return Measured(value, *percentile_interval(first(draws.drawn) - second(draws.drawn), draws.patients))


def share(hits: npt.ArrayLike, of: npt.ArrayLike) -> Statistic:
    """The statistic "hits out of so many", both one number a case."""
    numerator, denominator = np.asarray(hits, dtype=np.float64), np.asarray(of, dtype=np.float64)

    def statistic(weights: FloatArray) -> FloatArray:
        with np.errstate(invalid="ignore", divide="ignore"):
            result: FloatArray = (weights @ numerator) / (weights @ denominator)
        return result

    return statistic


def mean(values: npt.ArrayLike) -> Statistic:
    """The statistic "mean over cases" of one value a case; cases of not-a-number are left out."""
    numbers = np.asarray(values, dtype=np.float64)
    known = np.isfinite(numbers)
    return share(np.where(known, numbers, 0.0), known)
