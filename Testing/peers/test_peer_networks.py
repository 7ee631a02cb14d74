"""Our U-Nets against nnU-Net's own: names without duplicates, and logits from the same weights."""

import pytest
import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet, ResidualEncoderUNet
from torch import nn

from mtann.networks.registry import build_network
from mtann.planning.plan import Architecture

pytestmark = pytest.mark.peers


def architecture(name: str, dimensions: int) -> Architecture:
    return Architecture(
        network=name,
        features=(4, 8, 12, 12),
        kernel_sizes=tuple(kernel[-dimensions:] for kernel in ((1, 3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3))),
        strides=tuple(stride[-dimensions:] for stride in ((1, 1, 1), (1, 2, 2), (2, 2, 2), (1, 2, 2))),
        encoder_blocks=(1, 3, 2, 2),
        decoder_convolutions=(1, 2, 1),
    )


def peer_network(shape: Architecture, dimensions: int) -> nn.Module:
    residual = shape.network == "residual_unet"
    common = {
        "input_channels": 2,
        "num_classes": 3,
        "n_stages": len(shape.features),
        "features_per_stage": shape.features,
        "conv_op": {2: nn.Conv2d, 3: nn.Conv3d}[dimensions],
        "kernel_sizes": shape.kernel_sizes,
        "strides": shape.strides,
        "n_conv_per_stage_decoder": shape.decoder_convolutions,
        "conv_bias": True,
        "norm_op": {2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}[dimensions],
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "nonlin": nn.LeakyReLU,
        "nonlin_kwargs": {"inplace": True},
        "deep_supervision": True,
    }
    blocks = {"n_blocks_per_stage" if residual else "n_conv_per_stage": shape.encoder_blocks}
    return (ResidualEncoderUNet if residual else PlainConvUNet)(**common, **blocks)


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("name", ["plain_unet", "residual_unet"])
def test_the_same_weights_under_the_same_names_give_the_same_logits(name, dimensions):
    torch.manual_seed(0)
    shape, patch = architecture(name, dimensions), (4, 16, 24)[-dimensions:]
    theirs = peer_network(shape, dimensions).train()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))  # norms and biases count, too
    ours = build_network(shape, 2, 3, patch, deep_supervision=True).train()
    weights = {
        key: tensor
        for key, tensor in theirs.state_dict().items()
        if "all_modules" not in key and not key.startswith("decoder.encoder.")
    }
    ours.load_state_dict(weights, strict=True)
    images = torch.randn(2, 2, *patch)
    with torch.no_grad():
        pairs = list(zip(ours(images), theirs(images), strict=True))
    assert len(pairs) == 3
    for mine, its in pairs:
        torch.testing.assert_close(mine, its, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["plain_unet", "residual_unet"])
def test_first_weights_are_spread_alike(name):
    torch.manual_seed(0)
    shape = architecture(name, 3)
    theirs = peer_network(shape, 3)
    theirs.apply(theirs.initialize)
    drawn = dict(theirs.named_parameters())
    for key, mine in build_network(shape, 2, 3, (4, 16, 24)).named_parameters():
        if mine.numel() > 500:
            assert mine.std().item() == pytest.approx(drawn[key].std().item(), rel=0.2), key
        else:
            assert (mine.abs().max() == 0) == (drawn[key].abs().max() == 0), key
