"""Networks that also see the curvature of images: in training, in use, in files and in what is refused."""

from functools import lru_cache

import numpy as np
import pytest
from small_models import BALLS, NETWORK, QUICK, ball_cases, balls

from mtann import detect, train
from mtann.backends.computation import Computation
from mtann.cases import TrainingCase
from mtann.detection.given import given_from
from mtann.enhancement.pairs import EnhancementCase
from mtann.enhancement.train import train_enhancement
from mtann.errors import ModelError, SettingsError
from mtann.explaining import ANSWER_NAME, explain
from mtann.filtering import filter_candidates
from mtann.geometry import Geometry
from mtann.inference.scan import scan
from mtann.models.bundle import ModelBundle, complete_bundle, load_bundle, save_bundle
from mtann.preprocess.hessian import SHOWN, hessian_names, largest_eigenvalues
from mtann.progress import Run
from mtann.report.explanation import explanation_document
from mtann.retrain import retrain
from mtann.sampling.lesions import Lesion
from mtann.scanning import prepare_for
from mtann.settings import ENHANCEMENT_NETWORK, ExplanationSettings, NetworkSettings
from mtann.volume import Volume

SCALES = (1.0, 2.0)
CURVED = NETWORK.model_copy(update={"hessian_scales_mm": SCALES, "stages": 2})
CPU = Computation("cpu", "torch", "fp32", "a test")


@lru_cache
def curved_model() -> ModelBundle:
    return train(ball_cases(), name="curved", channels=("t1c",), network=CURVED, training=QUICK, device="cpu")


def test_networks_see_the_image_its_curvature_and_the_answer_before():
    (first,), (last,) = curved_model().earlier_networks(), curved_model().networks()
    assert (first.channels, last.channels) == (5, 6)
    volume = balls(7).volume
    prepared = prepare_for(curved_model(), (volume,), None, 64, CPU, Run())
    (image,) = prepared.images
    spacing = np.array(prepared.grid.spacing_zyx_mm)
    tissue = prepared.all_tissue
    expected = [
        SHOWN * values for scale in SCALES for values in largest_eigenvalues(image, scale / spacing, tissue=tissue)
    ]
    for shown, wanted in zip(prepared.channels[1:5], expected, strict=True):
        np.testing.assert_allclose(shown, wanted, rtol=1e-6)
    answer = scan(first, prepared.channels[:5], prepared.all_tissue, device="cpu").mean(axis=0)
    np.testing.assert_allclose(prepared.channels[5], answer, atol=1e-5)


def test_both_balls_are_found_and_nothing_else_also_from_a_file(tmp_path):
    save_bundle(curved_model(), tmp_path / "curved")
    read = load_bundle(tmp_path / "curved")
    first, again = (detect(balls(7).volume, model, device="cpu") for model in (curved_model(), read))
    np.testing.assert_array_equal(first.likelihood.array, again.likelihood.array)
    assert len(again.reported) == 2
    assert again.warnings == ()
    assert "with their curvature at 1, 2 mm" in read.card.described_inputs


def test_a_description_without_the_scales_does_not_fit_the_weights():
    plain = curved_model().card.network.model_copy(update={"hessian_scales_mm": ()})
    card = curved_model().card.model_copy(update={"network": plain})
    with pytest.raises(ModelError, match="should have shape"):
        detect(balls(7).volume, complete_bundle(card, curved_model().weights), device="cpu")


def test_given_candidates_are_scored_and_explained_with_it():
    volume = balls(7).volume
    given = given_from([Lesion(ball.centre_lps_mm, ball.radius_mm) for ball in BALLS])
    scored = filter_candidates(volume, curved_model(), given, device="cpu")
    result = detect(volume, curved_model(), device="cpu")
    assert_strongest_are_balls(result.candidates, 0.5)
    np.testing.assert_allclose(scored.likelihood.array, result.likelihood.array, atol=1e-5)
    told = explain(volume, result, curved_model(), ExplanationSettings(most_candidates=1), device="cpu")
    assert told.channels == ("t1c", *hessian_names("t1c", SCALES), ANSWER_NAME)
    assert told.inputs == ("t1c", ANSWER_NAME)
    assert len(told.candidates[0].occlusion.by_input) == 2
    json = explanation_document(told)
    assert (json["channels"], json["inputs"]) == (list(told.channels), list(told.inputs))


def test_retraining_keeps_the_scales_and_what_was_learnt():
    volume = balls(11).volume
    marked = tuple(Lesion(ball.centre_lps_mm, ball.radius_mm) for ball in BALLS)
    more = retrain(curved_model(), [TrainingCase("new", "new", (volume,), marked)], device="cpu")
    assert more.card.network == curved_model().card.network
    changed = "expert_0.repetition_0.first_weight"
    assert not np.array_equal(more.weights[changed], curved_model().weights[changed])
    assert_strongest_are_balls(detect(balls(7).volume, more, device="cpu").candidates, 0.5)


def assert_strongest_are_balls(candidates, least_score):
    """The two strongest candidates lie on the balls, and score far more than any other."""
    for ball in BALLS:
        places = [np.subtract(one.peak_lps_mm, ball.centre_lps_mm) for one in candidates[:2]]
        assert min(map(np.linalg.norm, places)) < ball.radius_mm
    assert candidates[1].score > least_score
    assert all(one.score < 0.3 for one in candidates[2:])


def test_enhancement_with_it_is_refused():
    image = Volume(
        np.random.default_rng(0).normal(size=(1, 32, 32)).astype(np.float32),
        Geometry((1, 32, 32), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)),
    )
    network = ENHANCEMENT_NETWORK.model_copy(update={"hessian_scales_mm": (1.0, 2.5)})
    with pytest.raises(SettingsError, match="'hessian_scales_mm' is 1, 2.5, but enhancement"):
        train_enhancement([EnhancementCase("one", "one", (image,), image)], network=network, device="cpu")


@pytest.mark.parametrize(
    "scales", [(0.0,), (-1.0,), (21.0,), (float("nan"),), (2.0, 1.0), (1.0, 1.0), (1.0, 2.0, 3.0, 4.0, 5.0)]
)
def test_scales_that_cannot_be_are_refused(scales):
    with pytest.raises(ValueError, match="hessian_scales_mm"):
        NetworkSettings(hessian_scales_mm=scales)
