"""Shares of a combined score, counted by hand."""

import numpy as np
import pytest

from mtann.detection.combination import IntegrationNetwork, LogicalAnd, SingleNetwork
from mtann.explanation.contributions import contributions


def changes(parts):
    return [one.change for one in parts.by_network]


def test_a_single_network_gives_all():
    parts = contributions([0.8], SingleNetwork())
    assert (parts.kind, parts.combined, parts.shared, parts.decisive) == ("single", 0.8, 0.0, None)
    assert changes(parts) == [0.8]


def test_and_names_the_network_of_the_lowest_margin_and_what_it_took():
    # Margins 0.5, 0.1 and 0.3: expert 1 decides; without it the margin would be 0.3.
    parts = contributions([0.9, 0.3, 0.8], LogicalAnd(thresholds=(0.4, 0.2, 0.5)))
    assert parts.decisive == 1
    assert parts.combined == pytest.approx(0.1 + 0.4)
    assert changes(parts) == pytest.approx([0.0, -0.2, 0.0])
    assert parts.shared == pytest.approx(0.3 + 0.4)
    assert [one.reference for one in parts.by_network] == [0.4, 0.2, 0.5]


def test_and_can_be_decided_by_the_single_network_and_a_tie_takes_nothing():
    rule = LogicalAnd(thresholds=(0.4, 0.2))
    assert contributions([0.1, 0.9], rule).decisive == 0
    assert changes(contributions([0.1, 0.9], rule)) == pytest.approx([-1.0, 0.0])
    assert changes(contributions([0.75, 0.55], LogicalAnd(thresholds=(0.5, 0.3)))) == pytest.approx([0.0, 0.0])


MIXTURE = IntegrationNetwork(
    mean=(0.5, 0.2),
    deviation=(0.1, 0.2),
    first_weight=((1.0, -0.5), (0.0, 2.0)),
    first_bias=(0.1, 0.0),
    output_weight=(0.6, 0.3),
    output_bias=0.25,
)


def test_a_mixtures_shares_are_what_changes_when_one_says_its_mean():
    def by_hand(a, b):  # standardised scores
        return 0.6 * np.tanh(a - 0.5 * b + 0.1) + 0.3 * np.tanh(2 * b) + 0.25

    parts = contributions([0.7, 0.1], MIXTURE)  # standardised: 2 and -0.5
    assert parts.combined == pytest.approx(by_hand(2, -0.5))
    assert changes(parts) == pytest.approx([by_hand(2, -0.5) - by_hand(0, -0.5), by_hand(2, -0.5) - by_hand(2, 0)])
    assert parts.decisive is None
    at_mean = contributions([0.5, 0.2], MIXTURE)
    assert changes(at_mean) == [0, 0]
    assert at_mean.shared == pytest.approx(by_hand(0, 0))


@pytest.mark.parametrize("rule", [LogicalAnd(thresholds=(0.4, 0.2)), MIXTURE])
def test_shared_and_changes_sum_to_the_score(rule):
    for scores in np.random.default_rng(0).normal(size=(20, 2)):
        parts = contributions(scores.tolist(), rule)
        assert parts.shared + sum(changes(parts)) == pytest.approx(parts.combined)
        assert parts.combined == pytest.approx(float(rule.apply(scores[:, None])[0]))


def test_a_wrong_number_of_scores_is_refused():
    with pytest.raises(ValueError, match="takes 2 scores; found 1"):
        contributions([0.5], MIXTURE)
