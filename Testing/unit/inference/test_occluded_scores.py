"""Scores with boxes replaced, against scoring every changed image."""

import numpy as np
import pytest

from mtann.errors import CancelledError
from mtann.inference.occlusion import occluded_scores
from mtann.inference.places import score_places
from mtann.networks.mtann import MTANN
from mtann.progress import Run
from mtann.settings import NetworkSettings

PLACE, VALUES = np.array([12, 13, 14]), (0.5, -0.3)


def channels(shape=(26, 28, 30)):
    random = np.random.default_rng(0)
    return [random.normal(size=shape).astype(np.float32) for _ in VALUES]


def network(settings):
    made = MTANN(settings, 2, seeds=(0, 1))
    made.mean += 0.3
    made.deviation *= 1.7
    return made


@pytest.mark.parametrize(
    "settings",
    [
        NetworkSettings(dilations=(1, 2, 4), hidden=(6, 4)),
        NetworkSettings(subvolume="planes", dilations=(1, 3), hidden=(5,)),
        NetworkSettings(dimensions=2, dilations=(1, 2), hidden=(5,)),
    ],
    ids=["sphere", "planes", "slices"],
)
def test_every_box_scores_as_the_changed_image_does(settings):
    made, images = network(settings), channels()
    sigma, half = np.array([1.5, 1.5, 1.5]), np.array([1, 2, 1])
    centres = np.array([[12, 13, 14], [15, 13, 14], [12, 7, 17], [10, 10, 9]])
    found = occluded_scores(made, images, PLACE, sigma, centres, half, VALUES)
    plain = score_places(made, images, PLACE[None], sigma[None]).scores[:, 0]
    np.testing.assert_allclose(found.untouched, plain, atol=1e-6)
    for number, centre in enumerate(centres):
        box = tuple(slice(c - h, c + h + 1) for c, h in zip(centre, half, strict=True))
        for row, which in enumerate([(0, 1), (0,), (1,)]):
            changed = [image.copy() for image in images]
            for channel in which:
                changed[channel][box] = VALUES[channel]
            expected = score_places(made, changed, PLACE[None], sigma[None]).scores[:, 0]
            np.testing.assert_allclose(found.occluded[:, row, number], expected, atol=1e-6)
            assert np.abs(expected - plain).max() > 1e-5


def test_channels_of_one_source_are_hidden_together():
    made = MTANN(NetworkSettings(dilations=(1, 2), hidden=(5,)), 4, seeds=(0,))
    images = [*channels(), *(image[::-1].copy() for image in channels())]
    values, sigma, half = (*VALUES, 0.2, -0.4), np.full(3, 1.5), np.array([1, 1, 1])
    found = occluded_scores(made, images, PLACE, sigma, PLACE[None], half, values, sources=(0, 1, 0, 2))
    assert found.occluded.shape == (1, 4, 1)
    box = tuple(slice(place - 1, place + 2) for place in PLACE)
    for row, which in enumerate([(0, 1, 2, 3), (0, 2), (1,), (3,)]):
        changed = [image.copy() for image in images]
        for channel in which:
            changed[channel][box] = values[channel]
        expected = score_places(made, changed, PLACE[None], sigma[None]).scores[:, 0]
        np.testing.assert_allclose(found.occluded[:, row, 0], expected, atol=1e-6)


def test_boxes_out_of_reach_and_boxes_over_the_edge():
    made = network(NetworkSettings(dilations=(1,), hidden=(5,)))
    images = channels((20, 60, 20))
    place, sigma, half = np.array([0, 10, 10]), np.full(3, 1.0), np.array([1, 1, 1])
    found = occluded_scores(made, images, place, sigma, np.array([[0, 40, 10], [0, 10, 10]]), half, VALUES)
    np.testing.assert_allclose(found.occluded[:, 0, 0], found.untouched, atol=1e-7)
    changed = [image.copy() for image in images]
    for image, value in zip(changed, VALUES, strict=True):
        image[0:2, 9:12, 9:12] = value
    # At dilation 1 nothing is smoothed, so the edge, too, is exact.
    expected = score_places(made, changed, place[None], sigma[None]).scores[:, 0]
    assert np.all(np.abs(found.occluded[:, 0, 1] - found.untouched) > 0)
    np.testing.assert_allclose(found.occluded[:, 0, 1], expected, atol=1e-6)


def test_cancelling_stops():
    with pytest.raises(CancelledError):
        occluded_scores(
            network(NetworkSettings(dilations=(1,), hidden=(3,))),
            channels(),
            PLACE,
            np.ones(3),
            PLACE[None],
            np.array([1, 1, 1]),
            VALUES,
            run=Run(cancelled=lambda: True),
        )
