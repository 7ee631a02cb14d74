"""The ways to evaluate a first layer: each gives the reference, and the cheapest is chosen."""

import math

import numpy as np
import pytest
import torch

import mtann.inference.scan as scanning
from mtann.backends.computation import Computation
from mtann.inference import depth_fourier
from mtann.inference.layers import LevelKernel, ScanLayers, layers_of
from mtann.inference.plan import depth_plans, direct_plan, plan_scan, planar_plans
from mtann.inference.rank import reduce_rank
from mtann.inference.scan import scan, scan_layers
from mtann.settings import NetworkSettings
from unit.inference.scanned import PARITY, along_z, by_fourier, random_network, voxel_by_voxel


@pytest.mark.parametrize(
    ("form", "dilations", "hidden"),
    [
        ({"dimensions": 2}, (1, 2), (6, 4)),
        ({"subvolume": "sphere"}, (1, 2), (6, 4)),
        ({"subvolume": "planes"}, (2,), (5,)),
    ],
)
def test_openvino_agrees_with_voxel_by_voxel(form, dilations, hidden):
    network = random_network(NetworkSettings(**form, dilations=dilations, hidden=hidden), 2, 5)
    images = [np.random.default_rng(seed).normal(size=(9, 14, 11)).astype(np.float32) for seed in (0, 1)]
    expected = voxel_by_voxel(network, images)
    how = Computation("cpu", "openvino", "fp32", "the test asks for it")
    np.testing.assert_allclose(scan(network, images, tile_voxels=8, computation=how), expected, atol=1e-4)
    if form == {"subvolume": "sphere"}:
        strided = scan(network, images, tile_voxels=8, stride=2, computation=how)
        np.testing.assert_allclose(strided, expected[:, ::2, ::2, ::2], atol=1e-4)


@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_less_precision_is_taken_only_where_it_is_asked_for(backend):
    network = random_network(NetworkSettings(dilations=(1,), hidden=(8,)), 1, 6)
    image = np.random.default_rng(6).normal(size=(8, 9, 10)).astype(np.float32)
    short = scan(network, [image], computation=Computation("cpu", backend, "bf16", "the test asks for it"))
    difference = np.abs(short - voxel_by_voxel(network, [image])).max()
    assert 1e-4 < difference < 0.05


