import numpy as np
import pytest

from mtann.detection.candidate import Candidate
from mtann.evaluation.matching import HIT_TOLERANCE_MM, match
from mtann.geometry import Geometry
from mtann.sampling.lesions import Lesion, lesions_from_label_map
from mtann.volume import Volume


def candidate_at(x, y, z, score=0.5, number=1):
    return Candidate(number, (x, y, z), (x, y, z), score, None, "lesion", True, 1.0, 1.0, 1.0, 1.0)


@pytest.fixture
def two_lesions():
    labels = np.zeros((10, 10, 20), dtype=np.uint8)
    labels[4:6, 4:6, 2:5] = 1
    labels[4:6, 4:6, 12:15] = 2
    return lesions_from_label_map(Volume(labels, Geometry(labels.shape, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))))


def test_hits_false_alarms_and_misses_by_hand(two_lesions):
    candidates = [candidate_at(3, 4.5, 4.5, 0.9), candidate_at(4, 5, 5, 0.8), candidate_at(8, 4, 4, 0.7)]
    outcome = match(candidates, two_lesions)
    assert outcome.lesion_scores == (0.9, -np.inf)  # The second candidate on the lesion does not count again.
    assert outcome.false_alarm_scores == (0.7,)
    assert outcome.hits == (0, 0, None)


@pytest.mark.parametrize(("gap", "hit"), [(-0.01, True), (0.0, True), (0.01, False)])
def test_the_tolerance_is_counted_from_the_outlines_edge(two_lesions, gap, hit):
    edge = 4.5  # The first lesion's last voxel is centred at x = 4 mm.
    outcome = match([candidate_at(edge + HIT_TOLERANCE_MM + gap, 4, 4)], two_lesions)
    assert (outcome.hits[0] == 0) is hit


def test_a_point_lesion_is_a_ball():
    lesions = (Lesion((0.0, 0.0, 0.0), 3.0), Lesion((50.0, 0.0, 0.0)))
    assert match([candidate_at(3.9, 0, 0)], lesions).hits == (0,)
    assert match([candidate_at(4.1, 0, 0)], lesions).hits == (None,)
    assert match([candidate_at(54.9, 0, 0)], lesions).hits == (1,)


def test_without_lesions_everything_is_a_false_alarm():
    assert match([candidate_at(0, 0, 0, 0.3)], ()).false_alarm_scores == (0.3,)
    assert match([], ()).lesion_scores == ()
