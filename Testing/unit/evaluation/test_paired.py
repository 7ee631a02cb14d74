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


def test_each_model_alone_by_hand():
    # Five patients, one lesion each. A finds the first four; B the first, and the last. So A alone finds three (2, 3
    # and 4), B alone one (5): of four lesions on which they differ, three or more on one side come by chance with
    # 2 x (4 + 1) / 16 = 0.625. In a sixth patient without lesions only B raises an alarm: there A alone is right, so of
    # cases it is four against one, which comes by chance with 2 x (5 + 1) / 32 = 0.375.
    lesion, hit = points((0, 0, 0)), found((0, 0, 0, 0.9))
    names = "123456"
    a = [case(name, lesion if name != "6" else (), hit if name in "1234" else ()) for name in names]
    b = [case(name, lesion if name != "6" else (), hit if name in "156" else ()) for name in names]
    got = compare(a, b, CentreRule(), draws=200)
    assert got.lesions == McNemar(3, 1)
    assert got.lesions.p == pytest.approx(0.625)
    assert got.cases == McNemar(4, 1)
    assert got.cases.p == pytest.approx(0.375)


def test_other_cases_are_refused():
    with pytest.raises(CasesError, match="the same cases"):
        compare(study(0.9, 0.6), study(0.9, 0.6)[:1], CentreRule())
