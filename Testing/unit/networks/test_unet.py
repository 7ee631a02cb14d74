"""The planned U-Nets: nnU-Net's parameter names, sizes at every level, first weights, and a count done by hand."""

import pytest
import torch

from mtann.errors import SettingsError
from mtann.networks.registry import build_network
from mtann.planning.plan import Architecture


def architecture(dimensions=3, **changes):
    values = {
        "features": (4, 8, 12),
        "kernel_sizes": ((1, 3, 3)[-dimensions:], (3, 3, 3)[-dimensions:], (3, 3, 3)[-dimensions:]),
        "strides": ((1, 1, 1)[-dimensions:], (1, 2, 2)[-dimensions:], (2, 2, 2)[-dimensions:]),
        "encoder_blocks": (1, 2, 2),
        "decoder_convolutions": (1, 2),
    }
    return Architecture(**{**values, **changes})


def unit(name, bias=True):
    parts = ["conv.weight", *(["conv.bias"] if bias else []), "norm.weight", "norm.bias"]
    return {f"{name}.{part}" for part in parts}


DECODER = {
    "decoder.stages.0.convs.0",  # the first stage of the decoder is the coarsest
    "decoder.stages.1.convs.0",
    "decoder.stages.1.convs.1",
}
HEADS = {
    f"decoder.{layer}.{level}.{part}"
    for layer in ("transpconvs", "seg_layers")
    for level in (0, 1)
    for part in ("weight", "bias")
}


def test_a_plain_network_names_its_parameters_as_nnunet_does():
    stacks = {"encoder.stages.0.0.convs.0"} | {f"encoder.stages.{s}.0.convs.{k}" for s in (1, 2) for k in (0, 1)}
    expected = set.union(HEADS, *(unit(name) for name in stacks | DECODER))
    network = build_network(architecture(), 2, 3, (4, 8, 8))
    assert set(network.state_dict()) == expected


def test_a_residual_network_names_its_parameters_as_nnunet_does():
    units = {"encoder.stem.convs.0"} | DECODER
    units |= {f"encoder.stages.0.blocks.0.conv{k}" for k in (1, 2)}
    units |= {f"encoder.stages.{s}.blocks.{b}.conv{k}" for s in (1, 2) for b in (0, 1) for k in (1, 2)}
    # Each shortcut with a stride first takes the mean, so its convolution is the second module.
    shortcuts = {f"encoder.stages.{s}.blocks.0.skip.1" for s in (1, 2)}
    expected = set.union(HEADS, *map(unit, units), *(unit(name, bias=False) for name in shortcuts))
    network = build_network(architecture(network="residual_unet"), 2, 3, (4, 8, 8))
    assert set(network.state_dict()) == expected


def test_parameters_are_as_many_as_counted_by_hand():
    flat = Architecture(
        features=(2, 3),
        kernel_sizes=((3, 3), (3, 3)),
        strides=((1, 1), (2, 2)),
        encoder_blocks=(1, 1),
        decoder_convolutions=(1,),
    )
    # convolution + bias + normalisation: down 1->2 and 2->3, up 3->2 (2x2), merge 4->2; head 2->2 (1x1)
    counted = (18 + 2 + 4) + (54 + 3 + 6) + (24 + 2) + (72 + 2 + 4) + (4 + 2)
    network = build_network(flat, 1, 2, (4, 4))
    assert sum(parameter.numel() for parameter in network.parameters()) == counted


@pytest.mark.parametrize("name", ["plain_unet", "residual_unet"])
@pytest.mark.parametrize("dimensions", [2, 3])
def test_levels_come_finest_first_in_training_and_one_tensor_else(name, dimensions):
    shape = architecture(dimensions, network=name)
    patch, half = (4, 8, 8)[-dimensions:], (4, 4, 4)[-dimensions:]
    network = build_network(shape, 2, 3, patch, deep_supervision=True)
    images = torch.randn(2, 2, *patch)
    levels = network.train()(images)
    assert [tuple(level.shape) for level in levels] == [(2, 3, *patch), (2, 3, *half)]
    assert torch.equal(network.eval()(images), levels[0])  # instance normalisation has no running state


def test_without_deep_supervision_training_sees_one_tensor_too():
    network = build_network(architecture(), 1, 2, (4, 8, 8)).train()
    assert network(torch.randn(1, 1, 4, 8, 8)).shape == (1, 2, 4, 8, 8)


def test_every_parameter_learns_under_deep_supervision():
    network = build_network(architecture(network="residual_unet"), 1, 2, (4, 8, 8), deep_supervision=True)
    with torch.no_grad():  # a residual block that begins as its shortcut stops the gradient at first
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    sum(level.square().sum() for level in network.train()(torch.randn(1, 1, 4, 8, 8))).backward()
    silent = [name for name, parameter in network.named_parameters() if not parameter.grad.abs().sum() > 0]
    # A bias in front of instance normalisation is taken out again: its gradient is rounding, which may be nought.
    assert [name for name in silent if not name.endswith("conv.bias")] == []


def test_a_fresh_residual_block_is_its_shortcut():
    network = build_network(architecture(network="residual_unet", encoder_blocks=(2, 1, 1)), 1, 2, (4, 8, 8))
    features = torch.rand(1, 4, 4, 8, 8)
    assert torch.equal(network.encoder.stages[0](features.clone()), features)


def test_weights_are_drawn_for_the_leaky_relu():
    torch.manual_seed(0)
    wide = architecture(features=(64, 64, 64), kernel_sizes=((3, 3, 3),) * 3)
    network = build_network(wide, 1, 2, (4, 8, 8))
    weight = network.encoder.stages[1][0].convs[0].conv.weight
    assert weight.std().item() == pytest.approx((2 / (1 + 0.01**2) / (64 * 27)) ** 0.5, rel=0.02)
    assert network.encoder.stages[1][0].convs[0].conv.bias.abs().max() == 0


def test_a_single_stage_is_refused():
    one = Architecture(
        features=(4,), kernel_sizes=((3, 3, 3),), strides=((1, 1, 1),), encoder_blocks=(2,), decoder_convolutions=()
    )
    with pytest.raises(SettingsError, match="at least two stages"):
        build_network(one, 1, 2, (4, 4, 4))


def test_dimensions_that_do_not_agree_are_refused():
    with pytest.raises(SettingsError, match="3 dimensions; its patch has 2"):
        build_network(architecture(), 1, 2, (8, 8))
