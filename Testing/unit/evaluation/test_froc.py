"""FROC curves counted by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtann.evaluation.froc import LUNA16_RATES, froc


def test_a_curve_counted_by_hand():
    # Two cases, four lesions of which one is missed; false alarms score 0.9 and 0.4 in one case, 0.5 in the other.
    curve = froc([[0.95, 0.6], [0.45, -np.inf]], [[0.9, 0.4], [0.5]])
    np.testing.assert_allclose(curve.thresholds, [0.95, 0.9, 0.6, 0.5, 0.45, 0.4])
    np.testing.assert_allclose(curve.sensitivity, [0.25, 0.25, 0.5, 0.5, 0.75, 0.75])
    np.testing.assert_allclose(curve.fp_per_case, [0, 0.5, 0.5, 1.0, 1.0, 1.5])
    assert [curve.sensitivity_at(rate) for rate in (0, 0.49, 0.5, 1, 8)] == [0.25, 0.25, 0.5, 0.75, 0.75]
    # At 1/8 and 1/4 a case 0.25; at 1/2 0.5; from 1 on 0.75.
    assert curve.mean_sensitivity == pytest.approx((2 * 0.25 + 0.5 + 4 * 0.75) / 7)
    assert (curve.lesions, curve.cases) == (4, 2)


def test_equal_scores_of_a_lesion_and_a_false_alarm_count_both():
    curve = froc([[0.5]], [[0.5]])
    assert (curve.sensitivity.tolist(), curve.fp_per_case.tolist()) == ([1.0], [1.0])
    assert curve.sensitivity_at(0.5) == 0.0


def test_without_lesions_there_is_no_curve():
    with pytest.raises(ValueError, match="at least one lesion"):
        froc([[]], [[0.3]])


scores = st.lists(st.integers(-5, 5).map(float), max_size=6)


@given(st.lists(st.tuples(scores, scores), min_size=1, max_size=5), st.randoms())
def test_curves_rise_to_all_that_was_found_whatever_the_order_of_cases(cases, random):
    if not any(lesions for lesions, _ in cases):
        return
    curve = froc(*zip(*cases, strict=True))
    assert (np.diff(curve.sensitivity) >= 0).all()
    assert (np.diff(curve.fp_per_case) >= 0).all()
    assert curve.sensitivity[-1] == 1.0
    shuffled = list(cases)
    random.shuffle(shuffled)
    again = froc(*zip(*shuffled, strict=True))
    np.testing.assert_array_equal(curve.sensitivity, again.sensitivity)
    assert [curve.sensitivity_at(rate) for rate in LUNA16_RATES] == [again.sensitivity_at(r) for r in LUNA16_RATES]
