"""Combined scores from a formula or counted by hand."""

import numpy as np
import pytest
from pydantic import TypeAdapter

from mtann.detection.combination import Combination, IntegrationNetwork, LogicalAnd, SingleNetwork

SCORES = np.array([[0.9, 0.5, 0.3], [0.2, 0.8, 0.9]])


def test_alone_the_single_networks_score_is_unchanged():
    np.testing.assert_array_equal(SingleNetwork().apply(SCORES), SCORES[0])


def test_and_keeps_at_the_first_threshold_what_every_network_keeps_at_its_own():
    rule = LogicalAnd(thresholds=(0.4, 0.6))
    combined = rule.apply(SCORES)
    # Above the thresholds by (0.5, -0.4), (0.1, 0.2) and (-0.1, 0.3): the lower of each, from 0.4.
    np.testing.assert_allclose(combined, [0.0, 0.5, 0.3], atol=1e-12)
    kept_by_all = (np.array(rule.thresholds)[:, None] <= SCORES).all(axis=0)
    np.testing.assert_array_equal(combined >= 0.4, kept_by_all)


def test_an_integration_network_follows_its_formula():
    rule = IntegrationNetwork(
        mean=(0.5, 0.5),
        deviation=(0.5, 0.25),
        first_weight=((1.0, 0.0), (0.5, -1.0)),
        first_bias=(0.0, 0.1),
        output_weight=(2.0, -1.0),
        output_bias=0.3,
    )
    x, y = (0.9 - 0.5) / 0.5, (0.2 - 0.5) / 0.25
    expected = 2 * np.tanh(x) - np.tanh(0.5 * x - y + 0.1) + 0.3
    assert rule.apply(SCORES)[0] == pytest.approx(expected)


@pytest.mark.parametrize(
    "rule",
    [
        SingleNetwork(),
        LogicalAnd(thresholds=(0.1, 0.2, 0.3)),
        IntegrationNetwork(
            mean=(0.0, 1.0),
            deviation=(1.0, 1.0),
            first_weight=((1.0, 2.0),),
            first_bias=(0.5,),
            output_weight=(1.0,),
            output_bias=0.0,
        ),
    ],
)
def test_a_rule_comes_back_from_a_bundles_description(rule):
    again = TypeAdapter(Combination).validate_json(rule.model_dump_json())
    assert again == rule
    assert again.networks == {"single": 1, "and": 3, "mixture": 2}[rule.kind]
