"""Networks in a row: each sees what the one before it answered, in training, in use and in files."""

from functools import lru_cache

import numpy as np
import pytest
import torch
from small_models import BALLS, NETWORK, QUICK, ball_cases, balls

from mtann import detect, train
from mtann.backends.computation import Computation
from mtann.cases import TrainingCase
from mtann.detection.given import given_from
from mtann.enhancement.pairs import EnhancementCase
from mtann.enhancement.train import train_enhancement
from mtann.errors import CasesError, ModelError, SettingsError
from mtann.explaining import ANSWER_NAME, explain
from mtann.filtering import filter_candidates
from mtann.fitting import prepare_cases, with_sizes
from mtann.geometry import Geometry
from mtann.inference.scan import scan
from mtann.models.bundle import ModelBundle, complete_bundle, load_bundle, save_bundle
from mtann.progress import Run
from mtann.retrain import retrain
from mtann.sampling.folds import patient_folds
from mtann.sampling.lesions import Lesion
from mtann.sampling.subvolumes import gather
from mtann.scanning import prepare_for
from mtann.segmentation.segment import segment
from mtann.settings import ENHANCEMENT_NETWORK
from mtann.stages import notes_on, teach_earlier
from mtann.teach import make_plan
from mtann.uncertain import measure_uncertainty
from mtann.volume import Volume

ROW = NETWORK.model_copy(update={"stages": 3})
CPU = Computation("cpu", "torch", "fp32", "a test")


@lru_cache
def row_model() -> ModelBundle:
    return train(ball_cases(), name="row", channels=("t1c",), network=ROW, training=QUICK, device="cpu")


def test_a_row_of_networks_finds_both_balls_and_nothing_else():
    result = detect(balls(7).volume, row_model(), device="cpu")
    assert len(result.reported) == 2
    for ball in BALLS:
        places = [np.subtract(one.centroid_lps_mm, ball.centre_lps_mm) for one in result.reported]
        assert min(map(np.linalg.norm, places)) < 0.5


def test_each_network_sees_the_images_and_the_answer_before_it():
    first, second = row_model().earlier_networks()
    (last,) = row_model().networks()
    assert [network.channels for network in (first, second, last)] == [1, 2, 2]
    prepared = prepare_for(row_model(), (balls(7).volume,), None, 64, CPU, Run())
    image = prepared.images[0]
    where = np.argwhere(np.ones(image.shape, dtype=bool))
    answers: list[np.ndarray] = []
    for network in (first, second, last):
        seen = [image, *answers[-1:]]
        with torch.inference_mode():
            values = network(torch.from_numpy(gather(seen, where, network.settings))[None])[0].numpy()
        answers.append(np.where(prepared.mask, values.reshape(image.shape), 0).astype(np.float32))
    np.testing.assert_allclose(prepared.channels[-1], answers[1], atol=1e-4)
    likelihood = detect(balls(7).volume, row_model(), device="cpu").likelihood
    np.testing.assert_allclose(likelihood.array, answers[2], atol=1e-4)


def test_what_a_network_learns_from_was_answered_by_one_that_had_not_seen_the_case():
    cases = with_sizes(ball_cases(3), None)
    plan = make_plan(cases, ("t1c",), ROW.model_copy(update={"stages": 2}), QUICK, None, None, {}, None, "cpu")
    folds = patient_folds([case.patient for case in cases], 2, 0)
    taught, (earlier,) = teach_earlier(prepare_cases(cases, plan, Run()), folds, plan, Run())
    for number, fold in enumerate(folds):
        for case in fold:
            prepared = taught[case].prepared
            expected = scan(earlier.of_fold(number), prepared.images, prepared.mask)[0]
            np.testing.assert_array_equal(prepared.channels[-1], expected)
            own = scan(earlier.of_fold(None), prepared.images, prepared.mask)[0]
            assert not np.allclose(prepared.channels[-1], own, atol=1e-3)
            # Its samples were drawn from the images and that answer.
            assert all(samples.inputs.shape[1] == 2 for samples in taught[case].samples)


def test_what_is_searched_does_not_change_what_is_answered_there():
    volume = balls(7).volume
    everywhere = detect(volume, row_model(), device="cpu").likelihood.array
    part = np.zeros(volume.array.shape, dtype=np.uint8)
    part[8:16, 16:30, 10:30] = 1
    masked = detect(volume, row_model(), mask=volume.with_array(part), device="cpu").likelihood.array
    inside = part.astype(bool)
    np.testing.assert_allclose(masked[inside], everywhere[inside], atol=1e-4)
    assert not masked[~inside].any()


