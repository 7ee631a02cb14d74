from dataclasses import replace

import pytest

from mtann.report.words import count_words, diameter_words, position_words, probability_words, volume_words
from unit.report.results import SPHERES, candidate

FIRST = candidate(1, SPHERES[0], 0.5)


@pytest.mark.parametrize(
    ("point", "words"),
    [
        ((-34.2, -12.0, 45.1), "R 34.2  A 12.0  S 45.1 mm"),
        ((34.26, 12.0, -45.1), "L 34.3  P 12.0  I 45.1 mm"),
        ((-0.04, 0.0, -0.0), "L 0.0  P 0.0  S 0.0 mm"),
    ],
)
def test_positions_name_the_side(point: tuple[float, float, float], words: str) -> None:
    assert position_words(point) == words


def test_sizes() -> None:
    assert diameter_words(FIRST) == "14.0 × 12.6 mm"
    assert volume_words(FIRST) == "1437 mm³"
    assert volume_words(replace(FIRST, volume_mm3=268.1)) == "268 mm³"


def test_counts() -> None:
    assert [count_words(n, "candidate") for n in (0, 1, 2)] == ["0 candidates", "1 candidate", "2 candidates"]


def test_a_probability_is_never_certain() -> None:
    shares = (0.0, 0.004, 0.006, 0.624, 0.99, 0.996, 1.0)
    assert [probability_words(one) for one in shares] == ["< 1 %", "< 1 %", "1 %", "62 %", "99 %", "> 99 %", "> 99 %"]
