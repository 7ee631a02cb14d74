"""Transposed convolutions merged with the convolutions behind them: the same answers, to rounding."""

import pytest
import torch
from torch import nn

from mtann.networks.merged import merged
from mtann.networks.registry import build_network
from mtann.planning.plan import Architecture


def network(strides, kernels, name="plain_unet", seed=0):
    levels = len(strides)
    architecture = Architecture(
        network=name,
        features=tuple(4 * 2**level for level in range(levels)),
        kernel_sizes=kernels,
        strides=strides,
        encoder_blocks=(1,) * levels,
        decoder_convolutions=(2,) * (levels - 1),
    )
    torch.manual_seed(seed)
    built = build_network(architecture, 2, 3, (8,) * len(strides[0])).eval()
    for name, parameter in built.named_parameters():
        if name.endswith("bias"):  # drawn as zeros, which would hide what becomes of them at borders
            nn.init.normal_(parameter)
    return built


TWOS, THREES = (2, 2, 2), (3, 3, 3)


@pytest.mark.parametrize("name", ["plain_unet", "residual_unet"])
@pytest.mark.parametrize(
    ("strides", "kernels", "size"),
    [
        (((1, 1, 1), TWOS, TWOS), (THREES,) * 3, (16, 12, 8)),
        (((1, 1, 1), (1, 2, 2), TWOS), ((1, 3, 3), THREES, THREES), (4, 16, 8)),
        (((1, 1, 1), TWOS), ((1, 3, 3), THREES), (2, 2, 6)),
        (((1, 1, 1), (1, 4, 2)), ((3, 3, 3), (3, 3, 3)), (5, 16, 8)),
        (((1, 1, 1), TWOS), ((5, 3, 1), THREES), (8, 4, 4)),
        (((1, 1), (2, 2), (2, 2)), ((3, 3),) * 3, (16, 12)),
    ],
)
def test_it_answers_as_the_network_does(name, strides, kernels, size):
    whole = network(strides, kernels, name)
    images = torch.randn(2, 2, *size)
    together = merged(whole, images.shape)
    assert together is not whole
    with torch.inference_mode():
        expected = whole(images)
        assert torch.allclose(together(images), expected, atol=2e-5 * float(expected.abs().max()), rtol=0)


def test_the_given_network_is_left_as_it_was():
    whole = network(((1, 1, 1), TWOS), (THREES,) * 2)
    before = {name: tensor.clone() for name, tensor in whole.state_dict().items()}
    merged(whole, (1, 2, 8, 8, 8))
    assert all(torch.equal(before[name], tensor) for name, tensor in whole.state_dict().items())


def test_blocks_where_a_voxel_is_near_both_borders_are_left_to_the_network():
    whole = network(((1, 1, 1), (1, 2, 2)), (THREES, THREES))
    assert merged(whole, (1, 2, 1, 8, 8)) is whole
    assert merged(whole, (1, 2, 2, 8, 8)) is not whole


def test_other_networks_are_left_alone():
    other = nn.Sequential(nn.ConvTranspose3d(2, 2, 2, 2), nn.Conv3d(2, 2, 3, padding=1))
    assert merged(other, (1, 2, 8, 8, 8)) is other
