"""Post-processing rules on components that are counted by hand."""

import numpy as np
import pytest

from mtann.unets.components import Components, choose_rule, find_components


def case(volumes, right, true) -> Components:
    return Components(np.array(volumes, dtype=float), np.array(right, dtype=float), float(true))


def test_components_touch_across_corners():
    found = np.zeros((3, 4, 4), dtype=bool)
    found[0, 0, 0] = found[1, 1, 1] = found[2, 3, 3] = True
    true = np.zeros_like(found)
    true[0, 0, 0] = true[0, 0, 1] = True
    made = find_components(found, true, 2.0)
    assert made.volumes_mm3.tolist() == [4, 2]
    assert made.right_mm3.tolist() == [2, 0]
    assert made.true_mm3 == 4
    assert made.dice() == pytest.approx(2 * 2 / (6 + 4))


def test_rules_change_the_dice_as_counted():
    made = case([10, 4], [9, 0], 11)
    assert made.dice() == pytest.approx(18 / 25)
    assert made.dice(keep_largest=True) == pytest.approx(18 / 21)
    assert made.dice(min_volume_mm3=4) == pytest.approx(18 / 25)
    assert made.dice(min_volume_mm3=4.5) == pytest.approx(18 / 21)
    assert case([], [], 0).dice() is None
    assert case([], [], 0).dice(keep_largest=True) is None


def test_one_organ_with_wrong_islands_keeps_its_largest_component():
    rule, words = choose_rule("organ", [case([10, 30, 6], [0, 29, 0], 30), case([25, 8], [25, 0], 26)])
    assert rule is not None
    assert rule.keep_largest
    assert "keeping the largest component raises its Dice from" in words


def test_several_lesions_with_small_wrong_ones_get_a_least_volume():
    rule, _ = choose_rule("lesion", [case([20, 30, 2], [19, 29, 0], 50), case([25, 22, 1.5], [25, 21, 0], 48)])
    assert rule is not None
    assert not rule.keep_largest
    assert 2 < rule.min_volume_mm3 <= 20


def test_where_nothing_helps_there_is_no_rule():
    rule, words = choose_rule("lesion", [case([20, 5], [19, 5], 26)])
    assert rule is None
    assert "no post-processing raises its Dice of" in words


def test_mistakes_in_empty_cases_that_a_rule_mends_count():
    rule, _ = choose_rule("lesion", [case([2], [0], 0), case([25], [25], 26)])
    assert rule is not None
    assert rule.min_volume_mm3 > 2
