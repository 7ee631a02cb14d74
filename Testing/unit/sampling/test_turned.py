"""Turned and scaled subvolumes: what they hold, and from where."""

import numpy as np
import pytest

from mtann.preprocess.levels import level_volumes
from mtann.sampling.kernel import subvolume_offsets
from mtann.sampling.turned import LARGEST_SCALE, gather_turned, random_turns
from mtann.settings import NetworkSettings

SINGLE = NetworkSettings(dilations=(1,), hidden=(2,))
ROUNDING = np.sqrt(3) / 2


def test_turns_are_rotations_times_a_scale_in_all_directions():
    turns = random_turns(4000, 3, np.random.default_rng(0))
    scale = np.cbrt(np.linalg.det(turns))
    np.testing.assert_allclose(turns @ turns.transpose(0, 2, 1), scale[:, None, None] ** 2 * np.eye(3), atol=1e-12)
    assert 1 / LARGEST_SCALE <= scale.min() < 0.62
    assert 1.63 < scale.max() <= LARGEST_SCALE
    assert np.mean(scale < 1) == pytest.approx(0.5, abs=0.03)
    for axis in np.moveaxis(turns / scale[:, None, None], -1, 0):
        # Uniform on the sphere: mean 0, second moments a third, as high as low.
        assert np.abs(axis.mean(axis=0)).max() < 0.05
        np.testing.assert_allclose(axis.T @ axis / len(axis), np.eye(3) / 3, atol=0.03)


def test_a_slice_is_turned_within_itself():
    turns = random_turns(500, 2, np.random.default_rng(0))
    assert (turns[:, 0] == [1, 0, 0]).all()
    assert (turns[:, :, 0] == [1, 0, 0]).all()
    plane = turns[:, 1:, 1:]
    scale = np.sqrt(np.linalg.det(plane))
    np.testing.assert_allclose(plane @ plane.transpose(0, 2, 1), scale[:, None, None] ** 2 * np.eye(2), atol=1e-12)
    assert scale.min() < 0.65 < 1.5 < scale.max()


@pytest.mark.parametrize("network", [SINGLE, SINGLE.model_copy(update={"subvolume": "planes"})])
def test_a_turned_subvolume_of_what_looks_the_same_all_round_is_that_at_another_scale(network):
    index = np.stack(np.meshgrid(*[np.arange(31) - 15] * 3, indexing="ij"), axis=-1)
    distance = np.linalg.norm(index, axis=-1).astype(np.float32)
    offsets = np.linalg.norm(subvolume_offsets(network), axis=1)
    inputs = gather_turned([[distance]], np.full((50, 3), 15), network, np.random.default_rng(3))[:, 0, 0]
    scale = np.cbrt(np.linalg.det(random_turns(50, 3, np.random.default_rng(3))))
    assert np.abs(inputs - scale[:, None] * offsets).max() <= ROUNDING + 1e-5
    # And it is turned: the same offset shows other voxels.
    ramp = index[..., 0].astype(np.float32)
    seen = gather_turned([[ramp]], np.full((50, 3), 15), network, np.random.default_rng(3))[:, 0, 0]
    assert len(np.unique(seen[:, int(offsets.argmax())])) > 5


def test_each_level_is_turned_alike_and_nothing_is_interpolated():
    network = NetworkSettings(dilations=(1, 2), hidden=(2,))
    image = np.random.default_rng(0).permutation(21**3).reshape(21, 21, 21).astype(np.float32)
    levels = level_volumes([image, -image], network)
    where = np.array([[10, 10, 10], [4, 12, 7]])
    inputs = gather_turned(levels, where, network, np.random.default_rng(1))
    assert inputs.shape == (2, 2, 2, 171)
    np.testing.assert_array_equal(inputs[:, 1], -inputs[:, 0])
    turns = random_turns(2, 3, np.random.default_rng(1))
    for sample, (place, turn) in enumerate(zip(where, turns, strict=True)):
        for level, dilation in enumerate(network.dilations):
            voxels = np.clip(place + np.rint(dilation * (subvolume_offsets(network) @ turn.T)), 0, 20).astype(int)
            np.testing.assert_array_equal(inputs[sample, 0, level], levels[level][0][tuple(voxels.T)])
