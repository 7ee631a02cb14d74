"""A margin below the lowest of a few scores."""

import numpy as np
import pytest
from scipy import stats

from mtann.detection.few_lesions import cautious_threshold


def test_equal_costs_and_scatter_give_the_middle() -> None:
    lesions, others = [0.7, 0.8, 0.9, 0.8], [0.1, 0.2, 0.3, 0.2]
    assert cautious_threshold(lesions, others, cost=1) == pytest.approx(0.5, abs=0.001)


def test_a_dear_lesion_lowers_the_threshold_but_never_below_the_others_mean() -> None:
    lesions, others = [0.7, 0.8, 0.9, 0.8], [0.1, 0.2, 0.3, 0.2]
    thresholds = [cautious_threshold(lesions, others, cost) for cost in (1, 10, 100, 1e9)]
    assert thresholds == sorted(thresholds, reverse=True)
    assert thresholds[-1] == pytest.approx(0.2, abs=0.001)


def test_more_scatter_among_lesions_and_fewer_of_them_ask_for_more_margin() -> None:
    others = [0.05, 0.1, 0.15, 0.1, 0.1]
    calm, restless = [0.78, 0.8, 0.82, 0.8, 0.8], [0.6, 0.8, 1.0, 0.7, 0.9]
    assert cautious_threshold(restless, others) < cautious_threshold(calm, others)
    assert cautious_threshold(restless, others) < cautious_threshold(restless * 6, others)


def test_as_many_times_more_false_alarms_as_a_lesion_is_dearer_count_the_same() -> None:
    lesions, others = np.array([0.7, 0.8, 0.9, 0.8]), np.tile([0.1, 0.2, 0.3, 0.2], 25)
    tried = np.linspace(0.2, 0.8, 1000)
    lesion = stats.t(3, 0.8, lesions.std(ddof=1) * np.sqrt(1 + 1 / 4))
    other = stats.t(99, 0.2, others.std(ddof=1) * np.sqrt(1 + 1 / 100))
    expected = tried[np.argmin(lesion.cdf(tried) + other.sf(tried))]
    assert cautious_threshold(lesions, others, cost=25) == pytest.approx(expected, abs=0.001)
    assert cautious_threshold(lesions, others, cost=100) < expected


def test_it_keeps_lesions_that_the_lowest_score_would_lose() -> None:
    """Of 2,000 new lesions, after 200 draws of five: the lowest of five loses a sixth, the cautious threshold few."""
    random = np.random.default_rng(0)
    lost = {"lowest": [], "cautious": []}
    for _ in range(200):
        lesions, others = random.normal(0.8, 0.1, 5), random.normal(0.1, 0.08, 5)
        new = random.normal(0.8, 0.1, 10)
        lost["lowest"].append(np.mean(new < lesions.min()))
        lost["cautious"].append(np.mean(new < cautious_threshold(lesions, others)))
    assert np.mean(lost["lowest"]) == pytest.approx(1 / 6, abs=0.03)
    assert np.mean(lost["cautious"]) < 0.01


def test_one_score_says_nothing_about_scatter() -> None:
    with pytest.raises(ValueError, match="found 1 and 3"):
        cautious_threshold([0.5], [0.1, 0.2, 0.3])
