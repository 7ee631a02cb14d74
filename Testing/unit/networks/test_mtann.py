import numpy as np
import torch

from mtann.networks.mtann import MTANN
from mtann.sampling.kernel import kernel_radius_zyx, subvolume_offsets
from mtann.settings import NetworkSettings, preset
from mtann.training.mtann import offset_symmetries


def test_the_inputs_are_those_of_the_literature():
    three, two = subvolume_offsets(3), subvolume_offsets(2)
    assert len(three) == 171
    assert (three**2).sum(axis=1).max() == 11
    assert len(two) == 81
    assert not two[:, 0].any()
    for dimensions, offsets in ((3, three), (2, two)):
        np.testing.assert_array_equal(np.abs(offsets).max(axis=0), kernel_radius_zyx(dimensions))


def test_the_historic_preset_is_frozen():
    network, training = preset("historic")
    assert (network.dimensions, network.dilations, network.hidden) == (3, (1,), (25,))
    assert (training.teacher, training.fixed_teaching_sigma_voxels) == ("gaussian", 4.5)
    parameters = MTANN(network, 1)
    assert parameters.first_weight.shape == (25, 1, 1, 171)
    assert parameters.output.weight.shape == (1, 25)
    flat, flat_training = preset("historic", 2)
    assert MTANN(flat, 1).first_weight.shape == (25, 1, 1, 81)
    assert flat_training.fixed_teaching_sigma_voxels == 5.0


def test_the_network_computes_suzukis_formula():
    torch.manual_seed(0)
    network = MTANN(NetworkSettings(dilations=(1,), hidden=(3,)), 1)
    x = torch.randn(5, 1, 1, 171)
    w, b = network.first_weight.reshape(3, 171), network.first_bias
    v, c = network.output.weight[0], network.output.bias[0]
    expected = torch.sigmoid(x.reshape(5, 171) @ w.T + b) @ v + c
    torch.testing.assert_close(network(x), expected)


def test_turning_the_network_is_turning_the_subvolume():
    torch.manual_seed(1)
    network = MTANN(NetworkSettings(dilations=(1, 2), hidden=(4, 3)), 2)
    x = torch.randn(6, 2, 2, 171)
    symmetries = torch.from_numpy(offset_symmetries(network.settings))
    inverse = torch.argsort(symmetries[17])
    torch.testing.assert_close(network(x, symmetries[17]), network(x[..., inverse]))


def test_symmetries_are_the_48_of_the_cube_and_the_8_of_the_square():
    for dimensions, count in ((3, 48), (2, 8)):
        symmetries = offset_symmetries(NetworkSettings(dimensions=dimensions))
        assert len({tuple(row) for row in symmetries.tolist()}) == count
        offsets = subvolume_offsets(dimensions)
        for row in symmetries:
            # Each keeps every input's distance from the centre.
            np.testing.assert_array_equal((offsets[row] ** 2).sum(axis=1), (offsets**2).sum(axis=1))
