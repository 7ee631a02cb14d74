"""Types of false alarms where the types are known."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from mtann.detection.candidate import Candidate
from mtann.experts.types import FalseAlarm, silhouette, sort_into_types


def alarm(kind: int, random: np.random.Generator) -> FalseAlarm:
    """Kinds differ in activity, size and brightness by far more than the members of one do."""
    volume = (30.0, 300.0, 3000.0)[kind] * random.uniform(0.9, 1.1)
    length = 1.5 * volume ** (1 / 3)
    candidate = Candidate(1, (0, 0, 0), (0, 0, 0), 0.5, None, "lesion", False, volume, length, length / 2, length)
    activity = np.eye(3)[kind] + random.normal(scale=0.05, size=3)
    return FalseAlarm(kind, candidate, activity, np.array([2.0 * kind + random.normal(scale=0.1)]))


def test_three_kinds_are_told_apart_and_the_most_frequent_comes_first():
    random = np.random.default_rng(0)
    alarms = [alarm(kind, random) for kind, count in ((0, 8), (1, 20), (2, 12)) for _ in range(count)]
    groups = sort_into_types(alarms, 8, seed=0)
    assert [(len(group), {one.case for one in group}) for group in groups] == [(20, {1}), (12, {2}), (8, {0})]


def test_no_more_types_than_asked_for_and_none_of_hardly_any_member():
    random = np.random.default_rng(1)
    alarms = [alarm(kind, random) for kind, count in ((0, 10), (1, 10), (2, 10)) for _ in range(count)]
    assert len(sort_into_types(alarms, 2, seed=0)) <= 2
    assert [len(group) for group in sort_into_types(alarms, 1, seed=0)] == [30]
    lonely = [*alarms[:20], alarms[-1]]
    assert [len(group) for group in sort_into_types(lonely, 8, seed=0)] == [10, 10]
    assert sort_into_types(alarms[:3], 8, seed=0) == []


def test_the_silhouette_is_that_of_the_definition():
    random = np.random.default_rng(2)
    points, labels = random.normal(size=(12, 2)), np.repeat([0, 1, 2], [5, 6, 1])
    distances = cdist(points, points)
    values = []
    for i, label in enumerate(labels):
        own = [distances[i, j] for j in range(12) if labels[j] == label and j != i]
        if not own:
            values.append(0.0)
            continue
        other = min(np.mean(distances[i, labels == kind]) for kind in set(labels) - {label})
        values.append((other - np.mean(own)) / max(other, np.mean(own)))
    assert silhouette(points, labels) == pytest.approx(np.mean(values))
    assert silhouette(points, np.zeros(12, dtype=np.int64)) == 0.0
