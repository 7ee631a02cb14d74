"""Candidate classification: taught on given balls and tubes, it scores the balls of an unseen image above the tubes."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from given_models import BALLS, NETWORK, QUICK, TUBES, filter_model, given_case
from small_models import ball_model

from mtann import detect, filter_candidates, train
from mtann.cases import TrainingCase
from mtann.detection.given import GivenCandidate, given_from
from mtann.detection.peaks import score_at
from mtann.errors import CancelledError, CasesError
from mtann.given_files import read_given
from mtann.report.save import save_result
from mtann.sampling.lesions import lesions_from_points
from mtann.volume_io import write_volume

UNSEEN = given_case(11)
IMAGE = UNSEEN.channels[0]
GIVEN = given_from((*UNSEEN.lesions, *UNSEEN.non_lesions), scores=[0.1 * n for n in range(BALLS + TUBES)])


@pytest.fixture(scope="module")
def result():
    return filter_candidates(IMAGE, filter_model(), GIVEN, source="seg.nii.gz", device="cpu")


def test_balls_are_told_from_tubes_on_an_unseen_image(result):
    assert {candidate.given_id for candidate in result.reported} == set(range(1, BALLS + 1))
    assert result.candidates[BALLS - 1].score > 3 * result.candidates[BALLS].score


def test_every_given_candidate_comes_back_once(result):
    assert sorted(candidate.given_id for candidate in result.candidates) == list(range(1, BALLS + TUBES + 1))
    assert [candidate.id for candidate in result.candidates] == list(range(1, BALLS + TUBES + 1))
    scores = [candidate.score for candidate in result.candidates]
    assert scores == sorted(scores, reverse=True)
    for candidate in result.candidates:
        given = GIVEN[candidate.given_id - 1]
        assert candidate.centroid_lps_mm == given.centre_lps_mm
        assert candidate.given_score == given.score
        assert candidate.expert_scores == ()


def test_the_score_is_the_gaussian_weighted_sum_of_the_likelihood(result):
    geometry = result.likelihood.geometry
    for candidate in result.candidates:
        voxel = np.round(geometry.index_from_lps(candidate.centroid_lps_mm)).astype(int)
        assert candidate.scoring_sigma_mm == pytest.approx(max(0.7 * GIVEN[candidate.given_id - 1].radius_mm, 1.5))
        expected = score_at(result.likelihood.array, voxel, np.full(3, candidate.scoring_sigma_mm))
        assert candidate.score == pytest.approx(expected, abs=0.02)


def test_the_map_holds_the_given_outlines_and_spheres(result):
    labels = result.candidate_map
    assert labels.geometry == IMAGE.geometry
    for candidate in result.candidates:
        given, mine = GIVEN[candidate.given_id - 1], labels.array == candidate.id
        index = np.argwhere(mine)
        if given.outline is None:
            assert np.linalg.norm(labels.geometry.lps_from_index(index) - given.centre_lps_mm, axis=1).max() <= (
                given.radius_mm
            )
            assert len(index) == pytest.approx(4 / 3 * np.pi * given.radius_mm**3, rel=0.25)
        else:
            voxels = given.outline.geometry.lps_from_index(np.argwhere(given.outline.array))
            np.testing.assert_allclose(labels.geometry.lps_from_index(index), voxels, atol=1e-6)


def test_the_result_tells_what_it_came_from(result):
    assert (result.inputs[-1].channel, result.inputs[-1].path) == ("candidates", "seg.nii.gz")
    assert len(result.inputs[-1].sha256) == 64
    assert "chosen on out-of-fold given candidates of the training data (2 folds by patient)" in result.threshold_origin
    assert result.warnings == ()


def test_four_kinds_of_file_give_the_same_scores(tmp_path, result):
    balls = np.zeros(IMAGE.array.shape, dtype=np.uint8)
    for number, lesion in enumerate(UNSEEN.lesions, start=1):
        places = lesion.outline.geometry.lps_from_index(np.argwhere(lesion.outline.array))
        balls[tuple(np.round(IMAGE.geometry.index_from_lps(places)).astype(int).T)] = number
    write_volume(IMAGE.with_array(balls), tmp_path / "seg.nii.gz")
    given = read_given(tmp_path / "seg.nii.gz")
    for name, system, sign in (("lps.csv", "lps", 1), ("ras.csv", "ras", -1)):
        rows = [[sign * x, sign * y, z, one.radius_mm] for one in given for x, y, z in [one.centre_lps_mm]]
        header = ",".join(f"{axis}_{system}_mm" for axis in "xyz") + ",radius_mm"
        (tmp_path / name).write_text("\n".join([header, *(",".join(map(repr, map(float, row))) for row in rows)]))
    from_map = filter_candidates(IMAGE, filter_model(), given, device="cpu")
    save_result(from_map, IMAGE, tmp_path / "out")
    places = {one.given_id: one.centroid_lps_mm for one in from_map.candidates}
    scores = {places[one.given_id]: one.score for one in from_map.candidates}
    for file in ("lps.csv", "ras.csv", "out/candidates.json"):
        again = filter_candidates(IMAGE, filter_model(), read_given(tmp_path / file), device="cpu")
        assert len(again.candidates) == BALLS
        for candidate in again.candidates:
            nearest = min(scores, key=lambda place: np.linalg.norm(np.subtract(place, candidate.centroid_lps_mm)))
            assert candidate.score == pytest.approx(scores[nearest], abs=1e-6)
    assert [one.given_score for one in again.candidates] == pytest.approx([one.score for one in from_map.candidates])
    np.testing.assert_array_equal(again.candidate_map.array, from_map.candidate_map.array)


def test_no_candidate_gives_a_valid_empty_result(tmp_path):
    empty = filter_candidates(IMAGE, filter_model(), (), device="cpu")
    assert empty.candidates == ()
    assert not empty.candidate_map.array.any()
    assert empty.likelihood.array.any()
    save_result(empty, IMAGE, tmp_path / "out")
    assert read_given(tmp_path / "out" / "candidates.json") == ()


def test_the_same_place_twice_is_two_candidates_and_the_better_one_is_seen():
    twice = given_from([UNSEEN.lesions[0]] * 2)
    found = filter_candidates(IMAGE, filter_model(), twice, device="cpu")
    assert {candidate.given_id for candidate in found.candidates} == {1, 2}
    assert found.candidates[0].score == pytest.approx(found.candidates[1].score, abs=1e-6)
    assert np.unique(found.candidate_map.array).tolist() == [0, 1]


def test_a_point_without_radius_is_measured_in_the_image_as_in_training():
    ball = UNSEEN.lesions[0]
    (found,) = filter_candidates(
        IMAGE, filter_model(), [GivenCandidate(ball.centre_lps_mm, id=1)], device="cpu"
    ).candidates
    assert found.max_diameter_mm / 2 == pytest.approx(ball.radius_mm, rel=0.35)
    assert found.reported


def test_candidates_outside_the_image_are_named():
    far = GivenCandidate((500.0, 0.0, 0.0), 3.0, id=42)
    with pytest.raises(
        CasesError, match=r"1 of 9 candidates lie outside the image 'shapes': number 42; .*\(500\.0, 0\.0"
    ):
        filter_candidates(IMAGE, filter_model(), (*GIVEN, far), device="cpu")
    many = [replace(far, id=0)] * 12
    with pytest.raises(CasesError, match=r"numbers 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more"):
        filter_candidates(IMAGE, filter_model(), many, device="cpu")


def test_more_candidates_than_a_label_map_holds_are_refused():
    with pytest.raises(CasesError, match="65536 candidates were given"):
        filter_candidates(IMAGE, filter_model(), [GivenCandidate((1.0, 1.0, 1.0))] * 65536, device="cpu")


def test_candidates_outside_the_tissue_are_scored_all_the_same_and_warned_of(result):
    mask = np.zeros(IMAGE.array.shape, dtype=np.uint8)
    index = np.round(IMAGE.geometry.index_from_lps(GIVEN[0].centre_lps_mm)).astype(int)
    mask[tuple(slice(max(0, i - 4), i + 5) for i in index)] = 1
    within = filter_candidates(IMAGE, filter_model(), GIVEN, mask=IMAGE.with_array(mask, "mask"), device="cpu")
    assert len(within.candidates) == len(GIVEN)
    assert "7 of 8 given candidates lie outside the tissue" in within.warnings[-1]
    assert "numbers 2, 3, 4, 5, 6, 7, 8." in within.warnings[-1]
    for a, b in zip(within.candidates, result.candidates, strict=True):
        assert a.score == pytest.approx(b.score, abs=1e-5)


def test_a_model_taught_for_detection_scores_too_and_says_that_its_threshold_is_another_tasks():
    model = ball_model()
    found = filter_candidates(IMAGE, model, GIVEN, device="cpu")
    assert len(found.candidates) == len(GIVEN)
    assert found.threshold_origin.endswith("; chosen for detection, not for classification")
    assert "was taught for detection" in found.warnings[0]
    own = filter_candidates(IMAGE, model, GIVEN, threshold=0.2, device="cpu")
    assert (own.threshold_origin, own.warnings) == ("given by the user", ())
    other_way = detect(IMAGE, filter_model(), device="cpu")
    assert other_way.threshold_origin.endswith("; chosen for classification, not for detection")
    assert "was taught for classification" in other_way.warnings[0]


def test_experts_are_combined_as_in_detection():
    with pytest.MonkeyPatch.context() as patch:
        # Whether an expert helps hangs on the last digit here; that experts work must not.
        patch.setattr("mtann.experts.teach.useful_experts", lambda cases, seed: ([1, 2], {1: 0.0, 2: 0.0}))
        patch.setattr("mtann.experts.teach.sort_into_types", lambda alarms, most, seed: [alarms[::2], alarms[1::2]])
        training = QUICK.model_copy(update={"max_experts": 2, "expert_rounds": 1, "steps": 40})
        cases = [given_case(seed) for seed in range(1, 5)]
        model = train(cases, network=NETWORK, training=training, spacing_mm=1.0, device="cpu")
    assert model.card.combination.networks == 3
    for candidate in filter_candidates(IMAGE, model, GIVEN, device="cpu").candidates:
        assert len(candidate.expert_scores) == 3
        combined = model.card.combination.apply(np.array([candidate.expert_scores]).T)
        assert candidate.score == pytest.approx(combined[0])


def test_teaching_scans_no_volume_and_its_points_are_of_given_candidates(monkeypatch):
    monkeypatch.setattr("mtann.inference.scan.scan", lambda *_, **__: pytest.fail("a volume was scanned"))
    training = QUICK.model_copy(update={"steps": 20, "mining_rounds": 3})
    cases = [given_case(seed) for seed in (1, 2)]
    card = train(cases, network=NETWORK, training=training, spacing_mm=1.0, device="cpu").card
    assert card.training.mining_rounds == 0
    assert [image.role for image in card.training_data] == ["channel 1", "lesions", "non_lesions"] * 2
    point = card.operating_point()
    assert (point.lesions, point.cases) == (2 * BALLS, 2)
    assert point.fp_per_case <= TUBES


def test_where_nothing_can_be_said_out_of_fold_the_points_say_that_they_flatter():
    first, second = given_case(1), given_case(2)
    training = QUICK.model_copy(update={"steps": 20})
    kinds = {
        "one patient": [first],
        "classes apart": [replace(first, non_lesions=()), replace(second, lesions=())],
    }
    for cases in kinds.values():
        card = train(cases, network=NETWORK, training=training, spacing_mm=1.0, device="cpu").card
        chosen_on = (
            "given candidates of the training cases themselves, which the model had seen, so the figures flatter it"
        )
        assert card.operating_point().chosen_on == chosen_on


def test_both_classes_are_needed():
    case = given_case(1)
    with pytest.raises(CasesError, match="All given candidates are lesions.*column 'non_lesions'"):
        train([replace(case, non_lesions=())], training=QUICK)
    with pytest.raises(CasesError, match="no lesion at all"):
        train([replace(case, lesions=())], training=QUICK)


def test_a_non_lesion_outside_the_image_is_refused():
    with pytest.raises(CasesError, match="outside the image"):
        TrainingCase("a", "p", (IMAGE,), (), non_lesions=lesions_from_points([(500.0, 0.0, 0.0)]))


@pytest.mark.parametrize("after", [0, 3, 6, 9, 12])
def test_cancelling_anywhere_ends_the_run(after):
    asked = itertools.count()
    with pytest.raises(CancelledError):
        filter_candidates(IMAGE, filter_model(), GIVEN, device="cpu", cancelled=lambda: next(asked) >= after)
