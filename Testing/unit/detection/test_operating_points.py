import numpy as np
import pytest

from mtann.detection.operating_points import choose_operating_points


def by_name(points):
    return {point.name: point for point in points}


def test_thresholds_by_hand():
    # Two cases. Lesions at 0.9, 0.7, 0.3, one missed; false alarms at 0.5, 0.4, 0.35, 0.1.
    # Keeping 2 lesions (threshold between 0.5 and 0.7) has no alarm: F1 = 4 / (2 + 0 + 4) = 0.667, the best;
    # keeping all three costs 3 alarms: F1 = 6 / (3 + 3 + 4) = 0.6.
    points = by_name(choose_operating_points([[0.9, 0.3], [0.7, -np.inf]], [[0.5, 0.4], [0.35, 0.1]], "some data"))
    assert points["balanced"].threshold == pytest.approx(0.6)
    assert points["balanced"].sensitivity == pytest.approx(0.5)
    assert points["balanced"].fp_per_case == 0
    assert points["high_sensitivity"].threshold == pytest.approx(0.2)
    assert points["high_sensitivity"].sensitivity == pytest.approx(0.75)
    assert points["high_sensitivity"].fp_per_case == pytest.approx(1.5)
    assert {point.lesions for point in points.values()} == {4}
    assert {point.cases for point in points.values()} == {2}
    assert {point.chosen_on for point in points.values()} == {"some data"}


def test_without_alarms_the_threshold_is_the_lowest_lesion():
    points = by_name(choose_operating_points([[0.8, 0.6]], [[]], "x"))
    assert points["balanced"].threshold == points["high_sensitivity"].threshold == 0.6


def test_ties_go_to_the_lower_threshold():
    # One lesion without alarm: 2 / (1 + 0 + 3); all three with two alarms: 6 / (3 + 2 + 3) is better;
    # two lesions with alarms as below give the same F1 as three, so three are kept.
    points = by_name(choose_operating_points([[0.9, 0.8, 0.2]], [[0.3, 0.25, 0.22, 0.21, 0.85]], "x"))
    f1_two, f1_three = 4 / (2 + 1 + 3), 6 / (3 + 5 + 3)
    assert f1_two > f1_three
    assert points["balanced"].sensitivity == pytest.approx(2 / 3)
    tied = by_name(choose_operating_points([[0.9, 0.5]], [[0.7, 0.6]], "x"))
    # 2 / (1 + 0 + 2) = 4 / (2 + 2 + 2).
    assert tied["balanced"].sensitivity == 1


def test_where_nothing_was_found_there_is_no_operating_point():
    assert choose_operating_points([[-np.inf]], [[0.4]], "x") == ()
