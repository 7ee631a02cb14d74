"""Figures of whole studies, counted by hand; what does not change them; peers that define them alike."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, brier_score_loss, cohen_kappa_score, roc_auc_score

from mtann.errors import CasesError
from mtann.evaluation.agreement import kappa, reader_figures
from mtann.evaluation.assess import assess
from mtann.evaluation.froc import froc
from mtann.evaluation.levels import VoxelLevel, lesion_figures, ranked_of, size_figures
from mtann.evaluation.ranked import RankedCandidates, auroc, figure_of_merit
from mtann.evaluation.reliability import Reliability
from mtann.evaluation.rules import CentreRule
from mtann.evaluation.study import match_cases
from mtann.geometry import Geometry
from unit.studies import GRID, boxed, case, found, lesions_of, mask_of, points

ONE = np.ones((1, 1))


def value(statistic, cases):
    return float(statistic(np.ones((1, cases)))[0])


def values(figures):
    return {name: measured.value for name, measured in figures.items()}


# Three cases. a: lesions at 0 and 20, found with 0.9 and, below the threshold, 0.4; a false alarm of 0.6 at 40.
# b: a lesion at 0, missed; false alarms of 0.7 and 0.3. c: no lesion, nothing found.
STUDY = (
    case("a", points((0, 0, 0), (20, 0, 0)), found((0, 0, 0, 0.9), (20, 0, 0, 0.4), (40, 0, 0, 0.6))),
    case("b", points((0, 0, 0)), found((30, 0, 0, 0.7), (40, 0, 0, 0.3))),
    case("c"),
)


def test_lesions_by_hand():
    got = values(assess(STUDY, CentreRule()).lesion)
    # Reported are 0.9 (a hit), 0.6 and 0.7 (false): one of three lesions, two false alarms in three cases.
    assert got["sensitivity"] == pytest.approx(1 / 3)
    assert got["fp_per_case"] == pytest.approx(2 / 3)
    assert got["precision"] == pytest.approx(1 / 3)
    assert got["f1"] == pytest.approx(2 * 1 / (3 + 3))
    # Over all thresholds: 0.9 finds one without a false alarm; 0.4 the second, with two (0.7, 0.6): 2/3 a case.
    assert [got[f"sensitivity_at_{rate}_fp"] for rate in ("0.125", "0.5", "1", "8")] == pytest.approx(
        [1 / 3, 1 / 3, 2 / 3, 2 / 3]
    )
    assert got["mean_sensitivity"] == pytest.approx((3 / 3 + 4 * 2 / 3) / 7)
    # Precision 1 at the first lesion, 2/4 at the second; the third is never found.
    assert got["average_precision"] == pytest.approx((1 + 0.5) / 3)


def test_cases_by_hand():
    got = assess(STUDY, CentreRule())
    # a and b have lesions and something reported; c neither.
    assert got.confusion == (2, 0, 0, 1)
    assert values(got.case) == {"sensitivity": 1, "specificity": 1, "ppv": 1, "npv": 1, "f1": 1, "auroc": 1}
    # A fourth case without lesions scores 0.8: above b's 0.7, below a's 0.9.
    more = assess((*STUDY, case("d", (), found((0, 0, 0, 0.8)))), CentreRule())
    assert more.confusion == (2, 1, 0, 1)
    assert values(more.case)["specificity"] == 0.5
    assert values(more.case)["ppv"] == pytest.approx(2 / 3)
    assert values(more.case)["f1"] == pytest.approx(4 / 5)
    assert values(more.case)["auroc"] == 0.75


def test_sizes_by_hand():
    lesions = [points((20.0 * n, 0, 0), radius=d / 2)[0] for n, d in enumerate([2.9, 3.0, 5.9, 6.0, 10.0, 10.1])]
    one = match_cases([case("a", lesions, found((20, 0, 0, 0.9), (80, 0, 0, 0.9)))], CentreRule())
    got = {name: (count, value(figure.statistic, 1)) for name, (count, figure) in size_figures(one).items()}
    assert got["below 3 mm"] == (1, 0.0)
    assert got["3 to below 6 mm"] == (2, 0.5)
    assert got["6 to 10 mm"] == (2, 0.5)
    assert got["above 10 mm"] == (1, 0.0)


def test_voxels_and_volumes_by_hand():
    # Volumes found less true: 8 - 16 = -8 and 16 - 8 = 8: bias 0, sample deviation sqrt(128) = 11.31.
    small, large = [((2, 4), (2, 4), (2, 4))], [((2, 4), (2, 4), (2, 6))]
    got = values(assess([boxed("a", small, large), boxed("b", large, small)], CentreRule()).voxel)
    assert got["dice"] == pytest.approx(16 / 24)
    assert got["iou"] == pytest.approx(0.5)
    assert got["volume_bias_mm3"] == 0
    assert got["volume_limit_high_mm3"] == pytest.approx(1.96 * 128**0.5)
    assert got["volume_limit_low_mm3"] == pytest.approx(-1.96 * 128**0.5)


def test_kappa_by_hand_and_as_scikit_learn_has_it():
    # Both say yes of 20, no of 15, the first alone yes of 5, the second alone of 10: Wikipedia-like arithmetic:
    # agreement 0.7, by chance 0.5 * 0.6 + 0.5 * 0.4 = 0.5; kappa 0.4.
    assert value(kappa([20], [5], [10], [15]), 1) == pytest.approx(0.4)
    assert np.isnan(value(kappa([9], [0], [0], [0]), 1))
    random = np.random.default_rng(0)
    a, b = random.random((2, 50)) < 0.4
    theirs = cohen_kappa_score(a, b)
    assert value(kappa(a & b, a & ~b, ~a & b, ~a & ~b), 50) == pytest.approx(theirs, abs=1e-6)


def test_two_readers_by_hand():
    # In case a both mark the first lesion, the second reader another one, too; in case b the first reader alone marks.
    box, other = ((2, 4), (2, 4), (2, 4)), ((2, 4), (10, 12), (10, 12))
    cases = [boxed("a", [], [box]), boxed("b", [], [box])]
    second = [lesions_of([box, other]), ()]
    maps = [lambda: mask_of([box, other]), lambda: mask_of([])]
    got = {one.name: value(one.statistic, 2) for one in reader_figures(cases, second, maps, CentreRule())}
    # Cases: agreement 1/2; by chance 1 * 1/2 + 0 * 1/2 = 1/2. Lesions: one pair, 2 * 1 / (2 + 2).
    assert got["kappa_cases"] == 0
    assert got["agreement_lesions"] == 0.5
    # Voxels: Dice 2 * 8 / 24 in a, 0 in b.
    assert got["dice"] == pytest.approx(1 / 3)


def test_reliability_by_hand():
    # Two candidates at 0.15 of which one hits; one at 0.95 that hits: gaps |0.15 - 0.5| twice and 0.05 once.
    reliability = Reliability([0, 0, 0], [0.15, 0.15, 0.95], [True, False, True])
    assert value(reliability.expected_error, 1) == pytest.approx((2 * 0.35 + 0.05) / 3)
    assert value(reliability.brier, 1) == pytest.approx((0.85**2 + 0.15**2 + 0.05**2) / 3)
    assert [(one.count, one.share) for one in reliability.bins] == [(2, 0.5), (1, 1.0)]
    random = np.random.default_rng(2)
    chances = random.random(200)
    hits = random.random(200) < chances
    every = Reliability(np.zeros(200, int), chances, hits)
    assert value(every.brier, 1) == pytest.approx(brier_score_loss(hits, chances), abs=1e-6)


def test_the_figure_of_merit_by_hand():
    # Lesions 0.9 and 0.5 and one missed, in one case, with a false alarm of 0.7; a case without lesions scores 0.5.
    lesions, alarms = [[0.9, 0.5, -np.inf], []], [[0.7], [0.5]]
    # Against the case without lesions: 0.9 wins, 0.5 is equal, the missed one loses.
    assert value(figure_of_merit(lesions, alarms, [0, 1]), 2) == pytest.approx(1.5 / 3)
    # Against all cases: against 0.7 only 0.9 wins.
    assert value(figure_of_merit(lesions, alarms, [1, 1]), 2) == pytest.approx((1 + 1.5) / 6)
    # A missed lesion and a case without any false alarm are equal.
    assert value(figure_of_merit([[-np.inf], []], [[], []], [0, 1]), 2) == 0.5


def test_random_scores_agree_with_scikit_learn():
    random = np.random.default_rng(4)
    for _ in range(20):
        scores, ill = random.integers(0, 6, 30) / 5, random.random(30) < 0.5
        assert value(auroc(scores, ill), 30) == pytest.approx(roc_auc_score(ill, scores), abs=1e-6)
        # Every lesion found, so that lesions and false alarms are one list of candidates.
        lesions, alarms = [[s] for s in scores[ill]], [[s] for s in scores[~ill]]
        ranked = RankedCandidates([*lesions, *([] for _ in alarms)], [*([] for _ in lesions), *alarms])
        theirs = average_precision_score(ill, scores)
        assert value(ranked.average_precision, 30) == pytest.approx(theirs, abs=1e-6)


scores = st.lists(st.integers(0, 6).map(float), max_size=5)
studies = st.lists(
    st.tuples(st.lists(st.integers(-1, 6).map(lambda s: -np.inf if s < 0 else float(s)), max_size=4), scores),
    min_size=1,
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(studies, st.lists(st.integers(0, 3), min_size=6, max_size=6))
def test_weighted_curves_are_those_of_cases_repeated(cases, weights):
    lesions, alarms = zip(*cases, strict=True)
    ranked = RankedCandidates(lesions, alarms)
    own = np.array([weights[: len(cases)]], dtype=float)
    repeated = [one for one, times in zip(cases, weights, strict=False) for _ in range(times)]
    if not any(of for of, _ in repeated):
        return
    curve = froc(*zip(*repeated, strict=True))
    assert ranked.mean_sensitivity(own)[0] == pytest.approx(curve.mean_sensitivity)
    assert ranked.sensitivity_at(1.0)(own)[0] == pytest.approx(curve.sensitivity_at(1.0))
    # The curve's last point: everything that was found, at all false alarms.
    assert curve.sensitivity[-1:] == pytest.approx(
        [np.mean(np.isfinite(np.concatenate([of for of, _ in repeated])))] * len(curve.sensitivity[-1:])
    )


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(3)), st.randoms(use_true_random=False))
def test_neither_the_order_of_cases_nor_that_of_lesions_and_candidates_changes_a_figure(order, random):
    def turned(one):
        lesions, candidates = list(one.lesions), list(one.found)
        random.shuffle(lesions)
        random.shuffle(candidates)
        return replace(one, lesions=tuple(lesions), found=tuple(candidates))

    ours = assess(STUDY, CentreRule(), draws=120)
    theirs = assess([turned(STUDY[number]) for number in order], CentreRule(), draws=120)
    for level in ("lesion", "case"):
        for name, measured in getattr(ours, level).items():
            other = getattr(theirs, level)[name]
            assert (measured.value, measured.low, measured.high) == pytest.approx(
                (other.value, other.low, other.high), nan_ok=True
            )


def test_a_study_without_lesions_has_no_sensitivity():
    got = assess([case("a", (), found((0, 0, 0, 0.9))), case("b")], CentreRule())
    assert (got.lesion["sensitivity"].value, got.lesion["fp_per_case"].value) == (None, 0.5)
    assert (got.case["sensitivity"].value, got.case["specificity"].value) == (None, 0.5)
    assert got.froc is None
    assert any("No case has a lesion" in note for note in got.notes)


def test_a_study_in_which_nothing_was_found():
    got = assess([case("a", points((0, 0, 0))), case("b", points((0, 0, 0)))], CentreRule())
    assert (got.lesion["sensitivity"].value, got.lesion["precision"].value) == (0.0, None)
    # Nothing found in two patients still allows up to 1 - 0.025 ** (1/2) = 84 %.
    assert got.lesion["sensitivity"].high == pytest.approx(1 - 0.025**0.5)
    assert any("Nothing was found" in note for note in got.notes)


def test_one_case_has_figures_and_no_intervals():
    got = assess(STUDY[:1], CentreRule())
    assert (got.lesion["sensitivity"].value, got.lesion["sensitivity"].low) == (0.5, None)
    assert any("one patient" in note for note in got.notes)


def test_maps_of_other_grids_are_refused():
    box = [((2, 4), (2, 4), (2, 4))]
    other = Geometry((12, 20, 20), (1.0, 1.0, 1.0), (0.0, 0.0, 0.4))
    wrong = replace(boxed("a", box, box), lesion_map=lambda: mask_of(box, other))
    with pytest.raises(CasesError, match="Case 'a': the segmentation and the reference lie on different voxel grids"):
        assess([wrong], CentreRule())
    assert assess([wrong], CentreRule(), levels=["lesion", "case"]).lesion["sensitivity"].value == 1


def test_subgroups_and_their_difference_by_hand():
    cases = [replace(one, subgroups={"scanner": "A" if n < 1 else "B"}) for n, one in enumerate(STUDY)]
    got = assess(cases, CentreRule())
    a, b = got.groups["scanner"]
    # Scanner A holds case a: one of two lesions found. B holds b and c: none of one.
    assert (a.value, a.cases, b.cases) == ("A", 1, 2)
    assert (a.figures["lesion.sensitivity"].value, b.figures["lesion.sensitivity"].value) == (0.5, 0.0)
    assert (a.differences["lesion.sensitivity"].value, b.differences["lesion.sensitivity"].value) == (0.5, -0.5)


def test_curves_are_monotone_and_reach_all_that_was_found():
    curve = assess(STUDY, CentreRule()).froc
    assert (np.diff(curve.sensitivity) >= 0).all()
    assert curve.sensitivity[-1] == pytest.approx(2 / 3)
    assert curve.fp_per_case[-1] == pytest.approx(1.0)
    assert value(ranked_of(match_cases(STUDY, CentreRule())).sensitivity_at(1e9), 3) == pytest.approx(2 / 3)
    assert len(lesion_figures(match_cases(STUDY, CentreRule()))) == 13
    assert VoxelLevel(STUDY).is_there is False
    assert GRID.voxel_volume_mm3 == 1
