"""Learning curves from shares counted by hand."""

import numpy as np
import pytest

from mtann.evaluation.froc import froc
from mtann.evaluation.learning_curve import LearningCurve, learning_curve, shares_by_lesion


def test_a_lesions_share_counts_the_rates_at_which_it_is_found():
    # Eight cases, so the rates 1/8 to 8 allow 1, 2, 4, 8, 16, 32 and 64 false alarms in all.
    lesions = [[0.9], [0.75], [0.5], [-np.inf], [], [], [], []]
    alarms = [[0.8, 0.7], [0.6], [0.5], [], [], [], [], []]
    shares = shares_by_lesion(lesions, alarms)
    # At least as high: none, 1 (0.8), 4 (one of the same score), and a missed lesion.
    np.testing.assert_allclose(shares, [1, 1, 5 / 7, 0])
    assert shares.mean() == pytest.approx(froc(lesions, alarms).mean_sensitivity)


def test_the_mean_is_that_of_the_froc_whatever_the_scores():
    random = np.random.default_rng(0)
    for _ in range(20):
        lesions = [random.integers(0, 9, size=3) / 9 for _ in range(4)]
        alarms = [random.integers(0, 9, size=12) / 9 for _ in range(4)]
        assert shares_by_lesion(lesions, alarms).mean() == pytest.approx(froc(lesions, alarms).mean_sensitivity)


def curve(quarter, half, most, everything, count=40) -> LearningCurve:
    """Each lesion is found at the given share of rates."""
    values = [np.full(count, value, dtype=float) for value in (quarter, half, most, everything)]
    return learning_curve("patients", (0.25, 0.5, 0.75, 1.0), (10, 20, 30, 40), values, seed=0)


def test_a_rising_curve_says_that_more_lesions_help():
    found = curve(0.2, 0.4, 0.5, 0.6)
    assert [point.mean_sensitivity for point in found.points] == pytest.approx([0.2, 0.4, 0.5, 0.6])
    assert (found.gain, found.gain_low, found.gain_high) == pytest.approx((0.2, 0.2, 0.2))
    assert "+0.200 (95 % interval +0.200 to +0.200)" in found.words
    assert "more lesions are likely to help" in found.words


def test_a_level_curve_says_that_they_do_not_and_a_noisy_one_that_nobody_knows():
    assert "unlikely to help much" in curve(0.6, 0.6, 0.6, 0.6).words
    random = np.random.default_rng(1)
    values = [random.integers(0, 2, size=6).astype(float) for _ in range(4)]
    values[3] = 1 - values[1]
    few = learning_curve("lesions", (0.25, 0.5, 0.75, 1.0), (2, 3, 4, 6), values, seed=0)
    assert few.gain_low < 0 < few.gain_high
    assert "too few lesions to tell" in few.words


def test_the_interval_is_that_of_drawing_lesions_again():
    values = [np.repeat([0.0, 1.0], 50)] * 4
    found = learning_curve("patients", (0.25, 0.5, 0.75, 1.0), (25, 50, 75, 100), values, seed=3)
    # A share of 1/2 of 100 lesions: its deviation is 0.05.
    assert found.points[0].low == pytest.approx(0.5 - 1.96 * 0.05, abs=0.015)
    assert found.points[0].high == pytest.approx(0.5 + 1.96 * 0.05, abs=0.015)
    # Paired: the same lesions are drawn for every share.
    assert (found.gain_low, found.gain_high) == (0, 0)
