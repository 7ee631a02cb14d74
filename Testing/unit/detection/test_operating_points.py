import numpy as np
import pytest

from mtann.detection.operating_points import choose_operating_points


def by_name(points):
    return {point.name: point for point in points}


def test_thresholds_by_hand():
    # Two cases. Lesions at 0.9, 0.7, 0.3, one missed; nine false alarms from 0.34 to 0.6, and one at 0.1.
    # Keeping two lesions (threshold between 0.6 and 0.7) has no alarm: F2 = 10 / (10 + 0 + 4 * 2) = 0.556, the best;
    # keeping one: 5 / (5 + 0 + 4 * 3) = 0.294; keeping all three costs nine alarms: 15 / (15 + 9 + 4 * 1) = 0.536.
    alarms = [[0.6, 0.55, 0.5, 0.45, 0.4], [0.38, 0.36, 0.35, 0.34, 0.1]]
    points = by_name(choose_operating_points([[0.9, 0.3], [0.7, -np.inf]], alarms, "some data"))
    assert points["balanced"].threshold == pytest.approx(0.65)
    assert points["balanced"].sensitivity == pytest.approx(0.5)
    assert points["balanced"].fp_per_case == 0
    assert points["high_sensitivity"].threshold == pytest.approx(0.2)
    assert points["high_sensitivity"].sensitivity == pytest.approx(0.75)
    assert points["high_sensitivity"].fp_per_case == pytest.approx(4.5)
    assert {point.lesions for point in points.values()} == {4}
    assert {point.cases for point in points.values()} == {2}
    assert {point.chosen_on for point in points.values()} == {"some data"}


def test_with_nothing_below_the_lowest_lesion_the_threshold_lies_halfway_to_none():
    points = by_name(choose_operating_points([[0.8, 0.6]], [[]], "x"))
    assert points["balanced"].threshold == points["high_sensitivity"].threshold == 0.3
    below_none = by_name(choose_operating_points([[0.8, -0.6]], [[]], "x"))
    assert below_none["high_sensitivity"].threshold == -0.6


def test_a_missed_lesion_weighs_four_times_a_false_alarm_and_ties_go_to_the_lower_threshold():
    # One lesion: 5 / (5 + 0 + 4 * 1); both with k alarms: 10 / (10 + k). Equal at k = 8.
    for alarms, sensitivity in ((7, 1.0), (8, 1.0), (9, 0.5)):
        points = by_name(choose_operating_points([[0.9, 0.5]], [np.linspace(0.6, 0.7, alarms)], "x"))
        assert points["balanced"].sensitivity == sensitivity


def test_where_nothing_was_found_there_is_no_operating_point():
    assert choose_operating_points([[-np.inf]], [[0.4]], "x") == ()
