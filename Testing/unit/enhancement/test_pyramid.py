"""Taking images apart and putting them together: exact, and with the means and slopes that the formulas give."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mtann.enhancement.pyramid import compose, decompose, enlarge, halve

WHOLE = st.integers(-32768, 65535).map(float)
SHAPES = hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=7)


@given(hnp.arrays(np.float64, SHAPES, elements=WHOLE), st.integers(1, 5), st.sampled_from([2, 3]))
def test_bands_add_up_to_the_image_exactly(image, levels, dimensions):
    # Whole numbers, as scanners give: halving and enlarging only ever divide by powers of two.
    bands = decompose(image, levels, dimensions)
    assert len(bands) == levels
    np.testing.assert_array_equal(compose(bands, dimensions), image)


@given(hnp.arrays(np.float32, SHAPES, elements=st.floats(-1e4, 1e4, width=32)), st.sampled_from([2, 3]))
def test_bands_in_single_precision_add_up_to_rounding(image, dimensions):
    bands = decompose(image, 3, dimensions)
    assert all(band.dtype == np.float32 for band in bands)
    np.testing.assert_allclose(compose(bands, dimensions), image, atol=2e-6 * max(1.0, np.abs(image).max()))


def test_halving_takes_the_mean_of_blocks_and_repeats_an_odd_edge():
    image = np.arange(15, dtype=np.float64).reshape(1, 3, 5)
    # Rows 0 to 4, 5 to 9, 10 to 14; the last row and column stand for the missing ones.
    np.testing.assert_array_equal(halve(image, 2), [[[3, 5, 6.5], [10.5, 12.5, 14]]])


def test_slices_are_left_alone_in_two_dimensions():
    image = np.zeros((4, 4, 4))
    image[1] = 8
    assert halve(image, 2).shape == (4, 2, 2)
    assert halve(image, 2)[1].tolist() == [[8, 8], [8, 8]]
    assert halve(image, 3).tolist() == [[[4, 4], [4, 4]], [[0, 0], [0, 0]]]


def test_enlarging_keeps_a_slope_inside_and_a_constant_everywhere():
    ramp = np.broadcast_to(np.arange(8.0), (1, 6, 8))
    again = enlarge(halve(ramp, 2), ramp.shape, 2)
    np.testing.assert_allclose(again[0, :, 1:-1], ramp[0, :, 1:-1])
    np.testing.assert_array_equal(enlarge(np.full((1, 2, 2), 3.0), (1, 3, 4), 2), np.full((1, 3, 4), 3.0))


@pytest.mark.parametrize(("period", "strongest"), [(2, 0), (8, 1), (64, 2)])
def test_a_wave_is_in_the_band_of_its_size(period, strongest):
    wave = np.cos(2 * np.pi * (np.arange(128) + 0.5) / period + 0.1) * np.ones((1, 4, 1))
    power = [band.std() for band in decompose(wave, 3, 2)]
    assert int(np.argmax(power)) == strongest
