"""Probabilities counted by hand, and the same as scikit-learn's where both define them alike."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, softmax
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from mtann.detection.calibration import (
    IsotonicCalibration,
    PlattCalibration,
    fit_isotonic,
    fit_platt,
    fit_temperature,
    learn_calibration,
)


def test_an_isotonic_curve_by_hand():
    # Scores 1 to 5; the candidates at 2 and 4 lie on lesions. 1 is no lesion: 0. After the hit at 2 comes a miss at 3:
    # both share 1/2. After the hit at 4 comes a miss at 5: both share 1/2, too. So 0, then 1/2 from 2 on; one
    # candidate is no proof of 0, but of 1/3.
    curve = fit_isotonic(np.array([1.0, 2, 3, 4, 5]), np.array([0, 1, 0, 1, 0], bool), "x")
    third = 1 / 3
    np.testing.assert_allclose(curve.apply([0, 1, 1.5, 2, 3, 4, 5, 9]), [third, third, 5 / 12, 0.5, 0.5, 0.5, 0.5, 0.5])
    assert (curve.lesions, curve.false_alarms, curve.chosen_on) == (2, 3, "x")


def test_candidates_of_one_score_count_as_one():
    # Three candidates at 1, one of them on a lesion; one at 2 on a lesion, which makes 2/3.
    curve = fit_isotonic(np.array([1.0, 1, 1, 2]), np.array([0, 1, 0, 1], bool), "x")
    np.testing.assert_allclose(curve.apply([1, 2]), [1 / 3, 2 / 3])


def test_no_candidate_is_certain():
    # Six without a lesion, then two of two on lesions: 1/8 and 3/4. All on lesions: five make 6/7, none 1/7.
    curve = fit_isotonic(np.arange(8.0), np.arange(8) >= 6, "x")
    np.testing.assert_allclose(curve.apply([0, 5, 6, 7]), [1 / 8, 1 / 8, 3 / 4, 3 / 4])
    for certain in (True, False):
        same = fit_isotonic(np.arange(5.0), np.full(5, certain), "x")
        np.testing.assert_allclose(same.apply([0, 4]), 6 / 7 if certain else 1 / 7)


def test_a_single_hit_at_the_end_does_not_lower_what_many_below_it_prove():
    # Nine of ten at 1 are on lesions; one at 2 alone would make 2/3, one miss at 0 1/3.
    scores, hits = np.r_[0.0, np.ones(10), 2.0], np.r_[False, np.arange(10) > 0, True]
    np.testing.assert_allclose(fit_isotonic(scores, hits, "x").apply([0, 1, 2]), [1 / 3, 0.9, 0.9])


@given(st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=2, max_size=40))
def test_isotonic_agrees_with_scikit_learn(pairs):
    scores, hits = np.array(pairs, dtype=float).T
    if len(np.unique(scores)) < 2:
        return
    theirs = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(scores, hits)
    ours = fit_isotonic(scores, hits > 0, "x").apply(scores)
    wanted = theirs.predict(scores)
    inner = (wanted > 1e-6) & (wanted < 1 - 1e-6)
    np.testing.assert_allclose(ours[inner], wanted[inner], atol=1e-6)
    assert ((ours > 0) & (ours < 1)).all()
    assert np.all(np.diff(ours[np.argsort(scores, kind="stable")]) >= -1e-12)


def test_platt_agrees_with_an_unpenalised_logistic_regression_on_platts_targets():
    random = np.random.default_rng(3)
    scores = random.normal(size=60)
    hits = random.random(60) < expit(2 * scores - 0.5)
    n, m = hits.sum(), (~hits).sum()
    # Platt's soft targets as pairs of weighted hard ones.
    high = np.where(hits, (n + 1) / (n + 2), 1 / (m + 2))
    x, y, w = np.r_[scores, scores], np.r_[np.ones(60), np.zeros(60)], np.r_[high, 1 - high]
    theirs = LogisticRegression(C=np.inf, tol=1e-12, max_iter=10000).fit(x[:, None], y, sample_weight=w)
    ours = fit_platt(scores, hits, "x")
    np.testing.assert_allclose(ours.apply(scores), theirs.predict_proba(scores[:, None])[:, 1], atol=1e-6)


def test_platt_never_falls_even_where_lesions_score_lower():
    fitted = fit_platt(np.array([1.0, 2, 3, 4, 5, 6]), np.array([1, 1, 1, 0, 0, 0], bool), "x")
    assert fitted.slope == 0
    # All the same: the mean of Platt's targets 4/5 and 1/5.
    np.testing.assert_allclose(fitted.apply([0.0, 9.0]), 0.5, atol=1e-6)


@pytest.mark.parametrize(
    ("lesions", "alarms", "kind"),
    [
        (4, 100, None),
        (100, 4, None),
        (5, 5, PlattCalibration),
        (19, 200, PlattCalibration),
        (20, 29, PlattCalibration),
        (20, 30, IsotonicCalibration),
    ],
)
def test_how_much_is_learnt_depends_on_how_much_there_is(lesions, alarms, kind):
    scores = np.r_[np.linspace(0.4, 1, lesions), np.linspace(0, 0.7, alarms)]
    learnt = learn_calibration(scores, np.arange(len(scores)) < lesions, "x")
    assert learnt is None if kind is None else isinstance(learnt, kind)


def test_a_temperature_undoes_what_made_a_network_too_sure():
    random = np.random.default_rng(0)
    honest = random.normal(scale=1.5, size=(20000, 3))
    labels = (softmax(honest, axis=1).cumsum(axis=1) < random.random((20000, 1))).sum(axis=1)
    found = fit_temperature(3 * honest, labels, cases=4, chosen_on="x")
    assert found.temperature == pytest.approx(3.0, rel=0.03)
    np.testing.assert_allclose(found.apply(3 * honest.T).sum(axis=0), 1.0)
    np.testing.assert_allclose(found.apply([[0.0], [found.temperature * np.log(3)]]), [[0.25], [0.75]])


def test_a_curve_that_falls_is_refused():
    for scores, probabilities in (((1.0, 1.0), (0.1, 0.2)), ((1.0, 2.0), (0.3, 0.2)), ((1.0, 2.0), (0.3,))):
        with pytest.raises(ValueError, match="ascend|as many"):
            IsotonicCalibration(scores=scores, probabilities=probabilities, lesions=1, false_alarms=1, chosen_on="x")
