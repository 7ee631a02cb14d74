"""Where patches lie, and how they are blended: nnU-Net's rules by hand; an identity network changes nothing."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtann.errors import CancelledError, SettingsError
from mtann.inference.answers import Answers
from mtann.inference.tiles import axis_importance, importance_map, make_tiles
from mtann.inference.window import SlidingWindow
from mtann.progress import Run

CPU = torch.device("cpu")


def blended(data, grid, answers, chosen=None, run=None):
    rows = list(SlidingWindow(grid, len(data), CPU, chosen).run(data, answers, run))
    assert [row.start for row in rows] == list(np.cumsum([0, *(row.logits.shape[1] for row in rows[:-1])]))
    return np.concatenate([row.logits for row in rows], axis=1)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_patches_lie_as_nnunet_lays_them():
    # 110 voxels, patch 64, half overlap: starts 0, 23, 46 (the example in nnU-Net's own source).
    assert make_tiles((110, 64, 40), (64, 64, 64)).starts == ((0, 23, 46), (0,), (0,))
    small = make_tiles((110, 64, 41), (64, 64, 64))
    assert (small.padding, small.padded) == ((0, 0, 11), (110, 64, 64))


def test_two_dimensional_patches_lie_in_every_slice():
    grid = make_tiles((3, 20, 16), (16, 16))
    assert (grid.patch, grid.starts) == ((1, 16, 16), ((0, 1, 2), (0, 4), (0,)))


def test_the_middle_counts_fully_and_the_edge_by_its_distance_in_sigmas():
    # Patch 16: sigma 2; the middle is voxel 8, voxel 0 lies four sigmas away.
    line = axis_importance(16)
    assert line[8] == 1
    np.testing.assert_allclose(line[[6, 4, 0]], np.exp([-0.5, -2.0, -8.0]), rtol=1e-6)
    assert importance_map((16, 16, 16))[0, 8, 6] == pytest.approx(np.exp(-8.5), rel=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    size=st.tuples(*[st.integers(1, 21)] * 3),
    patch=st.lists(st.integers(1, 12), min_size=2, max_size=3),
    overlap=st.floats(0, 0.95),
    batch=st.integers(1, 3),
)
def test_an_identity_network_returns_the_input(size, patch, overlap, batch):
    data = noise(2, *size)
    answers = Answers([lambda x: x], len(patch), batch=batch)
    np.testing.assert_allclose(blended(data, make_tiles(size, patch, overlap), answers), data, atol=1e-5, rtol=0)


@pytest.mark.parametrize("overlap", [-0.1, 1.0, float("nan")])
def test_an_overlap_beyond_its_range_is_refused(overlap):
    with pytest.raises(SettingsError, match="fraction from 0 to below 1"):
        make_tiles((8, 8, 8), (4, 4, 4), overlap)


def position(patches):
    """A network whose answer depends on the place within the patch, so that order and blending matter."""
    ramp = torch.linspace(0, 1, patches.shape[-1])
    return patches * (1 + ramp) + ramp


def test_blending_is_the_weighted_mean_of_the_patches():
    data, grid = noise(1, 9, 7, 10), make_tiles((9, 7, 10), (4, 5, 6))
    total, weight = np.zeros((1, 9, 7, 10)), np.zeros((9, 7, 10))
    for start in itertools.product(*grid.starts):
        place = tuple(slice(first, first + p) for first, p in zip(start, grid.patch, strict=True))
        answer = position(torch.from_numpy(data[(slice(None), *place)])[None])[0].numpy()
        total[(slice(None), *place)] += answer * importance_map(grid.patch)
        weight[place] += importance_map(grid.patch)
    np.testing.assert_allclose(blended(data, grid, Answers([position])), total / weight, atol=1e-6)


def test_mirrored_answers_and_folds_are_averaged():
    data, grid = noise(1, 4, 5, 6), make_tiles((4, 5, 6), (4, 5, 6))
    x = torch.from_numpy(data)[None]
    networks = [position, lambda patches: 3 * position(patches)]
    flips = [(), (2,), (4,), (2, 4)]
    expected = torch.stack([torch.flip(net(torch.flip(x, f)), f) for f in flips for net in networks]).mean(0)
    for batch in (1, 3, 8):
        answers = Answers(networks, mirror_axes=(0, 2), batch=batch)
        np.testing.assert_allclose(blended(data, grid, answers), expected[0], atol=1e-6)
        assert answers.evaluated == 8


def test_two_dimensional_networks_see_slices_and_mirror_within_them():
    data, grid = noise(1, 3, 5, 6), make_tiles((3, 5, 6), (5, 6))
    seen = []

    def network(patches):
        seen.append(tuple(patches.shape))
        return position(patches)

    x = torch.from_numpy(data)
    expected = (position(x) + torch.flip(position(torch.flip(x, (3,))), (3,))) / 2
    np.testing.assert_allclose(blended(data, grid, Answers([network], 2, (1,), batch=4)), expected, atol=1e-6)
    assert seen == [(4, 1, 5, 6), (2, 1, 5, 6)]


def test_constant_patches_are_asked_about_once_and_answered_alike():
    data = np.zeros((1, 8, 8, 32), dtype=np.float32)
    data[..., 24:] = noise(1, 8, 8, 8)
    grid = make_tiles((8, 8, 32), (8, 8, 8), 0.0)
    answers = Answers([position])
    found = blended(data, grid, answers)
    assert answers.evaluated == 2
    ramp = np.linspace(0, 1, 8, dtype=np.float32)
    np.testing.assert_allclose(found[0, 3, 3, :24], np.tile(ramp, 3), atol=1e-6)
    np.testing.assert_allclose(found[0, ..., 24:], position(torch.from_numpy(data[..., 24:]))[0], atol=1e-6)


def test_only_patches_that_touch_a_box_are_run_and_its_voxels_do_not_change():
    data, grid = noise(1, 20, 30, 13), make_tiles((20, 30, 13), (8, 8, 16))
    box = (slice(5, 7), slice(11, 13), slice(2, 4))
    chosen = grid.touching([box])
    # Starts along z: 0 4 8 12; along y: 0 4 7 11 15 18 22, of which 4, 7 and 11 reach voxels 11 and 12.
    assert {start[0] for start in chosen} == {0, 4}
    assert [start for start in grid.starts[1] if start in {tile[1] for tile in chosen}] == [
        start for start in grid.starts[1] if start < 13 and start + 8 > 11
    ]
    whole, part = Answers([position]), Answers([position])
    inside = (slice(None), *box)
    np.testing.assert_array_equal(blended(data, grid, part, chosen)[inside], blended(data, grid, whole)[inside])
    assert (part.evaluated, whole.evaluated) == (len(chosen), len(grid.tiles))
    assert part.evaluated < whole.evaluated / 3


def test_stopping_takes_effect_after_the_running_patch():
    asked = []

    def network(patches):
        asked.append(1)
        return patches

    run = Run(cancelled=lambda: len(asked) == 3)
    answers = Answers([network], asked=run.check)
    with pytest.raises(CancelledError):
        blended(noise(1, 20, 20, 20), make_tiles((20, 20, 20), (8, 8, 8)), answers, run=run)
    assert len(asked) == 3
