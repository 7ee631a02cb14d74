"""Retraining: what was added is learnt, what was known is kept."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from small_models import BALLS, GRID, ball_model

from mtann import detect
from mtann.cases import TrainingCase
from mtann.errors import CancelledError, CasesError
from mtann.models.bundle import load_bundle
from mtann.phantoms.shapes import Sphere, sphere_phantom
from mtann.retrain import _fitting_into_memory, retrain, retraining_settings
from mtann.sampling.lesions import Lesion
from mtann.settings import TrainingSettings

DARK = Sphere((8.0, 20.0, 20.0), 4.0, -1.0)
"""A lesion of a kind that the model of bright balls has never seen."""


def image(seed: int, *more: Sphere):
    return sphere_phantom(GRID, [*BALLS, *more], noise_sigma=0.05, seed=seed).volume


def score_at(result, place) -> float:
    near = [c.score for c in result.candidates if np.linalg.norm(np.subtract(c.centroid_lps_mm, place)) < 3]
    return max(near, default=-np.inf)


@pytest.fixture(scope="module")
def clicked():
    """The model, retrained with clicks on dark balls in three images, in which nobody marked the bright ones."""
    cases = [
        TrainingCase(f"new{seed}", f"new{seed}", (image(seed, DARK),), (Lesion(DARK.centre_lps_mm),))
        for seed in (11, 12, 13)
    ]
    return retrain(ball_model(), cases, device="cpu")


def test_lesions_that_were_clicked_on_are_found_from_then_on(clicked):
    unseen = image(20, DARK)
    assert score_at(detect(unseen, ball_model(), device="cpu"), DARK.centre_lps_mm) < 0.2
    assert score_at(detect(unseen, clicked, device="cpu"), DARK.centre_lps_mm) > 0.5


def test_lesions_that_nobody_marked_again_are_still_found(clicked):
    before, after = (detect(image(21), model, device="cpu") for model in (ball_model(), clicked))
    for ball in BALLS:
        assert score_at(after, ball.centre_lps_mm) > 0.7 * score_at(before, ball.centre_lps_mm)


@pytest.mark.slow
def test_a_rejected_candidate_scores_lower_and_the_other_lesion_does_not():
    rejected, kept = BALLS[0].centre_lps_mm, BALLS[1].centre_lps_mm
    cases = [
        TrainingCase(f"new{seed}", f"new{seed}", (image(seed),), (), None, (Lesion(rejected, 2.5),))
        for seed in (11, 12, 13)
    ]
    before = detect(image(22), ball_model(), device="cpu")
    after = detect(image(22), retrain(ball_model(), cases, device="cpu"), device="cpu")
    assert score_at(after, rejected) < 0.5 * score_at(before, rejected)
    # The two differ by no more than their size, so that the one that was not rejected suffers, too, but less.
    assert score_at(after, kept) > 2 * score_at(after, rejected)


def test_the_card_tells_what_was_added_and_keeps_the_rest(clicked, tmp_path):
    before, after = ball_model().card, clicked.card
    assert (after.version, after.operating_points) == ("1.1.0", before.operating_points)
    assert after.training_cases == before.training_cases + 3
    assert after.training_lesions == before.training_lesions + 3
    assert set(before.training_data) < set(after.training_data)
    assert after.training.steps == 300
    assert "3 lesions and 0 non-lesions in 3 case(s)" in after.notes[-1]
    assert ball_model().sha256 in after.notes[-1]
    cases = [TrainingCase("new", "new", (image(11),), (Lesion(BALLS[0].centre_lps_mm),))]
    quick = retraining_settings(before).model_copy(update={"steps": 5})
    saved = retrain(ball_model(), cases, name="mine", training=quick, output=tmp_path / "mine", device="cpu")
    assert load_bundle(tmp_path / "mine").sha256 == saved.sha256
    assert retrain(ball_model(), cases, name="mine", training=quick, device="cpu").sha256 == saved.sha256


def test_what_cannot_be_learnt_is_refused(tmp_path):
    case = TrainingCase("new", "new", (image(11),), (Lesion(BALLS[0].centre_lps_mm, 3.0),))
    with pytest.raises(CasesError, match="nothing new to learn"):
        retrain(ball_model(), [replace(case, lesions=())], device="cpu")
    with pytest.raises(CasesError, match=r"has 2 channel\(s\), but model 'balls' takes 1 \(t1c\)"):
        retrain(ball_model(), [replace(case, channels=case.channels * 2)], device="cpu")
    with pytest.raises(CancelledError):
        retrain(ball_model(), [case], output=tmp_path / "model", device="cpu", cancelled=lambda: True)
    assert not list(tmp_path.iterdir())


def test_turned_subvolumes_chosen_for_few_lesions_are_fewer_for_many():
    """They were chosen for five lesions; four hundred rejected candidates with as many each would fill the memory."""
    chosen = TrainingSettings(task="classification", turned_per_region=4096)
    many = [SimpleNamespace(lesions=(1,), non_lesions=(1,) * 200)] * 2
    assert _fitting_into_memory(chosen, many).turned_per_region == 100
    few = [SimpleNamespace(lesions=(1,), non_lesions=(1,))]
    assert _fitting_into_memory(chosen, few).turned_per_region == 4096
    assert _fitting_into_memory(TrainingSettings(), many) == TrainingSettings()
