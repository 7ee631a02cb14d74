"""Filters in the order of what they do to the output, and the picture's pixels."""

import numpy as np
import pytest
import torch
from matplotlib.image import imread

from mtann.explanation.filters import filters_of
from mtann.networks.mtann import MTANN
from mtann.report.diverging import signed_colours, signed_overlay
from mtann.report.filters_picture import PIXELS_PER_WEIGHT, TILE_GAP, colour_limit, filters_png, unit_image
from mtann.settings import NetworkSettings

RED, WHITE, BLUE = (signed_colours([value], 1.0)[0, :3] for value in (1, 0, -1))


def network(dimensions=3, hidden=(3,), channels=1):
    made = MTANN(NetworkSettings(dimensions=dimensions, dilations=(1, 2), hidden=hidden), channels)
    with torch.no_grad():
        made.first_weight.zero_()
        made.output_weight[:] = torch.tensor([0.5, -2.0, 1.0])[: hidden[-1]]
    return made


def test_units_come_by_the_size_of_their_influence():
    found = filters_of(network())
    assert found.units == (1, 2, 0)
    assert found.influence == (-2.0, 1.0, 0.5)
    assert found.dilations == (1, 2)


def test_influence_goes_through_the_second_layer():
    made = network(hidden=(2, 3))
    with torch.no_grad():
        made.second_weight[0] = torch.tensor([[1.0, 0.0], [0.5, -1.0], [0.0, 3.0]])
    # 0.5 * 1 - 2 * 0.5 = -0.5, and 2 + 3 = 5.
    assert filters_of(made).influence == pytest.approx((5.0, -0.5))
    assert filters_of(made).units == (1, 0)


def test_weights_lie_where_their_inputs_do():
    made = network(channels=2)
    with torch.no_grad():
        # Offsets are in z, y, x order; the middle one of 171 is the centre voxel, the next one is x + 1.
        made.first_weight[0, 1, 1, 0, 86] = 4.0
    weights = filters_of(made).weights
    assert weights.shape == (3, 2, 2, 7, 7, 7)
    assert np.argwhere(weights == 4.0).tolist() == [[0, 1, 0, 3, 3, 4]]
    assert np.count_nonzero(np.isfinite(weights[0, 0, 0])) == 171
    assert np.isnan(weights[0, 0, 0, 0, 0, 0])


def test_known_weights_have_known_colours():
    level = np.zeros((7, 7, 7))
    level[3, 0, 6] = 1.0  # axial section: first row (anterior), last column (left)
    level[6, 3, 0] = -1.0  # coronal section: superior, so the first row; right of the patient, first column
    level[0, 6, 3] = 1.0  # sagittal section: inferior, so the last row; posterior, last column
    picture = unit_image(level[None, None], limit=1.0)
    edge, size = 7 * PIXELS_PER_WEIGHT, PIXELS_PER_WEIGHT
    assert picture.shape == (3 * edge + 2 * TILE_GAP, edge, 4)
    axial, coronal, sagittal = (picture[k * (edge + TILE_GAP) :][:edge] for k in range(3))
    np.testing.assert_allclose(axial[:size, -size:, :3], np.broadcast_to(RED, (size, size, 3)))
    np.testing.assert_allclose(coronal[:size, :size, :3], np.broadcast_to(BLUE, (size, size, 3)))
    np.testing.assert_allclose(sagittal[-size:, -size:, :3], np.broadcast_to(RED, (size, size, 3)))
    for section in (axial, coronal, sagittal):
        np.testing.assert_allclose(section[edge // 2, edge // 2, :3], WHITE)
    assert not picture[edge : edge + TILE_GAP].any()  # the gap is clear


def test_the_picture_shows_every_weight_of_a_slice(tmp_path):
    made = network(dimensions=2, hidden=(1,), channels=2)
    pattern = np.random.default_rng(0).choice([-1.0, 1.0], size=81)
    with torch.no_grad():
        made.first_weight[0, 0, 0, 1] = torch.from_numpy(pattern)
    filters = filters_of(made)
    assert colour_limit(filters) == 1.0
    path = tmp_path / "filters.png"
    path.write_bytes(filters_png(filters, ("t1c", "flair"), "Hidden units"))
    block = unit_image(filters.weights[0], 1.0)
    page = imread(path)[..., :3]
    size = 9 * PIXELS_PER_WEIGHT
    tile = block[:size, size + TILE_GAP :, :3]
    middles = tile[PIXELS_PER_WEIGHT // 2 :: PIXELS_PER_WEIGHT, PIXELS_PER_WEIGHT // 2 :: PIXELS_PER_WEIGHT]
    np.testing.assert_allclose(middles.reshape(81, 3), np.where(pattern[:, None] > 0, RED, BLUE))
    # The page holds these very pixels.
    windows = np.lib.stride_tricks.sliding_window_view(page, (size, size, 3))[..., 0, :, :, :]
    places = np.argwhere(np.abs(windows[:, :, 0, 0] - tile[0, 0]).max(axis=-1) < 0.01)
    assert any(np.abs(windows[v, u] - tile).max() < 0.01 for v, u in places)


def test_colours_are_clear_at_zero_and_end_at_the_limit():
    overlay = signed_overlay(np.array([-5.0, -1.0, 0.0, 0.01, 1.0]), limit=1.0)
    np.testing.assert_allclose(overlay[0], overlay[1])
    np.testing.assert_allclose(overlay[[1, 4], :3], [BLUE, RED])
    assert overlay[2, 3] == overlay[3, 3] == 0 < overlay[4, 3] < 1
    assert signed_colours([np.nan], 1.0)[0, 3] == 0
