"""The whole way: values, reproducibility, progress, cancelling."""

import numpy as np
import pytest
from small_models import BALLS, NETWORK, QUICK, ball_cases, ball_model, balls

from mtann import detect, train
from mtann.errors import CancelledError, CasesError, GeometryError, ImageError, MTANNError, SettingsError
from mtann.geometry import Geometry
from mtann.phantoms.shapes import sphere_phantom
from mtann.preprocess.choose import Preprocessing
from mtann.preprocess.normalise import window
from mtann.preprocess.steps import Equalisation, TrendRemoval
from mtann.volume import Volume


def test_both_balls_are_reported_and_nothing_else():
    result = detect(balls(7).volume, ball_model(), device="cpu")
    assert len(result.reported) == 2
    for ball in BALLS:
        nearest = min(result.reported, key=lambda c: np.linalg.norm(np.subtract(c.centroid_lps_mm, ball.centre_lps_mm)))
        np.testing.assert_allclose(nearest.centroid_lps_mm, ball.centre_lps_mm, atol=0.5)
        assert (
            result.candidate_map.array[
                tuple(np.round(result.likelihood.geometry.index_from_lps(ball.centre_lps_mm)).astype(int))
            ]
            == nearest.id
        )
    assert result.likelihood.array.dtype == np.float32
    assert result.model.sha256 == ball_model().sha256
    assert "out-of-fold" in result.threshold_origin


def test_the_same_seed_gives_the_same_numbers():
    again = train(ball_cases(), name="balls", channels=("t1c",), network=NETWORK, training=QUICK, device="cpu")
    assert again.sha256 == ball_model().sha256
    first, second = (detect(balls(7).volume, ball_model(), device="cpu") for _ in range(2))
    np.testing.assert_array_equal(first.likelihood.array, second.likelihood.array)
    assert first.candidates == second.candidates
    other = train(ball_cases(), network=NETWORK, training=QUICK.model_copy(update={"seed": 1}), device="cpu")
    assert not np.array_equal(
        other.weights["expert_0.repetition_0.first_weight"], ball_model().weights["expert_0.repetition_0.first_weight"]
    )


def test_progress_rises_to_one_with_stages_and_messages():
    seen = []
    detect(balls(7).volume, ball_model(), device="cpu", progress=seen.append)
    fractions = [progress.fraction for progress in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert {"prepare", "scan", "candidates", "done"} <= {progress.stage for progress in seen}
    assert all(progress.message for progress in seen)


@pytest.mark.parametrize("after", [0, 3, 6, 9])
def test_cancelling_anywhere_ends_the_run(after):
    asked = iter(range(10_000))
    with pytest.raises(CancelledError):
        detect(balls(7).volume, ball_model(), device="cpu", cancelled=lambda: next(asked) >= after)


def test_cancelling_a_training_leaves_nothing(tmp_path):
    asked = iter(range(10_000))
    with pytest.raises(CancelledError):
        train(
            ball_cases(), network=NETWORK, training=QUICK, output=tmp_path / "model", cancelled=lambda: next(asked) > 20
        )
    assert list(tmp_path.iterdir()) == []


def test_channels_by_name_by_order_and_wrong_ones():
    model = ball_model(channels=2)
    first, second = balls(7).volume, balls(8).volume
    by_order = detect([first, second], model, device="cpu")
    by_name = detect({"flair": second, "t1c": first}, model, device="cpu")
    np.testing.assert_array_equal(by_order.likelihood.array, by_name.likelihood.array)
    assert [entry.channel for entry in by_name.inputs] == ["t1c", "flair"]
    with pytest.raises(ImageError, match=r"needs 2 channel\(s\) \(t1c, flair\) but 1"):
        detect(first, model, device="cpu")
    with pytest.raises(ImageError, match="t1c, flair; given were t1c, t2"):
        detect({"t1c": first, "t2": second}, model, device="cpu")


def test_a_channel_on_another_grid_is_used_where_it_lies_in_the_world():
    model = ball_model(channels=2)
    shifted = Geometry((28, 46, 50), (1.0, 1.0, 1.0), (-23.0, 7.0, 3.0))
    same = detect([balls(7).volume, balls(7).volume], model, device="cpu")
    other = detect(
        [balls(7).volume, sphere_phantom(shifted, BALLS, noise_sigma=0.05, seed=9).volume], model, device="cpu"
    )
    assert len(other.reported) == len(same.reported) == 2
    for a, b in zip(
        sorted(c.centroid_lps_mm for c in same.reported), sorted(c.centroid_lps_mm for c in other.reported), strict=True
    ):
        np.testing.assert_allclose(a, b, atol=0.5)
    far = Volume(balls(7).volume.array, Geometry((24, 40, 44), (1.0, 1.0, 1.0), (500.0, 0.0, 0.0)), "far")
    with pytest.raises(GeometryError, match="'far' does not overlap"):
        detect([balls(7).volume, far], model, device="cpu")


def test_a_mask_limits_where_candidates_are_and_is_named_among_the_inputs():
    phantom = balls(7)
    half = np.zeros(phantom.volume.array.shape, dtype=np.uint8)
    half[:, :, :22] = 1
    result = detect(phantom.volume, ball_model(), mask=phantom.volume.with_array(half, "mask.nii.gz"), device="cpu")
    assert len(result.reported) == 1
    np.testing.assert_allclose(result.reported[0].centroid_lps_mm, BALLS[0].centre_lps_mm, atol=0.5)
    assert result.inputs[-1].channel == "mask"
    assert not result.likelihood.array[:, :, 22:].any()


def test_the_threshold_is_the_users_or_a_named_operating_point():
    volume = balls(7).volume
    everything = detect(volume, ball_model(), threshold=-1.0, device="cpu")
    assert len(everything.reported) == len(everything.candidates)
    assert everything.threshold_origin == "given by the user"
    assert detect(volume, ball_model(), threshold=99.0, device="cpu").reported == ()
    sensitive = detect(volume, ball_model(), operating_point="high_sensitivity", device="cpu")
    assert sensitive.threshold == ball_model().card.operating_point("high_sensitivity").threshold
    with pytest.raises(SettingsError, match="finite"):
        detect(volume, ball_model(), threshold=float("nan"), device="cpu")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda a: np.full_like(a, 0), "same value|in every voxel"),
        (lambda a: np.where(a > 1.5, np.nan, a), "not finite"),
        (lambda a: np.where(a > 1.5, np.inf, a), "not finite"),
    ],
)
def test_images_that_cannot_be_scanned_are_refused(spoil, message):
    volume = balls(7).volume
    with pytest.raises(ImageError, match=message):
        detect(volume.with_array(spoil(volume.array)), ball_model(), device="cpu")