def test_progress_rises_through_the_whole_row():
    seen = []
    detect(balls(7).volume, row_model(), device="cpu", progress=seen.append)
    fractions = [progress.fraction for progress in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


def test_a_learning_curve_of_a_row_is_refused():
    with pytest.raises(CasesError, match="'stages' is 3"):
        train(ball_cases(), network=ROW, training=QUICK, learning_curve=True, device="cpu")


def test_enhancement_by_a_row_is_refused():
    image = Volume(
        np.random.default_rng(0).normal(size=(1, 32, 32)).astype(np.float32),
        Geometry((1, 32, 32), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)),
    )
    network = ENHANCEMENT_NETWORK.model_copy(update={"stages": 2})
    with pytest.raises(SettingsError, match="'stages' is 2"):
        train_enhancement([EnhancementCase("one", "one", (image,), image)], network=network, device="cpu")


def test_without_folds_the_network_for_use_answers_and_the_model_says_so():
    cases = with_sizes(ball_cases(1), None)
    plan = make_plan(cases, ("t1c",), ROW.model_copy(update={"stages": 2}), QUICK, None, None, {}, None, "cpu")
    (taught,), (earlier,) = teach_earlier(prepare_cases(cases, plan, Run()), [], plan, Run())
    expected = scan(earlier.of_fold(None), taught.prepared.images, taught.prepared.mask)[0]
    np.testing.assert_array_equal(taught.prepared.channels[-1], expected)
    (note,) = notes_on([earlier], [taught], [])
    assert "1 training case(s) are held out by no fold" in note
    assert notes_on([earlier], [taught], [np.array([0])]) == notes_on([], [taught], []) == ()


def test_a_row_is_the_same_after_saving_and_reading(tmp_path):
    save_bundle(row_model(), tmp_path / "row")
    read = load_bundle(tmp_path / "row")
    assert read.sha256 == row_model().sha256
    first, again = (detect(balls(7).volume, model, device="cpu") for model in (row_model(), read))
    np.testing.assert_array_equal(first.likelihood.array, again.likelihood.array)


def test_a_row_that_lacks_a_network_is_refused():
    weights = {name: array for name, array in row_model().weights.items() if not name.startswith("stage_2.")}
    with pytest.raises(ModelError, match=r"'stage_2\..*' should have shape"):
        detect(balls(7).volume, complete_bundle(row_model().card, weights), device="cpu")


def test_retraining_teaches_the_last_network_only():
    volume = balls(11).volume
    more = retrain(
        row_model(), [TrainingCase("new", "new", (volume,), (Lesion(BALLS[0].centre_lps_mm),))], device="cpu"
    )
    for name, array in row_model().weights.items():
        if name.startswith("stage_"):
            np.testing.assert_array_equal(more.weights[name], array)
    changed = "expert_0.repetition_0.first_weight"
    assert not np.array_equal(more.weights[changed], row_model().weights[changed])
    assert len(detect(balls(7).volume, more, device="cpu").reported) == 2


def test_explanations_name_the_answer_before_and_tell_what_it_gave():
    volume = balls(7).volume
    result = detect(volume, row_model(), device="cpu")
    # The score of a small one may come from a narrower Gaussian than its outline.
    largest = max(result.candidates, key=lambda candidate: candidate.volume_mm3)
    told = explain(volume, result, row_model(), ids=[largest.id], device="cpu")
    assert told.channels == ("t1c", ANSWER_NAME)
    (explained,) = told.candidates
    assert explained.occlusion.score == pytest.approx(largest.score, abs=0.05)
    assert len(explained.occlusion.by_input) == 2


def test_images_alone_are_compared_with_the_training_images():
    typical = row_model().card.typical_inputs
    assert typical is not None
    assert [channel.name for channel in typical.channels] == ["t1c"]
    assert detect(balls(7).volume, row_model(), device="cpu").warnings == ()


def test_filtering_segmenting_and_uncertainty_take_the_whole_row():
    volume = balls(7).volume
    found = detect(volume, row_model(), device="cpu")
    places = given_from([Lesion(ball.centre_lps_mm, ball.radius_mm) for ball in BALLS])
    filtered = filter_candidates(volume, row_model(), places, device="cpu")
    np.testing.assert_allclose(filtered.likelihood.array, found.likelihood.array, atol=1e-5)
    threshold = row_model().card.segmentation.threshold
    labels = segment(volume, row_model()).label_map.array
    assert np.mean(labels.astype(bool) == (found.likelihood.array >= threshold)) > 0.999
    spread = measure_uncertainty(volume, found, row_model(), device="cpu")
    assert np.isfinite(spread.variance.array).all()
