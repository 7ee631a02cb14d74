"""How candidates are scored and judged: the FROC mean, its interval, the threshold, and a network's score."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from candidate_auc import judge
from candidate_few import Setting, filtered, judged, learn, scored, several_experts, share, single_network
from candidate_froc import LESIONS_A_CASE, bootstrap_gain, by_case, make_cases, mean_froc
from candidate_phantoms import NON_LESIONS, auc, make_sample
from candidate_scores import region, score, scoring_sigma_mm, teach

from mtann.detection.given import given_from
from mtann.filtering import filter_candidates
from mtann.sampling.lesions import Lesion
from mtann.settings import NetworkSettings, TrainingSettings, preset


def test_mean_froc_counted_by_hand():
    # Eight cases: 1, 2, 4, 8 false alarms in all are allowed at 1/8, 1/4, 1/2, 1 a case, then 16, 32, 64.
    alarms = np.array([9.0, 7, 5, 3, 1])
    lesions = np.array([8.0, 6, 4, 2])
    # More than 1 allowed: above 7 is one lesion of four; 2: above 5, two; 4: above 1, all; from 8 on: all.
    assert mean_froc(lesions, alarms, 8) == pytest.approx((0.25 + 0.5 + 1 + 1 + 1 + 1 + 1) / 7)


def test_the_bootstrap_interval_holds_a_constant_gain_and_none():
    random = np.random.default_rng(1)
    scores = random.normal(size=(30, 7))
    lesion = np.tile([True, True, *[False] * 5], (30, 1))
    assert bootstrap_gain(scores, scores, lesion, draws=20) == (0.0, 0.0)
    perfect = np.where(lesion, 10.0, -10.0)
    low, high = bootstrap_gain(scores, perfect, lesion, draws=50)
    assert 0 < low <= high < 1


def test_cases_hold_two_lesions_and_one_of_each_kind():
    cases = by_case([one.kind for one in make_cases(5, 2)])
    assert cases.tolist() == [["sphere"] * LESIONS_A_CASE + list(NON_LESIONS)] * 2


def test_a_threshold_is_judged_by_counting():
    scores, lesion = np.array([0.9, 0.5, 0.3, 0.6, 0.1]), np.array([True, True, False, False, False])
    outcome = filtered(scores, lesion, 0.4)
    assert (outcome.kept, outcome.lesions, outcome.removed, outcome.others) == (2, 2, 2, 3)
    assert outcome.auc == pytest.approx(5 / 6)
    # What reaches the threshold is kept.
    assert (filtered(scores, lesion, 0.9).kept, filtered(scores, lesion, 0.6).removed) == (1, 2)
    setting = Setting(1, 1, ("cylinder",), least_removed=2 / 3, least_kept=1.0)
    assert judged("x", "cautious", setting, [outcome, outcome])
    assert not judged("x", "cautious", setting, [outcome, filtered(scores, lesion, 0.55)])
    assert not judged("x", "cautious", setting, [outcome, filtered(scores, lesion, 0.3)])
    # Wilson: of 200 out of 200, at least 1 / (1 + 1.96^2 / 200).
    assert share(200, 200) == "100.0% (98.1% to 100.0%; 200 of 200)"


def test_the_aims_are_judged_as_stated(capsys):
    good = {"historic": 0.87, "default": 0.98, "default, one sample a case": 0.929}
    assert judge(good, 0.85) == 0
    assert judge(good | {"default": 0.979}, 0.85) == 1
    assert judge(good | {"default, one sample a case": 0.94}, 0.85) == 1
    assert judge(good | {"historic": 0.91}, 0.85) == 1
    assert judge(good, 0.86) == 1
    assert "NOT MET: LoG" in capsys.readouterr().out


def test_the_scoring_width_is_the_mean_teachers():
    sample = make_sample(0, 3, 2)
    assert scoring_sigma_mm(sample, preset("historic")[1]) == 4.5
    radii = [one.radius_mm for one in sample if one.is_lesion]
    expected = np.mean([max(0.7 * radius, 1.5) for radius in radii])
    assert scoring_sigma_mm(sample, preset("default")[1]) == pytest.approx(expected)


def test_the_region_is_fifteen_voxels_round_the_middle():
    where = np.argwhere(region().array)
    assert where.min(axis=0).tolist() == [15] * 3
    assert where.max(axis=0).tolist() == [29] * 3


@pytest.mark.parametrize("single", [False, True])
def test_a_network_taught_on_a_sample_tells_that_sample_apart(single):
    sample = make_sample(0, 3, 3, ("slab",))
    network = NetworkSettings(dilations=(2,), hidden=(8,))
    training = TrainingSettings(steps=60, mining_rounds=0, augment=False, batch_size=256)
    fitted = teach(sample, network, training, single)
    scores = score(fitted, sample, 1.5)
    assert scores[:3].min() > scores[3:].max()


@pytest.mark.slow
def test_ten_clicks_tell_unseen_balls_from_tubes():
    """A sample that shapes as they are do not teach: without turned ones, balls and tubes score alike.

    With a quarter of a batch; ``candidate_few`` measures the defaults.
    """
    sample, test = make_sample(512_000, 5, 5), make_sample(310_000, 25, 25)
    quick = {"batch_size": 256, "folds": 0}
    areas = {}
    for turned in (None, 0):
        model = learn(sample, seed=2, turned_per_region=turned, **quick)
        scores = scored(model, test)
        areas[turned] = auc(scores[:25], scores[25:])
    assert areas[None] > 0.99
    assert areas[None] > areas[0] + 0.02


@pytest.mark.slow
def test_what_experts_keep_together_every_one_of_them_keeps():
    sample, test = make_sample(512_000, 3, 4, ("slab", "edge")), make_sample(310_000, 3, 4, ("slab", "edge"))
    quick = {"steps": 40, "batch_size": 64, "folds": 2, "turned_per_region": 50}
    alone = single_network(sample, test, 0, **quick)
    together = several_experts(sample, test, 0, **quick)
    for rule, (threshold, scores) in together.items():
        assert threshold == alone[rule][0]
        assert (scores <= alone[rule][1] + 1e-12).all()


@pytest.mark.slow
def test_candidates_are_scored_as_the_librarys_filter_does_it():
    sample, test = make_sample(512_000, 2, 2), make_sample(310_000, 2, 2)
    model = learn(sample, 0, steps=30, batch_size=64, folds=2, turned_per_region=50)
    for one, score_here in zip(test, scored(model, test), strict=True):
        result = filter_candidates(one.volume, model, given_from([Lesion(one.centre_lps_mm)]), device="cpu")
        assert score_here == pytest.approx(result.candidates[0].score, abs=1e-6)
