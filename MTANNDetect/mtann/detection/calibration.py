"""From scores to probabilities, learnt on candidates that the networks had not seen.

Platt, Advances in Large Margin Classifiers 61 (1999): a sigmoid, with targets kept off 0 and 1. Zadrozny and Elkan,
KDD 694 (2002): isotonic regression. Guo et al., ICML 1321 (2017): one temperature for the logits of a deep network.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
import scipy  # its optimize takes long to load and is seldom needed: scipy loads it at the first use
from pydantic import Field, model_validator
from scipy.special import expit, log_softmax, logsumexp, softmax

from mtann.settings import Positive, Settings

FloatArray = npt.NDArray[np.float64]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]

LEAST_OF_EACH = 5
"""With fewer lesions, or fewer false alarms, nothing is calibrated."""
ISOTONIC_CANDIDATES, ISOTONIC_OF_EACH = 50, 20
"""From so many candidates, so many of them lesions and so many false alarms, isotonic regression is used."""
LEAST_TEMPERATURE, MOST_TEMPERATURE = 0.05, 20.0


class CalibrationData(Settings):
    """What a calibration was learnt from."""

    lesions: int = Field(ge=0, description="candidates on lesions that it was learnt from")
    false_alarms: int = Field(ge=0, description="candidates on no lesion that it was learnt from")
    chosen_on: str = Field(description="which data, and whether the model had seen it")


class PlattCalibration(CalibrationData):
    """A sigmoid of the score: 1 / (1 + exp(-(slope * score + offset)))."""

    method: Literal["platt"] = "platt"
    slope: float = Field(ge=0, allow_inf_nan=False)
    offset: Finite

    def apply(self, scores: npt.ArrayLike) -> FloatArray:
        """Probabilities of scores."""
        result: FloatArray = expit(self.slope * np.asarray(scores, dtype=np.float64) + self.offset)
        return result


class IsotonicCalibration(CalibrationData):
    """A curve that never falls, straight between its points and level beyond them."""

    method: Literal["isotonic"] = "isotonic"
    scores: tuple[Finite, ...] = Field(min_length=1)
    probabilities: tuple[Share, ...]

    @model_validator(mode="after")
    def _rises(self) -> "IsotonicCalibration":
        if len(self.scores) != len(self.probabilities):
            raise ValueError("scores and probabilities must be as many")
        if np.any(np.diff(self.scores) <= 0) or np.any(np.diff(self.probabilities) < 0):
            raise ValueError("scores must ascend, and probabilities never fall")
        return self

    def apply(self, scores: npt.ArrayLike) -> FloatArray:
        """Probabilities of scores."""
        return np.interp(np.asarray(scores, dtype=np.float64), self.scores, self.probabilities)


Calibration = Annotated[PlattCalibration | IsotonicCalibration, Field(discriminator="method")]


class TemperatureCalibration(Settings):
    """What the logits of a network that segments are divided by before they become probabilities."""

    method: Literal["temperature"] = "temperature"
    temperature: Positive
    cases: int = Field(ge=1, description="cases that it was learnt from")
    chosen_on: str = Field(description="which data, and whether the model had seen it")

    def apply(self, logits: npt.ArrayLike, axis: int = 0) -> npt.NDArray[np.floating]:
        """Probabilities of logits whose classes lie along an axis."""
        result: npt.NDArray[np.floating] = softmax(np.asarray(logits) / self.temperature, axis=axis)
        return result


def learn_calibration(
    scores: Sequence[float] | FloatArray, on_lesion: Sequence[bool] | npt.NDArray[np.bool_], chosen_on: str
) -> PlattCalibration | IsotonicCalibration | None:
    """Learn probabilities from candidates' scores; a sigmoid where they are few; None where they are too few.

    Args:
        scores: One a candidate.
        on_lesion: Whether each candidate lies on a lesion, be it the first on that lesion or not.
        chosen_on: Which data that is.
    """
    values, hits = np.asarray(scores, dtype=np.float64), np.asarray(on_lesion, dtype=bool)
    lesions, others = int(hits.sum()), int((~hits).sum())
    if min(lesions, others) < LEAST_OF_EACH:
        return None
    if len(values) >= ISOTONIC_CANDIDATES and min(lesions, others) >= ISOTONIC_OF_EACH:
        return fit_isotonic(values, hits, chosen_on)
    return fit_platt(values, hits, chosen_on)


def fit_platt(scores: FloatArray, on_lesion: npt.NDArray[np.bool_], chosen_on: str) -> PlattCalibration:
    """Fit the sigmoid of the greatest likelihood that does not fall, with Platt's targets."""
    lesions, others = int(on_lesion.sum()), int((~on_lesion).sum())
    target = np.where(on_lesion, (lesions + 1) / (lesions + 2), 1 / (others + 2))
    centre, spread = float(np.mean(scores)), float(np.std(scores)) or 1.0
    x = (scores - centre) / spread

    def loss(parameters: FloatArray) -> tuple[float, FloatArray]:
        z = parameters[0] * x + parameters[1]
        error = expit(z) - target
        value = np.sum(np.logaddexp(0.0, z) - target * z)
        return float(value), np.array([np.sum(error * x), np.sum(error)])

    start = np.array([1.0, np.log((lesions + 1) / (others + 1))])
    found = scipy.optimize.minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=[(0, None), (None, None)], tol=1e-12
    ).x
    slope = float(found[0]) / spread
    return PlattCalibration(
        slope=slope,
        offset=float(found[1]) - slope * centre,
        lesions=lesions,
        false_alarms=others,
        chosen_on=chosen_on,
    )


