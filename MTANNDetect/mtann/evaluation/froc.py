"""Free-response operating characteristic: sensitivity against false alarms a case, over all thresholds.

Bunch et al., J Appl Photogr Eng 4:166 (1978). The mean sensitivity at 1/8, 1/4, 1/2, 1, 2, 4 and 8 false alarms a case
is the measure of LUNA16 (Setio et al., Med Image Anal 42:1, 2017).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

LUNA16_RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True)
class Froc:
    """The curve, one point a distinct score from high to low.

    Attributes:
        thresholds: Scores from which candidates count.
        sensitivity: Share of lesions found at each.
        fp_per_case: False alarms a case at each.
        lesions: How many lesions there are.
        cases: How many cases there are.
    """

    thresholds: FloatArray
    sensitivity: FloatArray
    fp_per_case: FloatArray
    lesions: int
    cases: int

    def sensitivity_at(self, fp_per_case: float) -> float:
        """The highest sensitivity with at most so many false alarms a case; no interpolation."""
        allowed = self.sensitivity[self.fp_per_case <= fp_per_case]
        return float(allowed.max()) if len(allowed) else 0.0

    @property
    def mean_sensitivity(self) -> float:
        """Mean of the sensitivity at LUNA16's seven rates."""
        return float(np.mean([self.sensitivity_at(rate) for rate in LUNA16_RATES]))


def froc(lesion_scores: Sequence[Sequence[float]], false_alarm_scores: Sequence[Sequence[float]]) -> Froc:
    """The curve from each case's scores of lesions (minus infinity: missed) and of false alarms.

    Raises:
        ValueError: There is no lesion, so there is no sensitivity.
    """
    lesions = np.concatenate([np.asarray(scores, dtype=np.float64) for scores in lesion_scores] or [np.empty(0)])
    alarms = np.concatenate([np.asarray(scores, dtype=np.float64) for scores in false_alarm_scores] or [np.empty(0)])
    if not len(lesions):
        raise ValueError("A FROC curve needs at least one lesion.")
    cases = len(lesion_scores)
    found = np.sort(lesions[np.isfinite(lesions)])
    alarms = np.sort(alarms)
    thresholds = np.unique(np.concatenate([found, alarms]))[::-1]
    sensitivity = (len(found) - np.searchsorted(found, thresholds, side="left")) / len(lesions)
    wrong = (len(alarms) - np.searchsorted(alarms, thresholds, side="left")) / cases
    return Froc(thresholds, sensitivity, wrong, len(lesions), cases)