@pytest.mark.parametrize("size", [(3, 11, 11), (1, 15, 5), (7, 7, 7)])
def test_kernels_of_any_size_are_scanned(size):
    random = torch.Generator().manual_seed(0)
    volume = torch.randn(6, 20, 22, generator=random)
    weight, bias = torch.randn(5, 1, *size, generator=random) / 10, torch.randn(5, generator=random)
    layers = ScanLayers((LevelKernel(0, 1, weight),), 5, 5, bias, lambda sums: sums)
    around = [n // 2 for n in reversed(size) for _ in (0, 1)]
    padded = torch.nn.functional.pad(volume[None, None], around, mode="replicate")
    expected = torch.conv3d(padded, weight, bias)[0]
    plans = [direct_plan(layers, volume.shape, 16), *planar_plans(layers, volume.shape, 16, (1, 1, 1))]
    for plan in plans + depth_plans(layers, volume.shape, 16, (1, 1, 1)):
        np.testing.assert_allclose(scan_layers([layers], [[volume.numpy()]], plan=plan), expected, atol=1e-5)


@pytest.mark.parametrize("strides", [(1, 1, 1), (2, 2, 2), (3, 2, 1)])
def test_a_tile_is_worked_on_some_lines_at_a_time(strides, monkeypatch):
    # Two lines at a time; of 7 and of 13, the last is alone.
    monkeypatch.setattr(depth_fourier, "_AT_ONCE_BYTES", 1)
    monkeypatch.setattr(depth_fourier, "_LEAST_AT_ONCE", -(-22 // strides[2]) + 1)
    random = torch.Generator().manual_seed(0)
    tile = torch.randn(1, 5, 13, 22, generator=random)
    block = torch.nn.functional.pad(tile, (2, 2, 2, 2, 1, 1), mode="replicate")
    weight, bias = torch.randn(4, 1, 3, 5, 5, generator=random), torch.randn(4, generator=random)
    layers = ScanLayers((LevelKernel(0, 1, weight),), 4, 4, bias, lambda sums: sums)
    expected = torch.conv3d(block[None], weight, bias)[0][:, :: strides[0], :: strides[1], :: strides[2]]
    pieces = list(depth_fourier.DepthFourier(layers, 9).likelihoods([block], tile.shape[1:], strides))
    assert len(pieces) > 2
    assert len({values.shape[2] for _, values in pieces}) == 2
    assert [place for place, _ in pieces] == [(0, first, 0) for first in range(0, expected.shape[2], 2)]
    np.testing.assert_allclose(torch.cat([values for _, values in pieces], dim=2), expected, atol=1e-5)


def test_transforms_along_z_are_of_odd_length():
    layers = ScanLayers((LevelKernel(0, 1, torch.ones(1, 1, 3, 3, 3)),), 1, 1, torch.zeros(1), lambda sums: sums)
    with pytest.raises(ValueError, match="odd length; found 10"):
        depth_fourier.DepthFourier(layers, 10)


@pytest.mark.parametrize("way", [by_fourier, along_z])
def test_a_few_peaks_on_nothing_are_summed_directly(way):
    network = random_network(NetworkSettings(dilations=(1,), hidden=(25,)), 1, 7)
    image = np.random.default_rng(7).normal(size=(10, 40, 40)).astype(np.float32)
    image[5, 20, 20] = 1e5
    away = np.ones(image.shape, dtype=bool)
    away[1:9, 16:25, 16:25] = False
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(scanning, "_plan", way)
        found = scan(network, [image])
    np.testing.assert_allclose(found[:, away], voxel_by_voxel(network, [image])[:, away], atol=PARITY)


def test_units_that_depend_on_each_other_need_fewer_kernels():
    network = random_network(NetworkSettings(dimensions=2, dilations=(1,), hidden=(20,)), 1, 8)
    with torch.no_grad():
        network.deviation.fill_(1.5)
        network.first_weight[0, 10:] = 2 * network.first_weight[0, :10]
        network.first_weight[1] = network.first_weight[0].flip(0)
    layers = layers_of(network)
    reduced = reduce_rank(layers)
    assert (layers.units, reduced.units, reduced.members) == (40, 10, 2)
    image = np.random.default_rng(8).normal(size=(3, 20, 20)).astype(np.float32)
    np.testing.assert_allclose(scan(network, [image]), voxel_by_voxel(network, [image]), atol=PARITY)
    full = random_network(NetworkSettings(dilations=(1,), hidden=(25,)), 1, 8)
    assert reduce_rank(layers_of(full)).units == 50


@pytest.mark.parametrize(
    ("edge", "device", "expected"), [(7, "cpu", "depth"), (21, "cpu", "planar"), (15, "cuda", "direct")]
)
def test_the_cheapest_way_follows_kernel_and_device(edge, device, expected):
    kernel = LevelKernel(0, 1, torch.ones(25, 1, edge, edge, edge))
    layers = ScanLayers((kernel,), 25, 1, torch.zeros(25), lambda sums: sums)
    assert plan_scan(layers, (155, 240, 240), 64, device=device).method == expected


@pytest.mark.parametrize(
    ("channels", "box", "stride", "expected"),
    [
        (1, (155, 240, 240), 1, "depth"),
        (4, (155, 240, 240), 2, "direct"),
        (1, (64, 96, 128), 2, "direct"),
        (1, (8, 8, 8), 1, "direct"),
    ],
)
def test_the_cheapest_way_follows_channels_box_and_stride(channels, box, stride, expected):
    layers = layers_of(random_network(NetworkSettings(dilations=(1, 2, 4)), channels, 3))
    assert plan_scan(layers, box, 64, (stride,) * 3).method == expected


@pytest.mark.parametrize(
    ("box", "along_x", "least"),
    [
        ((300, 512, 512), 256, 24),
        ((155, 240, 240), 240, 20),
        ((100, 160, 160), 80, 24),
        ((64, 96, 128), 64, 8),
        ((7, 7, 512), 64, 8),
    ],
)
def test_lines_are_long_only_where_many_processors_still_find_tiles(box, along_x, least):
    kernel = LevelKernel(0, 1, torch.ones(25, 1, 7, 7, 7))
    layers = ScanLayers((kernel,), 25, 1, torch.zeros(25), lambda sums: sums)
    plan = min(depth_plans(layers, box, 64, (1, 1, 1)), key=lambda one: one.cost_ns)
    assert plan.tile_zyx[2] == along_x
    assert math.prod(-(-n // edge) for n, edge in zip(box, plan.tile_zyx, strict=True)) >= least


def test_only_the_masks_bounding_box_is_smoothed_and_scanned(monkeypatch):
    seen = []
    original = scanning.level_volumes
    monkeypatch.setattr(
        scanning, "level_volumes", lambda channels, *more: seen.append(channels[0].shape) or original(channels, *more)
    )
    network = random_network(NetworkSettings(dilations=(1, 2), hidden=(4,)), 1, 9)
    image = np.random.default_rng(9).normal(size=(40, 50, 60)).astype(np.float32)
    mask = np.zeros(image.shape, dtype=bool)
    mask[20:23, 5, 30:34] = True
    within, everywhere = scan(network, [image], mask), scan(network, [image])
    # A kernel of 3 at dilation 2, and 2 voxels of smoothing, on either side: 8; at the front only 5 are there.
    assert seen[0] == (3 + 16, 1 + 5 + 8, 4 + 16)
    np.testing.assert_allclose(within[:, mask], everywhere[:, mask], atol=PARITY)
    assert not within[:, ~mask].any()
    assert not scan(network, [image], np.zeros_like(mask)).any()
