"""Operating points asked for, counted by hand, and those that too little data cannot support."""

from functools import partial

import numpy as np
import pytest

from mtann.detection.few_lesions import cautious_threshold
from mtann.detection.targets import (
    cautious_point,
    choose_or_refuse,
    high_specificity_point,
    point_for_fp_per_case,
    point_for_sensitivity,
    point_for_youden,
)
from mtann.errors import SettingsError

# Ten lesions in ten cases, scored 0.95, 0.85 ... 0.05; a false alarm at 0.7, 0.5, 0.3 in every second case, 15 in all.
LESIONS = [[0.95 - 0.1 * number] for number in range(10)]
ALARMS = [[0.7, 0.5, 0.3] if number % 2 else [] for number in range(10)]


def test_a_target_sensitivity():
    # 80 % of ten lesions are eight: down to 0.25. The next score below is the lesion at 0.15: the threshold is 0.2.
    point = point_for_sensitivity(0.8, LESIONS, ALARMS, "x")
    assert (point.name, point.sensitivity, point.fp_per_case) == ("sensitivity_0.8", 0.8, 1.5)
    assert point.threshold == pytest.approx(0.2)
    assert (point.lesions, point.cases, point.chosen_by) == (10, 10, "sensitivity of 80%")


def test_a_target_rate_of_false_alarms():
    # At most 1 a case allows ten alarms: those at 0.7 and 0.5. The lowest lesion above 0.3 is the one at 0.35.
    point = point_for_fp_per_case(1.0, LESIONS, ALARMS, "x")
    assert point.threshold == pytest.approx(0.325)
    assert (point.sensitivity, point.fp_per_case) == (0.7, 1.0)
    # Half a false alarm a case: the five at 0.7.
    point = high_specificity_point(LESIONS, ALARMS, "x")
    assert (point.name, point.fp_per_case, point.sensitivity) == ("high_specificity", 0.5, 0.5)


def test_youden_by_hand():
    # Sensitivity less share of alarms kept: at 0.75 0.3 - 0; at 0.55 0.5 - 1/3; at 0.35 0.7 - 2/3; at 0.05 1 - 1.
    assert point_for_youden(LESIONS, ALARMS, "x").threshold == pytest.approx((0.75 + 0.7) / 2)


def test_what_the_data_cannot_support_is_refused_and_said_why():
    few = LESIONS[:9]
    refusals = {
        "at least 10 lesions": lambda: point_for_sensitivity(0.8, few, ALARMS[:9], "x"),
        "at least 20 lesions": lambda: point_for_sensitivity(0.95, LESIONS, ALARMS, "x"),
        "at least 40 cases": lambda: point_for_fp_per_case(0.125, LESIONS, ALARMS, "x"),
        "at least 10 false alarms": lambda: point_for_youden(LESIONS, [[0.5]] * 9 + [[]], "x"),
        "only 8 of 10 lesions were found": lambda: point_for_sensitivity(
            0.9, [*LESIONS[:8], [-np.inf], [-np.inf]], ALARMS, "x"
        ),
    }
    for reason, ask in refusals.items():
        with pytest.raises(SettingsError, match=reason):
            ask()
    points, refused = choose_or_refuse(
        [
            partial(high_specificity_point, few, ALARMS[:9], "x"),
            partial(point_for_sensitivity, 0.5, LESIONS, ALARMS, "x"),
        ]
    )
    assert [point.name for point in points] == ["sensitivity_0.5"]
    assert len(refused) == 1
    assert "'high_specificity': it needs at least 10 lesions" in refused[0]


def test_the_cautious_point_lies_below_the_lowest_of_few_lesions():
    lesions, alarms = [[0.8], [0.9, 1.0], [], []], [[], [], [0.1, 0.5], [0.0]]
    point = cautious_point(lesions, alarms, "x")
    assert point.threshold == cautious_threshold([0.8, 0.9, 1.0], [0.1, 0.5, 0.0])
    assert 0.2 - 1e-9 <= point.threshold < 0.5
    assert (point.name, point.sensitivity, point.fp_per_case) == ("cautious", 1.0, 0.25)
    assert (point.lesions, point.cases, point.chosen_on) == (3, 4, "x")
    # A lesion that was missed altogether counts among the lesions, and says nothing of what the next one scores.
    missed = cautious_point([*lesions, [-np.inf]], [*alarms, []], "x")
    assert (missed.threshold, missed.sensitivity, missed.fp_per_case) == (point.threshold, 0.75, 0.2)
    for few, reason in (([[0.8]], "2 lesions"), (lesions, "2 false alarms")):
        with pytest.raises(SettingsError, match=f"'cautious': it needs at least {reason}"):
            cautious_point(few, [[0.1]], "x")


def test_where_all_lesions_lie_below_the_alarms_no_rate_can_be_met():
    with pytest.raises(SettingsError, match="every lesion scores below"):
        high_specificity_point([[0.1]] * 10, [[0.5]] * 10, "x")
