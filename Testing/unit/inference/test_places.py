"""Scores of single places against the whole likelihood volume."""

import numpy as np
import pytest
import torch

from mtann.detection.peaks import score_at
from mtann.errors import CancelledError
from mtann.inference.places import score_places
from mtann.inference.scan import scan
from mtann.networks.mtann import MTANN
from mtann.progress import Run
from mtann.settings import NetworkSettings


@pytest.fixture
def network():
    return MTANN(NetworkSettings(dilations=(1, 2), hidden=(6, 4)), 2, seeds=(0, 1))


@pytest.fixture
def channels():
    random = np.random.default_rng(0)
    return [random.normal(size=(24, 26, 28)).astype(np.float32) for _ in range(2)]


def test_a_score_is_the_gaussian_weighted_likelihood(network, channels):
    likelihood = scan(network, channels)
    places = np.array([[12, 13, 14], [1, 25, 0]])
    sigma = np.array([1.2, 1.2, 1.2])
    scores = score_places(network, channels, places, np.stack([sigma, sigma])).scores
    for member in range(2):
        for number, place in enumerate(places):
            # The lattice leaves out the corners of the box, beyond three sigmas.
            expected = score_at(likelihood[member], place, sigma)
            assert scores[member, number] == pytest.approx(expected, abs=0.02 * float(likelihood[member].std()))


def test_a_wide_gaussian_on_its_lattice_is_close_to_the_full_sum(network, channels):
    smooth = [np.tile(np.linspace(-1, 1, 28, dtype=np.float32), (24, 26, 1)) for _ in channels]
    likelihood = scan(network, smooth)
    place, sigma = np.array([[12, 13, 14]]), np.full((1, 3), 4.0)
    scores = score_places(network, smooth, place, sigma).scores[:, 0]
    expected = [score_at(likelihood[member], place[0], sigma[0]) for member in range(2)]
    np.testing.assert_allclose(scores, expected, atol=0.02 * np.ptp(likelihood))


def test_activity_gives_the_score_through_the_output_layer(network, channels):
    heard = score_places(network, channels, np.array([[5, 6, 7], [9, 9, 9]]), np.full((2, 3), 1.5))
    with torch.inference_mode():
        answers = network.answer(torch.from_numpy(heard.activations).float()).numpy()
    np.testing.assert_allclose(answers, heard.scores, atol=1e-5)


def test_no_place_gives_no_score_and_cancelling_stops(network, channels):
    nowhere = score_places(network, channels, np.empty((0, 3), dtype=np.int64), np.empty((0, 3)))
    assert nowhere.scores.shape == (2, 0)
    with pytest.raises(CancelledError):
        score_places(network, channels, np.array([[5, 5, 5]]), np.ones((1, 3)), run=Run(cancelled=lambda: True))
