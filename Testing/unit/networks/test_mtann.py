import numpy as np
import pytest
import torch

from mtann.networks.mtann import MTANN
from mtann.sampling.kernel import dilations_for, kernel_boxes, kernel_radius_zyx, subvolume_offsets
from mtann.sampling.symmetries import offset_symmetries
from mtann.settings import NetworkSettings, preset

SHAPES = (NetworkSettings(), NetworkSettings(subvolume="planes"), NetworkSettings(dimensions=2))


def test_the_inputs_are_those_of_the_literature():
    sphere, planes, square = (subvolume_offsets(network) for network in SHAPES)
    assert len(sphere) == 171
    assert (sphere**2).sum(axis=1).max() == 11
    # Three planes of 81, less the three axes of 9 that two of them share, and the centre that all three do.
    assert len(planes) == len(np.unique(planes, axis=0)) == 3 * 81 - 3 * 9 + 1
    assert (planes == 0).any(axis=1).all()
    assert len(square) == 81
    assert not square[:, 0].any()
    for network, offsets in zip(SHAPES, (sphere, planes, square), strict=True):
        np.testing.assert_array_equal(np.abs(offsets).max(axis=0), kernel_radius_zyx(network))


@pytest.mark.parametrize("network", SHAPES)
def test_the_boxes_of_a_subvolume_hold_every_input_once(network):
    offsets, boxes = subvolume_offsets(network), kernel_boxes(network)
    assert [number for box in boxes for number in range(len(offsets))[box.inputs]] == list(range(len(offsets)))
    for box in boxes:
        assert (np.abs(offsets[box.inputs]) <= box.radius_zyx).all()


def test_the_historic_preset_is_frozen():
    network, training = preset("historic")
    assert (network.dimensions, network.dilations, network.hidden) == (3, (1,), (25,))
    assert (training.teacher, training.fixed_teaching_sigma_voxels) == ("gaussian", 4.5)
    parameters = MTANN(network, 1)
    assert parameters.first_weight.shape == (1, 25, 1, 1, 171)
    assert parameters.output_weight.shape == (1, 25)
    flat, flat_training = preset("historic", 2)
    assert MTANN(flat, 1).first_weight.shape == (1, 25, 1, 1, 81)
    assert flat_training.fixed_teaching_sigma_voxels == 5.0


def test_the_network_computes_suzukis_formula():
    torch.manual_seed(0)
    network = MTANN(NetworkSettings(dilations=(1,), hidden=(3,)), 1, seeds=(4, 5))
    x = torch.randn(2, 5, 1, 1, 171)
    answers = network(x)
    for member in (0, 1):
        w, b = network.first_weight[member].reshape(3, 171), network.first_bias[member]
        v, c = network.output_weight[member], network.output_bias[member]
        expected = torch.sigmoid(x[member].reshape(5, 171) @ w.T + b) @ v + c
        torch.testing.assert_close(answers[member], expected)


@pytest.mark.parametrize(
    ("radii_mm", "spacing_mm", "expected"),
    [
        ([2, 3, 4, 5], 1.0, (1, 2)),  # 1.25 x 4.7 voxels is nearly 6, twice the half-width of 3
        ([1.5, 7.5], 1.0, (1, 2, 4)),
        ([1.5, 2.0], 1.0, (1,)),
        ([2, 20], 1.0, (1, 2, 4, 8)),
        ([2, 2, 2, 60, 60, 60], 1.0, (1, 3, 6, 16)),
        ([8, 30], 1.0, (2, 4, 8, 16)),
        ([4, 6, 8, 10], 2.0, (1, 2)),
    ],
)
def test_levels_follow_the_lesions_radii(radii_mm, spacing_mm, expected):
    assert dilations_for(radii_mm, spacing_mm, NetworkSettings()) == expected


def test_without_a_level_there_is_no_network():
    with pytest.raises(ValueError, match="at least one resolution level"):
        MTANN(preset("default")[0], 1)


def test_turning_the_network_is_turning_the_subvolume():
    torch.manual_seed(1)
    network = MTANN(NetworkSettings(dilations=(1, 2), hidden=(4, 3)), 2)
    x = torch.randn(1, 6, 2, 2, 171)
    symmetries = torch.from_numpy(offset_symmetries(network.settings))
    inverse = torch.argsort(symmetries[17])
    torch.testing.assert_close(network.sums(x, symmetries[17:18]), network.sums(x[..., inverse]))


def test_varying_the_sums_is_varying_the_intensities():
    torch.manual_seed(2)
    network = MTANN(NetworkSettings(dilations=(1, 2), hidden=(4,)), 2)
    with torch.no_grad():
        network.mean.uniform_(-1, 1)
        network.deviation.uniform_(0.5, 2)
    x = torch.randn(1, 6, 2, 2, 171)
    scale, shift = 1 + 0.1 * torch.randn(1, 6, 2), torch.randn(1, 6, 2)
    moved = x * scale[..., None, None] + (shift * network.deviation[:, None, :, 0])[..., None, None]
    torch.testing.assert_close(network.sums(x, scale=scale, shift=shift), network.sums(moved), atol=1e-5, rtol=1e-4)


def test_a_members_weights_follow_from_its_seed_alone():
    settings = NetworkSettings(dilations=(1,), hidden=(4, 3))
    together, alone = MTANN(settings, 1, seeds=(7, 8)), MTANN(settings, 1, seeds=(8,))
    for name, tensor in together.member([1]).state_dict().items():
        torch.testing.assert_close(tensor, alone.state_dict()[name], rtol=0, atol=0)


def test_symmetries_are_the_48_of_the_cube_and_the_8_of_the_square():
    for dimensions, count in ((3, 48), (2, 8)):
        network = NetworkSettings(dimensions=dimensions)
        symmetries = offset_symmetries(network)
        assert len({tuple(row) for row in symmetries.tolist()}) == count
        offsets = subvolume_offsets(network)
        for row in symmetries:
            # Each keeps every input's distance from the centre.
            np.testing.assert_array_equal((offsets[row] ** 2).sum(axis=1), (offsets**2).sum(axis=1))
