"""Two models on the same cases, counted by hand."""

import pytest

from mtann.errors import CasesError
from mtann.evaluation.paired import McNemar, compare
from mtann.evaluation.rules import CentreRule
from unit.studies import case, found, points

LESIONS = points((0, 0, 0), (20, 0, 0))


def study(*scores):
    """Two patients: one with two lesions of these scores, one without any and with a false alarm of 0.5."""
    hits = found((0, 0, 0, scores[0]), (20, 0, 0, scores[1]))
    return [case("a", LESIONS, hits), case("b", (), found((0, 0, 0, 0.5)))]


def test_differences_by_hand():
    got = compare(study(0.9, 0.6), study(0.9, 0.4), CentreRule(), draws=200)
    one = got.figures["lesion.sensitivity"]
    assert (one.first.value, one.second.value, one.difference.value) == (1.0, 0.5, 0.5)
    # Both of A's lesions score above the healthy patient's 0.5, one of B's.
    merit = got.figures["lesion.figure_of_merit"]
    assert (merit.first.value, merit.second.value, merit.difference.value) == (1.0, 0.5, 0.5)
    assert got.lesions == McNemar(1, 0)
    assert got.cases == McNemar(0, 0)


@pytest.mark.parametrize(
    ("first", "second", "p"), [(0, 0, 1.0), (5, 0, 2 / 32), (1, 7, 2 * (1 + 8) / 256), (4, 4, 1.0)]
)
def test_mcnemars_exact_p_by_hand(first, second, p):
    assert McNemar(first, second).p == pytest.approx(p)


def test_other_cases_are_refused():
    with pytest.raises(CasesError, match="the same cases"):
        compare(study(0.9, 0.6), study(0.9, 0.6)[:1], CentreRule())
