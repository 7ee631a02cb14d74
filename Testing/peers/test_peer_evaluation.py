"""Average precision and the ROC area against picai_eval's, on random studies.

It takes a score of 0 for "not found", so scores here are above 0. Its FROC is not compared: it rewrites the point of
the lowest threshold, so that its sensitivity stays below 1 with every lesion hit, which is counted by hand here.
"""

import numpy as np
import pytest
from picai_eval.metrics import Metrics

from mtann.evaluation.ranked import RankedCandidates, auroc

pytestmark = pytest.mark.peers


def study(seed):
    """Case by case: scores of lesions (minus infinity: missed) and of false alarms; ties are frequent."""
    random = np.random.default_rng(seed)
    cases = []
    for _ in range(15):
        lesions = [float(score) for score in random.integers(1, 9, random.integers(0, 4)) / 10]
        missed = random.random(len(lesions)) < 0.3
        alarms = [float(score) for score in random.integers(1, 9, random.poisson(1.5)) / 10]
        cases.append(([-np.inf if lost else s for s, lost in zip(lesions, missed, strict=True)], alarms))
    return cases


def case_score(lesions, alarms):
    """The best candidate's; 0 where nothing was found."""
    return max([0.0, *(score for score in (*lesions, *alarms) if np.isfinite(score))])


def theirs_of(cases):
    results, target, predicted = {}, {}, {}
    for number, (lesions, alarms) in enumerate(cases):
        name = f"case{number}"
        results[name] = [(1, max(score, 0.0), 1.0) for score in lesions] + [(0, score, 0.0) for score in alarms]
        target[name] = int(bool(lesions))
        predicted[name] = case_score(lesions, alarms)
    return Metrics(lesion_results=results, case_target=target, case_pred=predicted)


@pytest.mark.parametrize("seed", range(20))
def test_average_precision_and_roc_area_agree(seed):
    cases = study(seed)
    ours, theirs = RankedCandidates(*zip(*cases, strict=True)), theirs_of(cases)
    every = np.ones((1, len(cases)))
    assert ours.average_precision(every)[0] == pytest.approx(theirs.AP, abs=1e-6)
    scores = [case_score(*case) for case in cases]
    ill = [bool(lesions) for lesions, _ in cases]
    assert auroc(scores, ill)(every)[0] == pytest.approx(theirs.auroc, abs=1e-6)


def test_their_sensitivity_stays_below_one_with_every_lesion_hit_and_ours_reaches_it():
    # Two lesions of 0.9 and 0.2, a false alarm of 0.5: at one false alarm a case, both are found.
    cases = [([0.9, 0.2], [0.5])]
    ours = RankedCandidates(*zip(*cases, strict=True))
    assert theirs_of(cases).lesion_TPR_at_FPR(1.0) == 0.5
    assert ours.sensitivity_at(1.0)(np.ones((1, 1)))[0] == 1.0
