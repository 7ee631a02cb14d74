"""Stages of U-Nets counted by hand, and their feature-map values."""

from mtann.planning.memory import feature_values
from mtann.planning.plan import Architecture
from mtann.planning.topology import make_topology


def test_a_cube_is_halved_until_four_voxels_are_left():
    topology = make_topology((1, 1, 1), (128, 128, 128))
    assert topology.strides == ((1, 1, 1), *((2, 2, 2),) * 5)
    assert topology.kernel_sizes == ((3, 3, 3),) * 6
    assert (topology.patch_size, topology.multiples) == ((128, 128, 128), (32, 32, 32))


def test_a_coarse_axis_joins_once_the_others_have_caught_up():
    # Spacings 4, 1, 1 mm become 4, 2, 2 and 4, 4, 4; a kernel leaves the coarse axis out until the factor is below two.
    topology = make_topology((4, 1, 1), (16, 64, 64))
    assert topology.strides == ((1, 1, 1), (1, 2, 2), (1, 2, 2), (2, 2, 2), (2, 2, 2))
    assert topology.kernel_sizes == ((1, 3, 3), (1, 3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3))
    assert topology.multiples == (4, 16, 16)


def test_a_patch_grows_to_what_can_be_halved():
    assert make_topology((1, 1), (107.5, 97)).patch_size == (112, 112)


def test_a_single_axis_is_halved_only_if_more_is_left():
    assert make_topology((1, 1), (11, 6)).strides == ((1, 1),)
    assert make_topology((1, 1), (12, 6)).strides == ((1, 1), (2, 1))


def test_too_small_a_patch_has_one_stage():
    assert make_topology((1, 1, 1), (7, 7, 7)).stages == 1


def shape(network):
    return Architecture(
        network=network,
        features=(2, 4),
        kernel_sizes=((3, 3), (3, 3)),
        strides=((1, 1), (2, 2)),
        encoder_blocks=(1, 2),
        decoder_convolutions=(1,),
    )


def test_values_of_a_plain_network_by_hand():
    # fine stage 2*16, coarse 2 convolutions * 4*4; coming up: transposed 2*16, convolution 2*16, answer 3*16
    assert feature_values(shape("plain_unet"), 3, (4, 4)) == 32 + 32 + 32 + 32 + 48


def test_values_of_a_residual_network_by_hand():
    # stem 32; fine block 2*32; coarse blocks 2*16 with a projection 16, then 2*16; coming up as above
    assert feature_values(shape("residual_unet"), 3, (4, 4)) == 32 + 64 + (32 + 16 + 32) + 32 + 32 + 48
