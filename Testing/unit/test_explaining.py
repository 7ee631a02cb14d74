"""Explaining a result: the whole way, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from small_models import ball_model, balls

import mtann
from mtann.errors import CancelledError, ImageError, ModelError, SettingsError
from mtann.geometry import Geometry
from mtann.models.bundle import make_bundle
from mtann.pipeline import detect
from mtann.settings import ExplanationSettings

VOLUME = balls(7).volume


@pytest.fixture(scope="module")
def result():
    return detect(VOLUME, ball_model(), device="cpu")


def test_the_best_candidates_are_explained_with_their_scores_and_the_networks_filters(result):
    found = mtann.explain(VOLUME, result, ball_model(), ExplanationSettings(most_candidates=2), device="cpu")
    assert [one.id for one in found.candidates] == [1, 2]
    for one, candidate in zip(found.candidates, result.candidates, strict=False):
        assert one.contributions.combined == candidate.score
        assert one.occlusion.score == pytest.approx(candidate.score, abs=0.1)
    assert found.channels == ("t1c",)
    assert len(found.filters) == 1
    assert sorted(found.filters[0].units) == list(range(8))


def test_chosen_candidates_are_explained_in_their_order(result):
    found = mtann.explain(VOLUME, result, ball_model(), ids=(2, 1, 2), device="cpu")
    assert [one.id for one in found.candidates] == [1, 2]
    with pytest.raises(SettingsError, match="no candidate 999; it has"):
        mtann.explain(VOLUME, result, ball_model(), ids=(1, 999), device="cpu")


def test_without_candidates_there_are_still_filters(result):
    found = mtann.explain(VOLUME, replace(result, candidates=()), ball_model(), device="cpu")
    assert found.candidates == ()
    assert len(found.filters) == 1


def test_another_model_or_image_is_refused(result):
    bundle = ball_model()
    other = make_bundle(bundle.card.model_copy(update={"name": "other"}), bundle.networks())
    with pytest.raises(ModelError, match="made by model 'balls', not by 'other'"):
        mtann.explain(VOLUME, result, other, device="cpu")
    moved = Geometry(VOLUME.geometry.shape_zyx, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    with pytest.raises(ImageError, match="not on the grid of the result"):
        mtann.explain(replace(VOLUME, geometry=moved), result, ball_model(), device="cpu")


def test_progress_rises_and_cancelling_stops(result):
    seen = []
    mtann.explain(VOLUME, result, ball_model(), device="cpu", progress=seen.append)
    fractions = [progress.fraction for progress in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    asked = iter(range(1000))
    with pytest.raises(CancelledError):
        mtann.explain(VOLUME, result, ball_model(), device="cpu", cancelled=lambda: next(asked) > 6)


def test_equal_runs_give_equal_maps(result):
    first, second = (mtann.explain(VOLUME, result, ball_model(), ids=(1,), device="cpu") for _ in range(2))
    np.testing.assert_array_equal(first.candidates[0].occlusion.fall.array, second.candidates[0].occlusion.fall.array)
