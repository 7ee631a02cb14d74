"""From images to a U-Net's input, step by step and by hand."""

import numpy as np
import pytest
from unet_plans import CT, configuration, plan

from mtann.errors import ImageError
from mtann.geometry import Geometry
from mtann.preprocess.scheme import fill_holes, normalise_channel
from mtann.preprocess.unet import crop_case, labels_on_grid, unet_case, with_labels
from mtann.volume import Volume


def volume(array, spacing_xyz=(1.0, 1.0, 1.0)):
    array = np.asarray(array)
    return Volume(array, Geometry(array.shape, spacing_xyz, (0.0, 0.0, 0.0)))


def noise(*shape):
    return np.random.default_rng(5).normal(size=shape).astype(np.float32) + 10


def test_the_case_is_cut_to_where_any_channel_is_not_zero():
    first, second = np.zeros((6, 7, 8)), np.zeros((6, 7, 8))
    first[1:3, 2, 3:5] = 5
    second[2, 2:4, 6] = 1
    case = crop_case([volume(first), volume(second)], plan(channels=2))
    assert case.box == (slice(1, 3), slice(2, 4), slice(3, 7))
    assert (case.size, case.cropped_size) == ((6, 7, 8), (2, 2, 4))


def test_axes_are_transposed_first():
    array = np.zeros((4, 5, 6))
    array[1:3, 2:4, 3:6] = noise(2, 2, 3)
    case = crop_case([volume(array, (3.0, 2.0, 1.0))], plan(transpose_forward=(2, 0, 1)))
    assert (case.size, case.spacing) == ((6, 4, 5), (3.0, 1.0, 2.0))
    np.testing.assert_array_equal(case.channels[0], array.transpose(2, 0, 1)[3:6, 1:3, 2:4])


def test_z_scores_over_the_cut_case():
    image = noise(4, 5, 6)
    (data,) = unet_case(crop_case([volume(image)], plan()), configuration()).data
    np.testing.assert_allclose(data, (image - image.mean()) / image.std(), atol=1e-5)


def test_z_scores_within_the_mask_leave_zeros_outside_and_count_enclosed_zeros():
    image = np.zeros((7, 7, 7), dtype=np.float32)
    image[1:6, 1:6, 1:6] = noise(5, 5, 5)
    image[3, 3, 3] = 0  # enclosed: inside
    image[1, 1, 1] = 0  # a corner: outside
    how = configuration(normalise_in_mask=(True,))
    (data,) = unet_case(crop_case([volume(image)], plan(configurations=(how,))), how).data
    inside = np.ones((5, 5, 5), dtype=bool)
    inside[0, 0, 0] = False
    cut = image[1:6, 1:6, 1:6]
    assert data[0, 0, 0] == 0
    expected = (cut[inside] - cut[inside].mean()) / cut[inside].std()
    np.testing.assert_allclose(data[inside], expected, atol=1e-5)


def test_fill_holes_fills_what_is_enclosed_by_faces():
    mask = np.zeros((5, 5, 5), dtype=bool)
    mask[1:4, 1:4, 1:4] = True
    mask[2, 2, 2] = False
    assert fill_holes(mask).sum() == 27
    mask[2, 2, 1] = False  # a tunnel to the outside
    assert fill_holes(mask).sum() == 25
    assert fill_holes(np.ones((2, 2, 2), dtype=bool)).all()


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("ct", [(-100 - 40) / 20, (50 - 40) / 20, (200 - 40) / 20]),
        ("none", [-500, 50, 300]),
        ("rescale_0_1", [0, 550 / 800, 1]),
    ],
)
def test_normalisations_by_hand(how, expected):
    image = np.array([-500, 50, 300], dtype=np.float32).reshape(1, 1, 3)
    normalise_channel(image, how, CT, None, "ct")
    np.testing.assert_allclose(image.ravel(), expected, rtol=1e-6)


def test_colours_are_divided_by_255_and_other_values_refused():
    image = np.array([0, 51, 255], dtype=np.float32).reshape(1, 1, 3)
    normalise_channel(image, "rgb_0_1", CT, None, "red")
    np.testing.assert_allclose(image.ravel(), [0, 0.2, 1], rtol=1e-6)
    with pytest.raises(ImageError, match="'red' takes one colour.*found -1 to 300"):
        normalise_channel(np.array([[[-1.0, 300.0]]], dtype=np.float32), "rgb_0_1", CT, None, "red")


def test_the_grid_has_the_configurations_spacing_and_the_way_back_returns():
    ramp = np.broadcast_to(np.arange(1, 21, dtype=np.float32)[:, None, None], (20, 6, 8))
    fine = configuration(spacing=(0.5, 1.0, 2.0), normalisation=("none",))
    case = unet_case(crop_case([volume(ramp)], plan(configurations=(fine,))), fine)
    assert case.data.shape == (1, 40, 6, 4)
    assert case.back.shape == (20, 6, 8)
    np.testing.assert_allclose(case.data[0, 10:30, 0, 0], np.arange(10, 30) / 2 + 0.75, atol=1e-3)


def test_two_dimensional_configurations_leave_slices_where_they_are():
    flat = configuration("2d", spacing=(2.0, 0.5))
    case = unet_case(crop_case([volume(noise(3, 8, 8), (1.0, 1.0, 5.0))], plan(configurations=(flat,))), flat)
    assert case.data.shape == (1, 3, 4, 16)
    assert case.back.slices == 0


def test_an_earlier_segmentation_becomes_a_channel_a_label():
    image = noise(4, 4, 4)
    image[0] = 0
    labels = np.zeros((4, 4, 4), dtype=np.uint8)
    labels[2, 1:3] = 2
    labels[3, 3] = 1
    case = crop_case([volume(image)], plan())
    full = configuration()
    more = with_labels(unet_case(case, full), labels_on_grid(case, labels, full), plan())
    assert more.data.shape == (3, 3, 4, 4)
    np.testing.assert_array_equal(more.data[1], labels[1:] == 1)
    np.testing.assert_array_equal(more.data[2], labels[1:] == 2)


def test_channels_on_other_grids_are_resampled_in_space_and_missing_parts_told():
    first = volume(noise(8, 8, 8))
    inner = Volume(noise(8, 4, 8), Geometry((8, 4, 8), (1.0, 1.0, 1.0), (0.0, 2.0, 0.0)))
    case = crop_case([first, inner], plan(channels=2))
    np.testing.assert_allclose(case.channels[1][:, 2:6], inner.array, atol=1e-4)
    assert "covers 50% of the first channel" in case.warnings[0]


def test_a_wrong_number_of_images_and_an_empty_image_are_refused():
    with pytest.raises(ImageError, match=r"needs 2 channel\(s\) \(t1, t2\) but 1 image"):
        crop_case([volume(noise(3, 3, 3))], plan(channels=2))
    with pytest.raises(ImageError, match="the value 0.0 in every voxel"):
        crop_case([volume(np.zeros((3, 3, 3)))], plan())


def test_label_values_beyond_16_bits_with_a_sign_are_kept():
    labels = np.zeros((4, 4, 4), dtype=np.uint16)
    labels[1:3, 1:3, 1:3] = 40_000
    case = crop_case([volume(noise(4, 4, 4))], plan())
    np.testing.assert_array_equal(labels_on_grid(case, labels, configuration()), labels)