def fit_isotonic(scores: FloatArray, on_lesion: npt.NDArray[np.bool_], chosen_on: str) -> IsotonicCalibration:
    """Fit the curve of least squares that never falls; candidates of one score count as one of their mean.

    Where all of the highest scores lie on lesions, or none of the lowest does, n candidates make that (n + 1) / (n + 2)
    or 1 / (n + 2): never 1 or 0 (Laplace's rule of succession).
    """
    distinct, place = np.unique(scores, return_inverse=True)
    counts = np.bincount(place.ravel())
    share = np.bincount(place.ravel(), weights=on_lesion) / counts
    level = np.clip(scipy.optimize.isotonic_regression(share, weights=counts).x, 0.0, 1.0)
    level = 1 - _never_certain(1 - _never_certain(level, counts)[::-1], counts[::-1])[::-1]
    # Only the ends of level stretches shape the curve.
    ends = np.flatnonzero(np.r_[True, np.diff(level) != 0] | np.r_[np.diff(level) != 0, True])
    return IsotonicCalibration(
        scores=tuple(distinct[ends].tolist()),
        probabilities=tuple(level[ends].tolist()),
        lesions=int(on_lesion.sum()),
        false_alarms=int((~on_lesion).sum()),
        chosen_on=chosen_on,
    )


def _never_certain(level: FloatArray, counts: npt.NDArray[np.int64]) -> FloatArray:
    """Rising probabilities whose last, if it is 1, is what Laplace's rule of succession makes of so many candidates."""
    certain = level == 1
    if not certain.any():
        return level
    count, below = counts[certain].sum(), level[~certain]
    # More candidates below may tell more than few at the end: the curve never falls.
    return np.where(certain, np.max([(count + 1) / (count + 2), *below[-1:]]), level)


def fit_temperature(logits: npt.ArrayLike, labels: npt.ArrayLike, cases: int, chosen_on: str) -> TemperatureCalibration:
    """Fit the temperature of the greatest likelihood.

    Args:
        logits: (n, classes), of voxels that the network had not seen; draw them, since a few ten thousand are enough.
            Or (networks, n, classes), of networks whose probabilities are averaged.
        labels: The right class of each.
        cases: How many cases they come from.
        chosen_on: Which data that is.
    """
    values = np.asarray(logits, dtype=np.float64)
    values = values[None] if values.ndim == 2 else values
    right = np.broadcast_to(np.asarray(labels, dtype=np.int64)[None, :, None], (*values.shape[:2], 1))

    def loss(log_temperature: float) -> float:
        logs = log_softmax(values / np.exp(log_temperature), axis=-1)
        each = np.take_along_axis(logs, right, axis=-1)[..., 0]
        return -float((logsumexp(each, axis=0) - np.log(len(values))).mean())

    ends = (np.log(LEAST_TEMPERATURE), np.log(MOST_TEMPERATURE))
    found = scipy.optimize.minimize_scalar(loss, bounds=ends, method="bounded", options={"xatol": 1e-8})
    return TemperatureCalibration(temperature=float(np.exp(found.x)), cases=cases, chosen_on=chosen_on)
