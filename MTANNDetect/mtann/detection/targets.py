"""Operating points for what a user asks of them, refused where the data cannot support them."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from mtann.detection.few_lesions import COST_OF_A_LESION, cautious_threshold
from mtann.detection.operating_points import OperatingPoint, point_at, point_of_threshold
from mtann.errors import SettingsError

FloatArray = npt.NDArray[np.float64]
Scores = Sequence[Sequence[float]]

LEAST_LESIONS = 10
"""With fewer, the sensitivity is not known to a third: 9 of 9 found is still as little as 66 % (95 % interval)."""
LEAST_ALARMS = 5
"""With fewer false alarms expected in all, their rate is not known to a factor of three."""


def point_for_sensitivity(target: float, lesions: Scores, alarms: Scores, chosen_on: str) -> OperatingPoint:
    """The highest threshold that finds at least this share of the lesions.

    Raises:
        SettingsError: The lesions are too few for the target, or it is out of reach at any threshold.
    """
    if not 0 < target < 1:
        raise SettingsError(f"A target sensitivity lies between 0 and 1; found {target}.")
    name = f"sensitivity_{target:g}"
    values, _ = _flat(lesions, alarms)
    needed = max(LEAST_LESIONS, int(np.ceil(1 / (1 - target) - 1e-9)))
    _require(len(values), needed, "lesions", name)
    found = np.sort(values[np.isfinite(values)])[::-1]
    wanted = int(np.ceil(target * len(values) - 1e-9))
    if wanted > len(found):
        raise SettingsError(
            f"No operating point '{name}': only {len(found)} of {len(values)} lesions were found at any threshold. "
            "Ask for a lower sensitivity, or train with more lesions."
        )
    return point_at(name, float(found[wanted - 1]), lesions, alarms, chosen_on, f"sensitivity of {target:.0%}")


def point_for_fp_per_case(target: float, lesions: Scores, alarms: Scores, chosen_on: str) -> OperatingPoint:
    """The lowest threshold on a lesion's score with at most so many false alarms a case.

    Raises:
        SettingsError: The cases are too few for the target, or no lesion is found at it.
    """
    if not target > 0:
        raise SettingsError(f"A target of false alarms a case must be positive; found {target}.")
    return _at_rate(f"fp_per_case_{target:g}", target, lesions, alarms, chosen_on)


def point_for_youden(lesions: Scores, alarms: Scores, chosen_on: str) -> OperatingPoint:
    """The threshold of the greatest sum of sensitivity and share of false candidates rejected; ties go down.

    Youden's index needs things that are no lesion: here the candidates on no lesion.

    Raises:
        SettingsError: There are too few lesions or false alarms, or no lesion was found.
    """
    values, wrong = _flat(lesions, alarms)
    _require(len(values), LEAST_LESIONS, "lesions", "youden")
    _require(len(wrong), LEAST_LESIONS, "false alarms", "youden")
    found = np.unique(values[np.isfinite(values)])
    if not len(found):
        raise SettingsError("No operating point 'youden': no lesion was found at any threshold. Train with more.")
    index = [float(np.mean(values >= score) - np.mean(wrong >= score)) for score in found]
    return point_at("youden", float(found[int(np.argmax(index))]), lesions, alarms, chosen_on, "Youden's index")


def cautious_point(lesions: Scores, alarms: Scores, chosen_on: str) -> OperatingPoint:
    """The threshold of least expected loss where lesions are few: lower than the lowest lesion's score, with a margin.

    Raises:
        SettingsError: There are fewer than two lesions or false alarms, whose scatter is not known.
    """
    values, wrong = _flat(lesions, alarms)
    found = values[np.isfinite(values)]
    _require(len(found), 2, "lesions", "cautious")
    _require(len(wrong), 2, "false alarms", "cautious")
    threshold = cautious_threshold(found.tolist(), wrong.tolist())
    reason = f"least expected loss where a lost lesion weighs {COST_OF_A_LESION:g} false alarms"
    return point_of_threshold("cautious", threshold, lesions, alarms, chosen_on, reason)


def high_specificity_point(lesions: Scores, alarms: Scores, chosen_on: str) -> OperatingPoint:
    """At most half a false alarm a case.

    Raises:
        SettingsError: The cases are too few, or no lesion is found at it.
    """
    return _at_rate("high_specificity", 0.5, lesions, alarms, chosen_on)


def choose_or_refuse(choices: Sequence[Callable[[], OperatingPoint]]) -> tuple[list[OperatingPoint], list[str]]:
    """What can be chosen, and why the rest cannot."""
    outcomes = [_outcome(choice) for choice in choices]
    points = [one for one in outcomes if isinstance(one, OperatingPoint)]
    return points, [one for one in outcomes if isinstance(one, str)]


def _outcome(choice: Callable[[], OperatingPoint]) -> OperatingPoint | str:
    try:
        return choice()
    except SettingsError as error:
        return str(error)


def _at_rate(name: str, target: float, lesions: Scores, alarms: Scores, chosen_on: str) -> OperatingPoint:
    values, wrong = _flat(lesions, alarms)
    _require(len(values), LEAST_LESIONS, "lesions", name)
    _require(len(lesions), int(np.ceil(LEAST_ALARMS / target - 1e-9)), "cases", name)
    allowed = np.floor(target * len(lesions) + 1e-9)
    kept = [score for score in np.unique(values[np.isfinite(values)]) if np.count_nonzero(wrong >= score) <= allowed]
    if not kept:
        raise SettingsError(
            f"No operating point '{name}': every lesion scores below more than {target:g} false alarms a case. "
            "Ask for more false alarms, or train with more lesions."
        )
    return point_at(name, float(kept[0]), lesions, alarms, chosen_on, f"at most {target:g} false alarms a case")


def _flat(lesions: Scores, alarms: Scores) -> tuple[FloatArray, FloatArray]:
    return (
        np.array([score for scores in lesions for score in scores], dtype=np.float64),
        np.array([score for scores in alarms for score in scores], dtype=np.float64),
    )


def _require(found: int, needed: int, what: str, name: str) -> None:
    if found < needed:
        raise SettingsError(
            f"No operating point '{name}': it needs at least {needed} {what} to be known with any certainty, "
            f"found {found}. Add cases, or use another point."
        )
