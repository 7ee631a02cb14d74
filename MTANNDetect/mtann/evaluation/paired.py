"""Two models on the same cases: differences of their figures, and tests that pair what both saw."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from mtann.errors import CasesError
from mtann.evaluation.assess import FEW
from mtann.evaluation.bootstrap import DRAWS, Measured, difference, measure, resamples
from mtann.evaluation.levels import Figure, VoxelLevel, case_figures, ill_and_called, lesion_figures
from mtann.evaluation.ranked import figure_of_merit
from mtann.evaluation.rules import HitRule
from mtann.evaluation.study import MatchedCase, StudyCase, is_scored, match_cases
from mtann.progress import Run


@dataclass(frozen=True)
class Compared:
    """One figure of both models, and the first less the second on the same draws of patients."""

    first: Measured
    second: Measured
    difference: Measured


@dataclass(frozen=True)
class McNemar:
    """What one model got right and the other wrong; exact two-sided p of equal chances (McNemar, Psychometrika 1947).

    Lesions of one patient are alike, so with several a patient the p is too small: trust the interval then.
    """

    first_only: int
    second_only: int

    @property
    def p(self) -> float:
        """Chance of so unequal numbers if both models were equally good."""
        both = self.first_only + self.second_only
        return float(stats.binomtest(self.first_only, both).pvalue) if both else 1.0


@dataclass(frozen=True)
class Comparison:
    """Two models on the same cases.

    Attributes:
        rule: When a candidate hits a lesion.
        figures: Each figure by level and name, such as ``lesion.sensitivity``.
        lesions: Lesions found by one model alone.
        cases: Cases called rightly by one model alone.
        count: How many cases.
        patients: How many patients.
        notes: What to know before trusting the figures.
    """

    rule: HitRule
    figures: dict[str, Compared]
    lesions: McNemar
    cases: McNemar
    count: int
    patients: int
    notes: tuple[str, ...]


def compare(
    first: Sequence[StudyCase],
    second: Sequence[StudyCase],
    rule: HitRule,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    run: Run | None = None,
) -> Comparison:
    """Compare two models.

    Raises:
        CasesError: They were not run on the same cases.
    """
    run = run or Run()
    if [case.case for case in first] != [case.case for case in second]:
        raise CasesError("Both models must be compared on the same cases. Give predictions of both for every case.")
    run.report("match", 0.0, "Matching candidates to lesions")
    a, b = match_cases(first, rule), match_cases(second, rule)
    run.report("measure", 0.3, "Differences")
    weights = resamples([case.patient for case in first], draws, seed)
    ours, theirs = _figures(a), {figure.name: figure for figure in _figures(b)}
    figures = {}
    for figure in ours:
        if (other := theirs.get(figure.name)) is not None:
            figures[figure.name] = Compared(
                measure(figure.statistic, weights, figure.is_share),
                measure(other.statistic, weights, other.is_share),
                difference(figure.statistic, other.statistic, weights),
            )
    return Comparison(
        rule,
        figures,
        _mcnemar(_lesions_right(a), _lesions_right(b)),
        _mcnemar(_cases_right(a), _cases_right(b)),
        len(a),
        weights.patients,
        _notes(a, b, weights.patients),
    )


def _figures(cases: Sequence[MatchedCase]) -> list[Figure]:
    """The figures of one model, their level before their names."""
    figures = [Figure(f"lesion.{one.name}", one.statistic, one.is_share) for one in lesion_figures(cases)]
    if is_scored([one.case for one in cases]):
        lesions = [one.match.lesion_scores for one in cases]
        alarms = [one.match.false_alarm_scores for one in cases]
        well = [not one.case.lesions for one in cases]
        figures.append(Figure("lesion.figure_of_merit", figure_of_merit(lesions, alarms, well)))
        figures.append(Figure("lesion.figure_of_merit_all", figure_of_merit(lesions, alarms, [True] * len(cases))))
    figures += [Figure(f"case.{one.name}", one.statistic, one.is_share) for one in case_figures(cases)]
    voxels = VoxelLevel([one.case for one in cases])
    if voxels.is_there:
        figures += [Figure(f"voxel.{one.name}", one.statistic, one.is_share) for one in voxels.figures()]
    return figures


BoolArray = npt.NDArray[np.bool_]


def _lesions_right(cases: Sequence[MatchedCase]) -> BoolArray:
    return np.array([np.isfinite(score) for one in cases for score in one.reported.lesion_scores], dtype=bool)


def _cases_right(cases: Sequence[MatchedCase]) -> BoolArray:
    ill, called = ill_and_called(cases)
    return np.asarray(ill == called, dtype=bool)


def _mcnemar(first: BoolArray, second: BoolArray) -> McNemar:
    return McNemar(int(np.count_nonzero(first & ~second)), int(np.count_nonzero(~first & second)))


def _notes(first: Sequence[MatchedCase], second: Sequence[MatchedCase], patients: int) -> tuple[str, ...]:
    notes = []
    scored = [is_scored([one.case for one in cases]) for cases in (first, second)]
    if not all(scored):
        notes.append("Not both models give scores, so they are compared at their thresholds alone.")
    if patients < 2:
        notes.append("There is one patient, so no interval can be given.")
    if all(one.case.lesions for one in first):
        notes.append("Every case has lesions: JAFROC's figure of merit needs cases without; AFROC1's takes all cases.")
    if 0 < (healthy := sum(not one.case.lesions for one in first)) < FEW:
        notes.append(
            f"Only {healthy} case(s) have no lesion: JAFROC's figure of merit, specificity and the ROC area rest on "
            "these."
        )
    if len(_lesions_right(first)) > patients:
        notes.append(
            "Patients have several lesions, which are alike: trust intervals more than McNemar's p of lesions."
        )
    return tuple(notes)