def test_training_needs_cases_lesions_and_equal_channels():
    case = ball_cases(1)[0]
    with pytest.raises(CasesError, match="no case"):
        train([])
    with pytest.raises(CasesError, match="no lesion at all"):
        train([type(case)(case.case, case.patient, case.channels, ())])
    with pytest.raises(CasesError, match="2 are expected"):
        train([case], channels=("t1c", "flair"))


def test_one_patient_gives_operating_points_that_say_they_flatter():
    model = train(ball_cases(1), network=NETWORK, training=QUICK, device="cpu")
    assert "flatter" in model.card.operating_point().chosen_on


def test_running_out_of_memory_says_what_to_do(monkeypatch):
    def out_of_memory(*_, **__):
        raise MemoryError

    monkeypatch.setattr("mtann.inference.scan._fill", out_of_memory)
    with pytest.raises(MTANNError, match=r"Memory ran out.*smaller tiles"):
        detect(balls(7).volume, ball_model(), device="cpu")


def test_a_small_search_mask_does_not_change_scores():
    phantom = balls(7)
    everywhere = detect(phantom.volume, ball_model(), device="cpu")
    tight = phantom.volume.with_array((phantom.labels.array == 2).astype(np.uint8), "mask")
    within = detect(phantom.volume, ball_model(), mask=tight, device="cpu")
    assert within.reported
    assert within.reported[0].score == pytest.approx(max(c.score for c in everywhere.reported), abs=0.25)


def test_one_patient_with_lesions_among_normal_ones_still_gives_operating_points():
    diseased, normal = ball_cases(2)
    empty = sphere_phantom(normal.channels[0].geometry, (), noise_sigma=0.05, seed=5).volume
    normals = [type(diseased)(f"n{i}", f"normal{i}", (empty,), ()) for i in range(2)]
    model = train([diseased, *normals], network=NETWORK, training=QUICK, device="cpu")
    assert "flatter" in model.card.operating_point().chosen_on


def test_a_lesion_outside_the_searched_tissue_is_told_in_the_models_notes():
    case = ball_cases(1)[0]
    half = np.zeros(case.channels[0].array.shape, dtype=np.uint8)
    half[:, :, :22] = 1
    masked = type(case)(case.case, case.patient, case.channels, case.lesions, case.channels[0].with_array(half))
    model = train([masked], network=NETWORK, training=QUICK, device="cpu")
    assert model.card.notes[0].startswith("1 of 2 training lesions lie outside")


def test_training_progress_rises_too():
    seen = []
    train(
        ball_cases(3),
        network=NETWORK,
        training=QUICK.model_copy(update={"steps": 30}),
        device="cpu",
        progress=seen.append,
    )
    fractions = [progress.fraction for progress in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": "_m"}, "name"),
        ({"spacing_mm": -1.0}, "spacing_mm"),
        ({"spacing_mm": 0.0}, "spacing_mm"),
        ({"card": {"licence": 3}}, "licence"),
        ({"preprocessing": {"t2": Preprocessing()}}, "channel 't2', which there is not. The channels are: channel 1"),
        (
            {"preprocessing": {"channel 1": Preprocessing(steps=(Equalisation(),), normalisation=window("lung"))}},
            "after histogram equalisation",
        ),
    ],
)
def test_a_wrong_name_or_spacing_is_refused_before_the_work(wrong, message, monkeypatch):
    monkeypatch.setattr("mtann.teach.prepare_cases", lambda *_: pytest.fail("the work began"))
    with pytest.raises(SettingsError, match=message):
        train(ball_cases(1), **{"network": NETWORK, "training": QUICK, **wrong})


def test_a_model_treats_an_image_as_it_was_taught_to():
    chosen = {"t1c": Preprocessing(steps=(TrendRemoval(order=1),))}
    model = train(ball_cases(), channels=("t1c",), network=NETWORK, training=QUICK, preprocessing=chosen, device="cpu")
    assert model.card.inputs.channels[0].steps == chosen["t1c"].steps
    volume = balls(7).volume
    tilted = volume.with_array(volume.array + 3 * np.linspace(-1, 1, 44, dtype=np.float32))
    flat, slope = (detect(one, model, device="cpu") for one in (volume, tilted))
    # A slope of twice the lesions' height does nothing to a model that was taught to take slopes out.
    np.testing.assert_allclose(slope.likelihood.array, flat.likelihood.array, atol=1e-3)
    assert len(slope.reported) == 2
