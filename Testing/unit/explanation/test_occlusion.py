"""Occlusion maps of a ball on noise: high at the ball, nothing far away, and in the right place of the world."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_models import BALLS, ball_model, balls

from mtann.detection.combination import LogicalAnd, SingleNetwork
from mtann.explanation.occlusion import occlusion_of
from mtann.inference.places import score_places
from mtann.pipeline import detect
from mtann.preprocess.prepare import PreparedCase, prepare
from mtann.settings import ExplanationSettings
from unit.grids import grid, turned

OBLIQUE = grid((30, 52, 56), (0.9, 0.9, 0.9), turned(10, -8, 20), (0.5, 28.0, 16.0))


def explained(volume, channels=1, settings=None):
    """The candidate on the larger ball, and its map."""
    bundle = ball_model(channels)
    images = (volume,) * channels
    result = detect(images, bundle, device="cpu")
    ball = BALLS[1]
    candidate = min(
        result.candidates, key=lambda one: np.linalg.norm(np.subtract(one.centroid_lps_mm, ball.centre_lps_mm))
    )
    prepared = prepare(images, bundle.card.inputs)
    found = occlusion_of(
        candidate,
        prepared,
        bundle.networks(),
        bundle.card.combination,
        settings or ExplanationSettings(),
        torch.device("cpu"),
    )
    return candidate, prepared, found


@pytest.mark.parametrize("geometry", [None, OBLIQUE], ids=["straight", "oblique"])
def test_the_score_hangs_on_the_ball_wherever_it_lies_in_the_world(geometry):
    phantom = balls(7) if geometry is None else balls(7, geometry)
    candidate, prepared, found = explained(phantom.volume, settings=ExplanationSettings(reach_sigmas=8.0))
    ball = BALLS[1]
    assert np.linalg.norm(np.subtract(found.peak_lps_mm, ball.centre_lps_mm)) < ball.radius_mm + 1
    values, where = found.fall.array, found.fall.geometry
    index = np.stack(np.meshgrid(*map(np.arange, values.shape), indexing="ij"), axis=-1)
    distance = np.linalg.norm(where.lps_from_index(index) - np.array(ball.centre_lps_mm), axis=-1)
    assert values.max() > 0.1 * candidate.score
    # Beyond the ball, the cube's half diagonal and the widest subvolume's reach there is nothing to lose.
    far = np.abs(values[distance > 2.6 * ball.radius_mm])
    assert far.size > 100
    assert far.max() < 0.25 * values.max()
    assert np.median(far) < 0.05 * values.max()
    assert values[distance < 0.8 * ball.radius_mm].mean() > 0.3 * values.max()
    # It lies on the model's grid.
    offset = prepared.grid.index_from_lps(where.origin_lps_mm)
    np.testing.assert_allclose(offset, np.round(offset), atol=1e-6)
    assert where.direction == prepared.grid.direction


def test_the_fall_is_that_of_the_score_with_the_cube_replaced():
    candidate, prepared, found = explained(balls(7).volume, settings=ExplanationSettings(cube_mm=3.0))
    assert found.cube_zyx_mm == (3.0, 3.0, 3.0)
    place = np.round(prepared.grid.index_from_lps(candidate.peak_lps_mm)).astype(int)
    changed = prepared.channels[0].copy()
    changed[tuple(slice(p - 1, p + 2) for p in place)] = found.background[0]
    sigma = np.full((1, 3), candidate.scoring_sigma_mm)
    single = ball_model().networks()[0]
    before, after = (
        score_places(single, [image], place[None], sigma).scores.mean() for image in (prepared.channels[0], changed)
    )
    assert found.score == pytest.approx(before, abs=1e-6)
    start = np.round(prepared.grid.index_from_lps(found.fall.geometry.origin_lps_mm)).astype(int)
    assert found.fall.array[tuple(place - start)] == pytest.approx(before - after, abs=1e-6)


def test_the_background_is_that_round_the_ball():
    _, prepared, found = explained(balls(7).volume)
    noise = prepared.channels[0][0:3]  # no ball reaches there
    assert found.background[0] == pytest.approx(float(np.median(noise)), abs=0.3 * float(noise.std()))


def test_a_channel_that_the_network_does_not_use_has_an_empty_map():
    bundle = ball_model(2)
    networks = bundle.networks()
    with torch.no_grad():
        networks[0].first_weight[:, :, 1] = 0
    volume = balls(7).volume
    result = detect((volume, volume), bundle, device="cpu")
    prepared = prepare((volume, volume), bundle.card.inputs)
    settings, cpu = ExplanationSettings(), torch.device("cpu")
    found = occlusion_of(result.candidates[0], prepared, networks, SingleNetwork(), settings, cpu)
    assert len(found.by_input) == 2
    np.testing.assert_allclose(found.by_input[0].array, found.fall.array, atol=1e-6)
    assert np.abs(found.by_input[1].array).max() < 1e-6
    assert explained(volume)[2].by_input == ()


def test_repetitions_are_averaged_and_experts_combined():
    bundle, volume = ball_model(), balls(7).volume
    candidate = detect(volume, bundle, device="cpu").candidates[0]
    prepared = prepare([volume], bundle.card.inputs)
    (single,) = bundle.networks()
    settings, cpu = ExplanationSettings(), torch.device("cpu")
    alone = occlusion_of(candidate, prepared, [single], SingleNetwork(), settings, cpu)
    twice = occlusion_of(candidate, prepared, [single.member([0, 0])], SingleNetwork(), settings, cpu)
    np.testing.assert_allclose(twice.fall.array, alone.fall.array, atol=1e-6)
    # An expert of the same network at a threshold far below never decides, one far above always does.
    low = occlusion_of(candidate, prepared, [single, single], LogicalAnd(thresholds=(0.5, -9.0)), settings, cpu)
    np.testing.assert_allclose(low.fall.array, alone.fall.array, atol=1e-6)
    assert low.score == pytest.approx(alone.score)
    high = occlusion_of(candidate, prepared, [single, single], LogicalAnd(thresholds=(0.5, 2.5)), settings, cpu)
    assert high.score == pytest.approx(alone.score - 2.0)


def test_a_case_without_tissue_in_the_shell_and_a_candidate_in_the_corner():
    bundle, volume = ball_model(), balls(7).volume
    candidate = detect(volume, bundle, device="cpu").candidates[0]
    prepared = prepare([volume], bundle.card.inputs)
    nothing = np.zeros_like(prepared.mask)
    bare = PreparedCase(prepared.grid, prepared.channels, nothing)
    settings, cpu = ExplanationSettings(reach_sigmas=1.0), torch.device("cpu")
    found = occlusion_of(candidate, bare, bundle.networks(), SingleNetwork(), settings, cpu)
    assert found.background == (pytest.approx(float(np.median(prepared.channels[0]))),)
    corner = replace(candidate, peak_lps_mm=prepared.grid.origin_lps_mm)
    found = occlusion_of(corner, prepared, bundle.networks(), SingleNetwork(), settings, cpu)
    assert found.fall.geometry.origin_lps_mm == pytest.approx(prepared.grid.origin_lps_mm)
