"""Interpolation between grids: SciPy's splines to rounding, slices by themselves where thick, labels by halves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from mtann.preprocess.resize import make_axis, make_resize, new_shape, resize_image, resize_labels, thick_axis

ISOTROPIC = ((1.0, 1.0, 1.0), (1.0, 1.0, 1.0))


def noise(*shape):
    return np.random.default_rng(3).normal(size=shape).astype(np.float32)


def zoomed(image, shape, order):
    factors = [after / before for before, after in zip(image.shape, shape, strict=True)]
    return ndimage.zoom(image.astype(np.float64), factors, order=order, mode="nearest", grid_mode=True)


@settings(max_examples=30, deadline=None)
@given(
    before=st.tuples(*[st.integers(1, 30)] * 3),
    after=st.tuples(*[st.integers(1, 80)] * 3),
    order=st.sampled_from([1, 3]),
)
def test_it_is_scipys_spline(before, after, order):
    image = noise(*before)
    way = make_resize(before, after, *ISOTROPIC, order=order)
    expected = np.clip(zoomed(image, after, order), image.min(), image.max())
    found = resize_image(image, way)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_linear_interpolation_by_hand_lies_over_pixel_areas():
    # Two voxels to four: new centres lie at -0.25, 0.25, 0.75 and 1.25 of the old; the edge is repeated.
    way = make_resize((1, 1, 2), (1, 1, 4), *ISOTROPIC, order=1)
    found = resize_image(np.array([[[0.0, 8.0]]], dtype=np.float32), way)
    np.testing.assert_allclose(found[0, 0], [0.0, 2.0, 6.0, 8.0], atol=1e-6)


def test_thick_slices_are_interpolated_by_themselves_and_kept_whole():
    image = noise(3, 8, 8)
    image[1] += 100
    way = make_resize(image.shape, (6, 16, 16), (5.0, 1.0, 1.0), (2.5, 0.5, 0.5), order=3)
    found = resize_image(image, way)
    assert way.slices == 0
    for new, old in enumerate((0, 0, 1, 1, 2, 2)):
        expected = np.clip(zoomed(image[old : old + 1], (1, 16, 16), 3)[0], image[old].min(), image[old].max())
        np.testing.assert_allclose(found[new], expected, atol=1e-4)


@pytest.mark.parametrize(
    ("spacing", "after", "axis"),
    [
        ((3.0, 1.0, 1.0), (1.0, 1.0, 1.0), None),
        ((3.1, 1.0, 1.0), (1.0, 1.0, 1.0), 0),
        ((1.0, 1.0, 1.0), (1.0, 1.0, 3.1), 2),
        ((4.0, 1.0, 4.0), (1.0, 1.0, 1.0), None),
        ((4.0, 1.0, 4.0), (5.0, 1.0, 1.0), None),
    ],
)
def test_an_axis_is_thick_beyond_three_times_the_finest(spacing, after, axis):
    assert thick_axis(spacing, after) == axis


def test_the_size_of_the_new_grid_is_rounded():
    assert new_shape((10, 11, 3), (1.0, 2.0, 3.0), (2.0, 0.75, 3.0)) == (5, 29, 3)


def test_an_image_thinner_than_half_a_voxel_of_the_new_grid_keeps_one():
    assert new_shape((2, 8, 8), (1.0, 1.0, 1.0), (5.0, 1.0, 1.0)) == (1, 8, 8)
    way = make_resize((2, 8, 8), (1, 8, 8), (1.0, 1.0, 1.0), (5.0, 1.0, 1.0), order=3)
    np.testing.assert_allclose(resize_image(np.full((2, 8, 8), 7, dtype=np.float32), way), 7, rtol=1e-5)


def test_parts_of_an_axis_need_only_their_support():
    axis = make_axis(200, 500, 1)
    assert axis.support(0, 10) == (0, 5)
    image = noise(1, 200, 2)
    low, high = axis.support(130, 190)
    assert high - low < 30
    part = axis.apply(image[:, low:high], 1, 130, 190, low)
    np.testing.assert_allclose(part, axis.apply(image, 1)[:, 130:190], atol=1e-6)


def test_labels_reach_as_far_as_their_halves():
    # Voxels 0 0 1 2, doubled: shares of label 1 at the eight new centres are 0 0 0 .25 .75 .75 .25 0.
    labels = np.array([[[0, 0, 1, 2]]], dtype=np.int16)
    found = resize_labels(labels, make_resize((1, 1, 4), (1, 1, 8), *ISOTROPIC, order=1))
    assert found[0, 0].tolist() == [0, 0, 0, 0, 1, 1, 2, 2]
    halved = resize_labels(labels, make_resize((1, 1, 4), (1, 1, 2), *ISOTROPIC, order=1))
    assert halved[0, 0].tolist() == [0, 2]  # one half each: the higher value is written last


def test_nothing_is_done_where_nothing_changes():
    image = noise(3, 4, 5)
    assert resize_image(image, make_resize((3, 4, 5), (3, 4, 5), *ISOTROPIC, order=3)) is image
