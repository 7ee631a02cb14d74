"""Subgroups of a study, such as scanners, and what tells them apart."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtann.evaluation.bootstrap import Measured, Resamples, measure, percentile_interval
from mtann.evaluation.levels import Figure
from mtann.evaluation.study import StudyCase

MOST_VALUES = 8
"""A column with more values, as of ages, is put into thirds if it holds numbers, else left out."""


@dataclass(frozen=True)
class Subgroup:
    """Cases of one value of a column.

    Attributes:
        value: The value, or the band of values.
        cases: How many cases.
        figures: Each figure within the group.
        differences: Each figure less that of all other cases.
    """

    value: str
    cases: int
    figures: dict[str, Measured]
    differences: dict[str, Measured]


def subgroups(
    cases: Sequence[StudyCase], figures: Sequence[Figure], draws: Resamples
) -> tuple[dict[str, tuple[Subgroup, ...]], tuple[str, ...]]:
    """The groups of each column, and notes on columns that were left out."""
    groups: dict[str, tuple[Subgroup, ...]] = {}
    notes = []
    for column in dict.fromkeys(name for case in cases for name in case.subgroups):
        values = banded([case.subgroups.get(column, "") for case in cases])
        known = _in_order(set(values) - {""})
        if len(known) < 2 or len(known) > MOST_VALUES:
            notes.append(
                f"Column '{column}' has {len(known)} values and was left out; two to {MOST_VALUES} can be told."
            )
            continue
        if unknown := values.count(""):
            notes.append(
                f"Column '{column}' is empty in {unknown} case(s), which count among the others of each group."
            )
        groups[column] = tuple(
            _group(value, np.array([own == value for own in values]), figures, draws) for value in known
        )
    return groups, tuple(notes)


def _in_order(values: Collection[str]) -> list[str]:
    """Numbers by size, anything else by the alphabet."""
    try:
        return sorted(values, key=lambda value: (float(value), value))
    except ValueError:
        return sorted(values)


def banded(values: Sequence[str]) -> list[str]:
    """The values as they are or, where there are many numbers, the third that each lies in."""
    known = [value for value in values if value]
    if len(set(known)) <= MOST_VALUES:
        return list(values)
    try:
        numbers = np.array([float(value) for value in known])
    except ValueError:
        return list(values)
    low, high = np.quantile(numbers, [1 / 3, 2 / 3])
    names = (f"1: up to {low:.3g}", f"2: {low:.3g} to {high:.3g}", f"3: above {high:.3g}")
    return ["" if not v else names[int(float(v) > low) + int(float(v) > high)] for v in values]


def _group(value: str, inside: npt.NDArray[np.bool_], figures: Sequence[Figure], draws: Resamples) -> Subgroup:
    own, others = draws.restricted(inside), draws.restricted(~inside)
    within, differences = {}, {}
    for figure in figures:
        within[figure.name] = measure(figure.statistic, own, figure.is_share)
        differences[figure.name] = _difference(figure, own, others)
    return Subgroup(value, int(inside.sum()), within, differences)


def _difference(figure: Figure, own: Resamples, others: Resamples) -> Measured:
    value = float(figure.statistic(own.plain)[0] - figure.statistic(others.plain)[0])
    if not np.isfinite(value):
        return Measured(None)
    drawn = figure.statistic(own.drawn) - figure.statistic(others.drawn)
    low, high = percentile_interval(drawn, min(own.patients, others.patients))
    # Where no draw differs, as of two shares of 1, nothing is known of how others may differ.
    return Measured(value) if low == high else Measured(value, low, high)
