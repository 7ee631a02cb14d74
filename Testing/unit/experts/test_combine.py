"""Combinations learnt from scores whose best combination is known."""

import numpy as np

from mtann.detection.combination import IntegrationNetwork, LogicalAnd, SingleNetwork
from mtann.evaluation.matching import Match
from mtann.experts.combine import ScoredCase, combined_out_of_fold, froc_of, learn_combination


def case(fold: int, random: np.random.Generator, lesions: int, alarms: int) -> ScoredCase:
    """The single network says 0.5 of all; the first expert tells half of the alarms, the second the other half."""
    count = lesions + alarms
    scores = 0.5 + random.normal(scale=0.05, size=(3, count))
    is_alarm = np.arange(count) >= lesions
    scores[1, is_alarm & (np.arange(count) % 2 == 0)] -= 0.4
    scores[2, is_alarm & (np.arange(count) % 2 == 1)] -= 0.4
    hits = tuple(None if wrong else number for number, wrong in enumerate(is_alarm))
    return ScoredCase(fold, scores, Match((0.5,) * lesions, (0.5,) * alarms, hits))


def cases(lesions: int) -> list[ScoredCase]:
    random = np.random.default_rng(0)
    return [case(fold, random, lesions, 20) for fold in range(4)]


def test_few_lesions_are_combined_by_and_at_thresholds_that_lose_none():
    few = cases(3)
    rule = learn_combination(few, [0, 1, 2], seed=0)
    assert isinstance(rule, LogicalAnd)
    lowest = [min(one.scores[network, :3].min() for one in few) for network in range(3)]
    np.testing.assert_allclose(rule.thresholds, lowest)


def test_many_lesions_are_combined_by_a_network_that_separates_them():
    many = cases(10)
    rule = learn_combination(many, [0, 1, 2], seed=0)
    assert isinstance(rule, IntegrationNetwork)
    combined = [rule.apply(one.scores) for one in many]
    assert min(scores[:10].min() for scores in combined) > max(scores[10:].max() for scores in combined)
    assert learn_combination(many, [0, 1, 2], seed=0) == rule


def test_out_of_fold_both_beat_the_single_network():
    for lesions in (3, 10):
        made = cases(lesions)
        single = froc_of(made, combined_out_of_fold(made, [0], 0))
        together = froc_of(made, combined_out_of_fold(made, [0, 1, 2], 0))
        assert together.mean_sensitivity > single.mean_sensitivity + 0.3


def test_a_cases_own_scores_do_not_change_the_rule_that_judges_it():
    made = cases(10)
    before = combined_out_of_fold(made, [0, 1, 2], 0)[0]
    shifted = ScoredCase(1, made[1].scores + 5.0, made[1].match)
    changed = combined_out_of_fold([made[0], shifted, *made[2:]], [0, 1, 2], 0)
    assert not np.allclose(before, changed[0])
    alone = combined_out_of_fold([ScoredCase(0, made[0].scores + 5.0, made[0].match), *made[1:]], [0, 1, 2], 0)
    np.testing.assert_array_equal(alone[1] == combined_out_of_fold(made, [0, 1, 2], 0)[1], False)
    rule_inputs = [one for one in made if one.fold != 0]
    np.testing.assert_array_equal(before, learn_combination(rule_inputs, [0, 1, 2], 0).apply(made[0].scores))


def test_nothing_to_combine_leaves_the_single_network():
    assert learn_combination(cases(5), [0], 0) == SingleNetwork()
    missed = [ScoredCase(0, np.zeros((2, 1)), Match((-np.inf,), (0.0,), (None,)))]
    assert learn_combination(missed, [0, 1], 0) == SingleNetwork()
