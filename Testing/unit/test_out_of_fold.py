"""Which training cases are looked at where none is held out."""

from types import SimpleNamespace

import pytest

from mtann.out_of_fold import _spread


@pytest.mark.parametrize(
    ("with_lesions", "without", "expected"),
    [(3, 2, 5), (24, 0, 12), (12, 12, 12), (1, 100, 12)],
)
def test_some_of_many_cases_are_looked_at_with_lesions_and_without(with_lesions, without, expected):
    # Those without come first, so that their order in the list does not matter.
    cases = [
        SimpleNamespace(case=SimpleNamespace(lesions=["lesion"] * (k >= without)))
        for k in range(with_lesions + without)
    ]
    chosen = _spread(cases, 12)
    assert chosen == sorted(set(chosen))
    assert len(chosen) == expected
    lesions = sum(bool(cases[k].case.lesions) for k in chosen)
    assert lesions == max(1, round(expected * with_lesions / len(cases)))
