"""Networks by name: each builds, answers and learns on plans in two and three dimensions, or says why it cannot."""

import pytest
import torch

from mtann.errors import SettingsError
from mtann.networks.registry import NETWORKS, build_network, find_network, smallest_block
from mtann.planning.plan import Architecture

MONAI = [name for name, entry in NETWORKS.items() if entry.source == "MONAI"]


def architecture(name, dimensions, coarse_axis=False):
    down = (1, 2, 2)[-dimensions:] if coarse_axis else (2,) * dimensions
    return Architecture(
        network=name,
        features=(8, 16, 16),
        kernel_sizes=((3,) * dimensions,) * 3,
        strides=((1,) * dimensions, down, down),
        encoder_blocks=(1, 1, 1),
        decoder_convolutions=(1, 1),
    )


def patch_of(name, dimensions):
    flat = {"swin_unetr": 64, "unetr": 32, "unet_plus_plus": 32}.get(name, 16)
    return (flat, 32, 32)[:dimensions] if dimensions == 3 else (flat, flat)


@pytest.mark.slow
@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_builds_answers_and_learns(name, dimensions):
    patch = patch_of(name, dimensions)
    torch.manual_seed(0)
    network = build_network(architecture(name, dimensions), 2, 3, patch, deep_supervision=True).train()
    images = torch.randn(1, 2, *patch)
    answers = network(images)
    assert isinstance(answers, list)
    assert answers[0].shape == (1, 3, *patch)
    assert (len(answers) > 1) == NETWORKS[name].deep_supervision
    answers[0].square().mean().backward()
    first = next(parameter for parameter in network.parameters() if parameter.dim() > 2)  # the first convolution
    assert first.grad.abs().sum() > 0
    before = answers[0].detach().square().mean()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.grad is not None:
                parameter -= 1e-3 * parameter.grad
    assert network(images)[0].square().mean() < before
    with torch.no_grad():
        assert network.eval()(images).shape == (1, 3, *patch)


def test_attention_takes_the_strides_of_the_plan():
    network = build_network(architecture("attention_unet", 3, coarse_axis=True), 1, 2, (3, 16, 16)).eval()
    assert network(torch.randn(1, 1, 3, 16, 16)).shape == (1, 2, 3, 16, 16)


@pytest.mark.parametrize(
    ("name", "patch", "said"),
    [
        ("attention_unet", (16, 16, 18), "multiple of 4 x 4 x 4 voxels; the plan has 16 x 16 x 18"),
        ("unet_plus_plus", (16, 24, 32), "multiple of 16 x 16 x 16"),
        ("segresnet", (12, 16, 16), "multiple of 8 x 8 x 8"),
        ("swin_unetr", (32, 48, 64), "multiple of 32 x 32 x 32"),
        ("swin_unetr", (32, 32, 32), "at least 64 voxels along some axis"),
        ("unetr", (16, 16, 40), "multiple of 16 x 16 x 16"),
    ],
)
def test_a_patch_that_a_network_cannot_work_on_is_refused(name, patch, said):
    with pytest.raises(SettingsError, match=said):
        build_network(architecture(name, 3), 1, 2, patch)


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(SettingsError, match="no network 'resnet'. Use one of: plain_unet, residual_unet"):
        find_network("resnet")


def test_the_networks_that_were_promised_are_there():
    assert {"attention_unet", "unet_plus_plus", "segresnet", "swin_unetr", "unetr"} == set(MONAI)


def test_the_smallest_block_is_two_voxels_wide_at_the_coarsest_stage():
    # Twice down by (1, 2, 2): the coarsest stage is once, 4 and 4 times as coarse.
    assert smallest_block(architecture("plain_unet", 3, coarse_axis=True), (40, 56, 6)) == (2, 8, 6)
    assert smallest_block(architecture("residual_unet", 2), (64, 48)) == (8, 8)


def test_what_takes_one_size_only_is_tried_on_its_patch():
    assert smallest_block(architecture("unetr", 3), (32, 32, 32)) == (32, 32, 32)


@pytest.mark.parametrize("name", [name for name, entry in NETWORKS.items() if entry.convolutional])
def test_convolutional_networks_answer_on_their_smallest_block(name):
    shape = architecture(name, 3)
    smallest = smallest_block(shape, (32, 32, 32))
    network = build_network(shape, 2, 3, (32, 32, 32)).eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, 2, *smallest)).shape == (1, 3, *smallest)
