"""The report of a real, small training: what it says must agree with the model."""

from dataclasses import replace

import numpy as np
import pytest
from small_models import NETWORK, QUICK, ball_cases

from mtann import train
from mtann.detection.combination import LogicalAnd
from mtann.errors import CasesError
from mtann.evaluation.froc import Froc
from mtann.evaluation.matching import Match
from mtann.experts.combine import ScoredCase
from mtann.experts.teach import Experts, ExpertType
from mtann.experts.types import FalseAlarm
from mtann.fitting import TaughtCase
from mtann.models.bundle import BUNDLE_FOLDER, TRAINING_REPORT_FILE, load_bundle, make_bundle, save_bundle
from mtann.out_of_fold import Finding, Findings
from mtann.report.training_page import training_page
from mtann.sampling.lesions import Lesion
from mtann.training_report import make_report
from unit.report.results import SPHERES, candidate

FAST = QUICK.model_copy(update={"steps": 60, "mining_rounds": 0})


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder, reports = tmp_path_factory.mktemp("models") / "balls", []
    bundle = train(ball_cases(2), network=NETWORK, training=FAST, device="cpu", output=folder, told=reports.append)
    return bundle, reports, folder


def test_the_report_agrees_with_the_operating_points(trained):
    bundle, (report,), _ = trained
    assert report.card == bundle.card
    assert report.sha256 == bundle.sha256
    assert not report.seen
    assert [(one.case, one.number) for one in report.lesions] == [
        ("case 1", 1),
        ("case 1", 2),
        ("case 2", 1),
        ("case 2", 2),
    ]
    for point in bundle.card.operating_points:
        found = sum(one.score >= point.threshold for one in report.lesions)
        wrong = sum(score >= point.threshold for score in report.false_alarms)
        assert found / 4 == point.sensitivity
        assert wrong / 2 == point.fp_per_case
    assert [one.score for one in report.strongest] == list(report.false_alarms[: len(report.strongest)])
    assert list(report.false_alarms) == sorted(report.false_alarms, reverse=True)
    assert report.curve is None
    assert report.experts == ()


def test_the_page_lies_beside_the_model_and_is_no_part_of_it(trained, tmp_path):
    bundle, (report,), folder = trained
    text = (folder / TRAINING_REPORT_FILE).read_text(encoding="utf-8")
    assert f"{report.froc.mean_sensitivity:.3f}" in text
    assert bundle.sha256 in text
    assert {path.name for path in folder.iterdir()} == set(BUNDLE_FOLDER.patterns)
    assert load_bundle(folder).sha256 == bundle.sha256
    (folder / TRAINING_REPORT_FILE).write_text("changed", encoding="utf-8")
    assert load_bundle(folder).sha256 == bundle.sha256
    (folder / TRAINING_REPORT_FILE).unlink()
    assert load_bundle(folder).sha256 == bundle.sha256
    for page in ("first", None):  # a bundle with a page may be replaced, also by one without
        save_bundle(bundle, tmp_path / "model", page)
    assert not (tmp_path / "model" / TRAINING_REPORT_FILE).exists()


def test_figures_on_seen_cases_are_told_as_such():
    reports = []
    train(ball_cases(1), network=NETWORK, training=FAST, device="cpu", told=reports.append)
    assert reports[0].seen
    assert "flatters" in reports[0].summary or "flatter" in reports[0].summary


@pytest.mark.slow
def test_a_learning_curve_comes_when_asked_for():
    reports = []
    train(ball_cases(2), network=NETWORK, training=FAST, device="cpu", learning_curve=True, told=reports.append)
    curve = reports[0].curve
    assert [point.lesions for point in curve.points] == [2, 2, 3, 4]
    assert curve.points[-1].mean_sensitivity == pytest.approx(reports[0].single.mean_sensitivity)


@pytest.mark.parametrize("spoil", [{"folds": 0}, None], ids=["no folds", "one patient"])
def test_a_learning_curve_that_cannot_be_is_refused_before_training(spoil, monkeypatch):
    monkeypatch.setattr("mtann.teach.fit_networks", lambda *_: pytest.fail("training began"))
    cases = ball_cases(2 if spoil else 1)
    training = FAST.model_copy(update=spoil or {})
    with pytest.raises(CasesError, match="lesions in at least two patients"):
        train(cases, network=NETWORK, training=training, device="cpu", learning_curve=True)


def test_experts_bring_combined_scores_and_an_example(trained):
    bundle, _, _ = trained
    case = ball_cases(1)[0]
    candidates = tuple(candidate(k, SPHERES[k], 0.5) for k in (1, 2, 3))  # scores 0.78, 0.64, 0.55
    match = Match((0.78, -np.inf), (0.64, 0.55), (0, None, None))
    findings = Findings((Finding(0, 1, candidates, match),), "made up")
    combined = np.array([0.9, 0.1, 0.4])
    scored = ScoredCase(1, np.stack([[0.78, 0.64, 0.55], combined]), match)
    curve = Froc(np.array([0.9]), np.array([0.5]), np.array([0.0]), 2, 1)
    example = FalseAlarm(0, candidates[1], np.zeros(1), np.zeros(1))
    experts = Experts(
        bundle.networks(),
        (ExpertType(7, 0.25, example),),
        LogicalAnd(thresholds=(0.5, 0.5)),
        (scored,),
        (combined,),
        curve,
        replace(curve, sensitivity=np.array([1.0])),
    )
    made = make_report(
        make_bundle(bundle.card, bundle.networks()), [TaughtCase(case, None, ())], findings, experts, None
    )
    assert [one.score for one in made.lesions] == [0.9, -np.inf]
    assert made.false_alarms == (0.4, 0.1)
    assert made.strongest[0].candidate == candidates[2]
    assert made.together is experts.together
    assert made.froc.sensitivity_at(1.0) == 1.0
    assert [(one.alarms, one.gain, one.example.candidate) for one in made.experts] == [(7, 0.25, candidates[1])]
    without = make_report(bundle, [TaughtCase(case, None, ())], findings, replace(experts, networks=(), types=()), None)
    assert without.together is None
    assert without.experts == ()


@pytest.mark.slow
def test_classification_is_reported_on_the_given_candidates():
    cases = [with_non_lesions(case) for case in ball_cases(2)]
    reports = []
    training = FAST.model_copy(update={"task": "classification"})
    train(cases, network=NETWORK, training=training, device="cpu", learning_curve=True, told=reports.append)
    (report,) = reports
    assert len(report.false_alarms) == 4  # two given non-lesions a case
    assert all(one.has_candidate for one in report.lesions)
    assert report.curve.thinned_by == "lesions"
    assert "false alarms are the given non-lesions" in training_page(report)


def with_non_lesions(case):
    x, y, z = case.channels[0].geometry.lps_from_index((12, 20, 22)).tolist()
    return replace(case, non_lesions=(Lesion((x, y, z), 2.5), Lesion((x + 8, y - 6, z), 2.5)))
