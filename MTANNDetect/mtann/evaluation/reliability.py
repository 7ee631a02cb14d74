"""Whether probabilities mean what they say: reliability diagram, expected calibration error, Brier score."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtann.evaluation.bootstrap import FloatArray, Statistic
from mtann.evaluation.levels import Figure
from mtann.evaluation.study import MatchedCase

BINS = 10


@dataclass(frozen=True)
class Bin:
    """Candidates whose probabilities lie in one tenth: how many, their mean probability, the share on lesions."""

    count: int
    probability: float
    share: float


class Reliability:
    """Candidates' probabilities against whether they lie on lesions.

    Args:
        cases: Which case each candidate is of.
        probabilities: One a candidate.
        on_lesion: Whether it lies on a lesion, be it the first on it or not.
    """

    def __init__(self, cases: npt.ArrayLike, probabilities: npt.ArrayLike, on_lesion: npt.ArrayLike) -> None:
        self._case = np.asarray(cases, dtype=np.int64)
        self.probabilities = np.asarray(probabilities, dtype=np.float64)
        self.hits = np.asarray(on_lesion, dtype=np.float64)
        self._bin = np.minimum((self.probabilities * BINS).astype(np.int64), BINS - 1)

    @property
    def bins(self) -> tuple[Bin, ...]:
        """The diagram's points, empty tenths left out."""
        points = []
        for number in np.unique(self._bin):
            own = self._bin == number
            points.append(Bin(int(own.sum()), float(self.probabilities[own].mean()), float(self.hits[own].mean())))
        return tuple(points)

    def expected_error(self, weights: FloatArray) -> FloatArray:
        """Mean over candidates of the gap, in their tenth, between mean probability and share on lesions."""
        own = weights[:, self._case]
        member = (self._bin[:, None] == np.arange(BINS)).astype(np.float64)
        gap = np.abs((own * (self.probabilities - self.hits)) @ member).sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            result: FloatArray = gap / own.sum(axis=1)
        return result

    def brier(self, weights: FloatArray) -> FloatArray:
        """Mean squared gap between probability and truth."""
        own = weights[:, self._case]
        with np.errstate(invalid="ignore", divide="ignore"):
            result: FloatArray = (own @ (self.probabilities - self.hits) ** 2) / own.sum(axis=1)
        return result

    def figures(self) -> list[Figure]:
        """Both as figures."""
        measures: list[tuple[str, Statistic]] = [
            ("expected_calibration_error", self.expected_error),
            ("brier_score", self.brier),
        ]
        return [Figure(name, statistic) for name, statistic in measures]


def reliability_of(cases: Sequence[MatchedCase]) -> Reliability | None:
    """Of all candidates that have a probability; None if none has."""
    numbers, chances, hits = [], [], []
    for number, one in enumerate(cases):
        for found, hit in zip(one.case.found, one.match.hits, strict=True):
            if found.probability is not None:
                numbers.append(number)
                chances.append(found.probability)
                hits.append(hit is not None)
    return Reliability(numbers, chances, hits) if numbers else None
