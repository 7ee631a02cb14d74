"""The scan by convolution against the definition: one subvolume a voxel."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import mtann.inference.scan as scanning
from mtann.errors import CancelledError
from mtann.inference.boxes import with_halo
from mtann.inference.scan import scan
from mtann.networks.mtann import MTANN
from mtann.progress import Run
from mtann.settings import NetworkSettings
from unit.inference.scanned import PARITY, along_z, by_fourier, directly, random_network, voxel_by_voxel


@pytest.mark.parametrize("way", [by_fourier, along_z, directly, None])
@settings(max_examples=15)
@given(
    shape=st.tuples(st.integers(1, 11), st.integers(1, 11), st.integers(1, 11)),
    form=st.sampled_from([{"dimensions": 2}, {"subvolume": "sphere"}, {"subvolume": "planes"}]),
    dilations=st.lists(st.integers(1, 3), min_size=1, max_size=2).map(tuple),
    hidden=st.sampled_from([(5,), (6, 4)]),
    channels=st.integers(1, 3),
    tile=st.integers(1, 12),
    seed=st.integers(0, 10_000),
)
def test_tiled_untiled_and_voxel_by_voxel_agree(way, shape, form, dilations, hidden, channels, tile, seed):
    network = random_network(NetworkSettings(**form, dilations=dilations, hidden=hidden), channels, seed)
    random = np.random.default_rng(seed)
    images = [random.normal(size=shape).astype(np.float32) for _ in range(channels)]
    expected = voxel_by_voxel(network, images)
    along = (1, 2, 2) if form.get("dimensions") == 2 else (2, 2, 2)
    every_second = (slice(None), *(slice(None, None, step) for step in along))
    with pytest.MonkeyPatch.context() as patched:
        if way is not None:
            patched.setattr(scanning, "_plan", way)
        np.testing.assert_allclose(scan(network, images, tile_voxels=64), expected, atol=PARITY)
        np.testing.assert_allclose(scan(network, images, tile_voxels=tile), expected, atol=PARITY)
        part = scan(network, images, tile_voxels=tile, stride=2)
    np.testing.assert_allclose(part, expected[every_second], atol=PARITY)


def test_lines_of_several_tiles_side_by_side_agree_with_voxel_by_voxel(monkeypatch):
    network = random_network(NetworkSettings(dilations=(1,), hidden=(4,)), 1, 4)
    image = np.random.default_rng(4).normal(size=(9, 20, 300)).astype(np.float32)
    expected, planned = voxel_by_voxel(network, [image]), []

    def way(*given):
        planned.append(along_z(*given))
        return planned[-1]

    monkeypatch.setattr(scanning, "_plan", way)
    np.testing.assert_allclose(scan(network, [image], tile_voxels=8), expected, atol=PARITY)
    part = scan(network, [image], tile_voxels=8, stride=2)
    np.testing.assert_allclose(part, expected[:, ::2, ::2, ::2], atol=PARITY)
    assert [plan.tile_zyx[2] for plan in planned] == [30, 30]


def test_a_network_that_answers_its_centre_voxel_returns_the_image():
    network = MTANN(NetworkSettings(dilations=(1,), hidden=(1,)), 1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.first_weight[0, 0, 0, 0, 85] = 0.01  # The middle one of 171 inputs: the centre voxel itself.
        network.output_weight.fill_(400.0)  # A sigmoid rises by a quarter near 0, so 0.01 / 4 * 400 is 1.
        network.output_bias.fill_(-200.0)
    image = np.random.default_rng(0).uniform(-1, 1, (9, 8, 7)).astype(np.float32)
    np.testing.assert_allclose(scan(network, [image], tile_voxels=8)[0], image, atol=1e-4)


def test_outside_the_mask_the_likelihood_is_zero_and_inside_it_is_unchanged():
    network = random_network(NetworkSettings(dilations=(1, 2), hidden=(4,)), 1, 1)
    image = np.random.default_rng(1).normal(size=(20, 20, 20)).astype(np.float32)
    mask = np.zeros(image.shape, dtype=bool)
    mask[2:9, 3:8, 12:20] = True
    everywhere, within = scan(network, [image], tile_voxels=8), scan(network, [image], mask, tile_voxels=8)
    np.testing.assert_allclose(within[:, mask], everywhere[:, mask], atol=PARITY)
    assert not within[:, ~mask].any()


def test_a_halo_beyond_the_volume_repeats_its_edge():
    volume = np.arange(12, dtype=np.float32).reshape(1, 3, 4)
    block = with_halo(volume, (slice(0, 1), slice(0, 1), slice(3, 4)), (1, 1, 2))
    np.testing.assert_array_equal(block[1], [[1, 2, 3, 3, 3], [1, 2, 3, 3, 3], [5, 6, 7, 7, 7]])
    np.testing.assert_array_equal(block[0], block[2])


def test_progress_rises_to_the_last_tile_and_cancelling_stops_there():
    network = random_network(NetworkSettings(dilations=(1,), hidden=(2,)), 1, 2)
    image = np.zeros((16, 16, 16), dtype=np.float32)
    seen = []
    scan(network, [image], tile_voxels=8, run=Run(progress=seen.append))
    fractions = [progress.fraction for progress in seen]
    assert fractions == sorted(fractions)
    assert seen[-1].message == "Scanning block 8 of 8"
    with pytest.raises(CancelledError):
        scan(network, [image], tile_voxels=8, run=Run(cancelled=lambda: True))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_graphics_card_agrees_with_the_processor():
    network = random_network(NetworkSettings(), 2, 3)
    images = [np.random.default_rng(seed).normal(size=(40, 50, 60)).astype(np.float32) for seed in (0, 1)]
    np.testing.assert_allclose(scan(network, images, device="cuda"), scan(network.cpu(), images), atol=1e-3)
