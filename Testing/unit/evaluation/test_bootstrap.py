"""Intervals: by hand where they can be, and how often they hold the truth."""

import numpy as np
import pytest

from mtann.errors import SettingsError
from mtann.evaluation.bootstrap import Measured, difference, mean, measure, resamples, share
from mtann.evaluation.ranked import RankedCandidates


def test_patients_are_drawn_with_all_their_cases():
    draws = resamples(["p", "q", "p", "r"], draws=200)
    assert draws.patients == 3
    np.testing.assert_array_equal(draws.drawn[:, 0], draws.drawn[:, 2])
    # Three patients are drawn each time.
    assert set((draws.drawn[:, 0] + draws.drawn[:, 1] + draws.drawn[:, 3]).tolist()) == {3.0}


def test_equal_seeds_give_equal_draws_and_names_order_them():
    first, second = resamples(["a", "b", "c"], seed=3), resamples(["c", "a", "b"], seed=3)
    np.testing.assert_array_equal(first.drawn[:, [2, 0, 1]], second.drawn)
    assert (resamples(["a", "b", "c"], seed=4).drawn != first.drawn).any()


def test_negative_draws_and_seeds_are_refused_in_words():
    with pytest.raises(SettingsError, match="draws must not be negative; found -1"):
        resamples(["a", "b"], draws=-1)
    with pytest.raises(SettingsError, match="seed must not be negative; found -2"):
        resamples(["a", "b"], seed=-2)


def test_shares_and_means_by_hand():
    weights = np.array([[1.0, 1, 1], [2, 0, 1]])
    np.testing.assert_allclose(share([1, 0, 2], [2, 3, 2])(weights), [3 / 7, 4 / 6])
    np.testing.assert_allclose(mean([1.0, np.nan, 4.0])(weights), [2.5, 2.0])
    assert measure(share([0], [0]), resamples(["a"])).value is None


def test_a_share_of_all_or_none_is_as_sure_as_its_patients_are_many():
    # Clopper and Pearson: of n out of n, the lower end is 0.025 ** (1 / n).
    draws = resamples([str(n) for n in range(10)])
    every = measure(share(np.ones(10), np.ones(10)), draws, is_share=True)
    assert (every.low, every.high) == (pytest.approx(0.025**0.1), 1.0)
    none = measure(share(np.zeros(10), np.ones(10)), draws, is_share=True)
    assert (none.low, none.high) == (0.0, pytest.approx(1 - 0.025**0.1))


def test_a_share_that_is_equal_in_all_patients_is_no_certainty():
    # Four patients, one of two lesions found in each: no draw differs. Clopper and Pearson of 2 of 4: 0.068 to 0.932.
    half = measure(share(np.ones(4), np.full(4, 2.0)), resamples(list("abcd")), is_share=True)
    assert half.value == 0.5
    assert (half.low, half.high) == (pytest.approx(0.0676, abs=1e-4), pytest.approx(0.9324, abs=1e-4))
    # Of what is no share there is then no interval at all.
    assert measure(mean(np.full(4, 2.0)), resamples(list("abcd"))) == Measured(2.0)


def test_only_patients_with_something_to_count_make_a_share_sure():
    # Specificity of ten patients, one of them without lesions and called wrongly: 0 of 1 says 0 to 0.975, not 0.308.
    healthy = np.arange(10) == 9
    draws = resamples([str(n) for n in range(10)])
    got = measure(share(np.zeros(10), healthy), draws, is_share=True)
    assert (got.low, got.high) == (0.0, pytest.approx(0.975))
    # Two patients of four cases each, one case of each called rightly, beside ten who have nothing to count: as of two.
    called, of = np.zeros(18), np.zeros(18)
    of[:8], called[[0, 4, 5]] = 1, 1
    names = ["p"] * 4 + ["q"] * 4 + [str(n) for n in range(10)]
    wide = measure(share(called, of), resamples(names), is_share=True)
    alone = measure(share(called[:8], of[:8]), resamples(names[:8]), is_share=True)
    assert (wide.value, alone.value) == (0.375, 0.375)
    assert (wide.low, wide.high) == (0.25, 0.5) == (alone.low, alone.high)


def test_a_difference_of_one_thing_from_itself_is_nothing():
    draws = resamples([str(n) for n in range(12)])
    own = share(np.arange(12) % 2, np.ones(12))
    assert difference(own, own, draws).value == 0
    assert (difference(own, own, draws).low, difference(own, own, draws).high) == (0, 0)


@pytest.mark.slow
def test_intervals_hold_the_truth_in_nine_of_ten_studies_at_least():
    """200 simulated studies of 40 patients, one to three lesions each, whose chance to be found differs by patient.

    The truth: sensitivity is the mean chance, 0.7, weighted by lesions, which are drawn apart from it. The mean
    sensitivity's truth comes from one study of 20 000 patients.
    """
    random = np.random.default_rng(12)

    def study(patients):
        lesions, alarms = [], []
        for _ in range(patients):
            chance = random.beta(3.5, 1.5)
            count = random.integers(1, 4)
            lesions.append([s if random.random() < chance else -np.inf for s in random.normal(1.0, 0.5, count)])
            alarms.append(list(random.normal(0.0, 0.6, random.poisson(2.0))))
        return lesions, alarms

    def sensitivity(lesions):
        return share([np.isfinite(one).sum() for one in lesions], [len(one) for one in lesions])

    large = study(20000)
    truth = {
        "sensitivity": 0.7,
        "mean_sensitivity": float(RankedCandidates(*large).mean_sensitivity(np.ones((1, 20000)))[0]),
        "average_precision": float(RankedCandidates(*large).average_precision(np.ones((1, 20000)))[0]),
    }
    held = dict.fromkeys(truth, 0)
    for seed in range(200):
        lesions, alarms = study(40)
        ranked, draws = RankedCandidates(lesions, alarms), resamples([str(n) for n in range(40)], 500, seed)
        measured = {
            "sensitivity": measure(sensitivity(lesions), draws, is_share=True),
            "mean_sensitivity": measure(ranked.mean_sensitivity, draws, is_share=True),
            "average_precision": measure(ranked.average_precision, draws, is_share=True),
        }
        for name, one in measured.items():
            held[name] += one.low <= truth[name] <= one.high
    for name, count in held.items():
        assert 0.9 <= count / 200 <= 0.99, (name, count)
