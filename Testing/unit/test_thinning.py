"""Leaving out patients or lesions: whole ones, nested, and spread over the folds."""

import numpy as np
import pytest
import torch
from small_models import NETWORK, QUICK, ball_cases

from mtann.backends.device import choose_device
from mtann.evaluation.froc import froc
from mtann.fitting import TaughtCase, TrainingPlan, fit_networks, prepare_cases
from mtann.out_of_fold import out_of_fold
from mtann.preprocess.prepare import Channel, InputSpecification
from mtann.progress import Run
from mtann.sampling.lesions import Lesion
from mtann.sampling.subvolumes import NEGATIVE, Samples
from mtann.settings import DetectionSettings
from mtann.thinning import FEW_PATIENTS, SHARES, learn_curve, thinned, thinned_by


class Case:
    """As much of a case as thinning looks at."""

    def __init__(self, patient: str, lesions: int) -> None:
        self.patient = patient
        self.lesions = (Lesion((0.0, 0.0, 0.0)),) * lesions


def taught_case(patient: str, lesions: int) -> TaughtCase:
    groups = np.array([*np.repeat(np.arange(lesions), 3), NEGATIVE, NEGATIVE, NEGATIVE - 1])
    inputs = np.arange(len(groups), dtype=np.float32)[:, None, None, None]
    return TaughtCase(Case(patient, lesions), None, (Samples(inputs, groups.astype(np.float32), groups),))


# Eight patients with lesions, two scans each, two lesions a scan; and two patients without any.
TAUGHT = [taught_case(f"p{n // 2}", 2) for n in range(16)] + [taught_case("healthy", 0), taught_case("well", 0)]
FOLDS = [np.array([0, 1, 2, 3, 4, 5, 16]), np.array([6, 7, 8, 9, 10, 11]), np.array([12, 13, 14, 15, 17])]


def patients(thin):
    return {one.case.patient for one in thin.taught}


@pytest.mark.parametrize(("share", "count"), [(0.1, 2), (0.25, 2), (0.5, 4), (0.75, 6), (1.0, 8)])
def test_whole_patients_stay_or_go_and_those_without_lesions_stay(share, count):
    thin = thinned(TAUGHT, FOLDS, share, "patients", seed=0)
    diseased = patients(thin) - {"healthy", "well"}
    assert {"healthy", "well"} < patients(thin)
    assert len(diseased) == count
    assert len(thin.taught) == 2 * count + 2
    assert thin.lesions == 4 * count
    for number, fold in enumerate(thin.folds):
        held_out = {TAUGHT[case].case.patient for case in FOLDS[number]}
        assert {thin.taught[case].case.patient for case in fold} == held_out & patients(thin)
    assert sorted(np.concatenate(thin.folds)) == list(range(len(thin.taught)))


@pytest.mark.parametrize("by", ["patients", "lesions"])
@pytest.mark.parametrize("seed", range(5))
def test_a_larger_share_holds_a_smaller_and_every_fold_has_lesions_to_learn_from(by, seed):
    former = set()
    for share in (0.1, *SHARES):
        thin = thinned(TAUGHT, FOLDS, share, by, seed)
        left = {
            (one.case.patient, number, group)
            for number, one in enumerate(thin.taught)
            if by == "lesions"
            for group in np.unique(one.samples[0].groups)
            if group >= 0
        } or patients(thin)
        assert former <= left
        former = left
        for fold in thin.folds:
            assert any(
                (one.samples[0].groups >= 0).any() for number, one in enumerate(thin.taught) if number not in fold
            )


def test_another_seed_leaves_others_out():
    chosen = {frozenset(patients(thinned(TAUGHT, FOLDS, 0.5, "patients", seed))) for seed in range(5)}
    assert len(chosen) > 1


def test_a_lesion_that_is_left_out_is_taught_as_nothing_and_the_rest_stays():
    thin = thinned(TAUGHT[:4], [np.array([0, 1]), np.array([2, 3])], 0.5, "lesions", seed=0)
    assert thin.lesions == 4
    kept = 0
    for before, after in zip(TAUGHT[:4], thin.taught, strict=True):
        (own,), (left,) = before.samples, after.samples
        assert after.case is before.case
        groups = np.unique(left.groups)
        np.testing.assert_array_equal(left.groups[left.groups < 0], own.groups[own.groups < 0])
        stays = np.isin(own.groups, groups)
        np.testing.assert_array_equal(left.inputs, own.inputs[stays])
        np.testing.assert_array_equal(left.targets, own.targets[stays])
        kept += np.count_nonzero(groups >= 0)
    assert kept == 4


def make_plan(task: str = "detection") -> TrainingPlan:
    return TrainingPlan(
        InputSpecification(channels=(Channel(name="t1c"),), spacing_mm=1.0),
        NETWORK,
        QUICK.model_copy(update={"steps": 40, "mining_rounds": 0, "task": task}),
        DetectionSettings(scales_mm=(1.6, 2.6)),
        choose_device("cpu"),
    )


def test_lesions_are_left_out_where_there_are_few_patients():
    plan = make_plan()
    assert thinned_by(TAUGHT, plan) == "patients"
    assert len({one.case.patient for one in TAUGHT if one.case.lesions}) == FEW_PATIENTS
    assert thinned_by(TAUGHT[2:], plan) == "lesions"
    assert thinned_by(TAUGHT, make_plan(task="classification")) == "lesions"


@pytest.mark.slow
def test_a_curve_ends_at_what_all_lesions_reach():
    cases = ball_cases(2)
    plan = make_plan()
    taught = prepare_cases(cases, plan, Run())
    folds = [np.array([0]), np.array([1])]
    torch.manual_seed(0)
    findings = out_of_fold(fit_networks(taught, folds, plan, Run()), taught, folds, plan, Run())
    seen = []
    found = learn_curve(taught, folds, findings, plan, Run(seen.append))
    assert found.thinned_by == "lesions"
    assert [point.lesions for point in found.points] == [2, 2, 3, 4]
    assert [point.share for point in found.points] == [*SHARES, 1.0]
    # Equal lesions to learn from, equal numbers.
    assert found.points[0].mean_sensitivity == found.points[1].mean_sensitivity
    matches = [one.match for one in findings.cases]
    whole = froc([one.lesion_scores for one in matches], [one.false_alarm_scores for one in matches])
    assert found.points[-1].mean_sensitivity == pytest.approx(whole.mean_sensitivity)
    fractions = [progress.fraction for progress in seen]
    assert fractions == sorted(fractions)
