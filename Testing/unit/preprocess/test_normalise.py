"""Intensities get a scale that does not depend on the scanner's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtann.errors import ImageError, SettingsError
from mtann.preprocess.normalise import WINDOWS, Normalisation, normalise, percentiles, window
from mtann.settings import make_settings

SHAPE = (6, 20, 20)
EVERYWHERE = np.ones(SHAPE, bool)
WIDE = Normalisation(clip=(-1000.0, 1000.0))


def noise(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(300, 40, SHAPE).astype(np.float32)


def test_median_becomes_zero_and_deviation_one() -> None:
    scaled = normalise(noise(), EVERYWHERE, WIDE, "t1")[0]
    assert scaled.dtype == np.float32
    assert np.median(scaled) == pytest.approx(0, abs=1e-5)
    assert 1.4826 * np.median(np.abs(scaled)) == pytest.approx(1, abs=1e-5)
    # For normally distributed values that is the usual z-score.
    assert scaled.std() == pytest.approx(1, abs=0.05)


def test_hand_counted_values() -> None:
    image = np.array([[[1.0, 2.0, 4.0, 7.0, 11.0]]], np.float32)  # median 4, absolute deviations 3 2 0 3 7
    expected = (image - 4) / (1.4826 * 3)
    assert normalise(image, np.ones(image.shape, bool), WIDE, "t1")[0] == pytest.approx(expected)


def test_only_the_mask_counts_but_everything_is_scaled() -> None:
    image, mask = noise(), EVERYWHERE.copy()
    mask[:3] = False
    image[:3] = 5000.0
    scaled = normalise(image, mask, WIDE, "t1")[0]
    assert np.median(scaled[3:]) == pytest.approx(0, abs=1e-5)
    assert scaled[3:] == pytest.approx(normalise(image[3:], mask[3:], WIDE, "t1")[0], abs=1e-5)
    assert scaled[0] == pytest.approx((5000 - 300) / 40, rel=0.1)


@given(st.floats(0.125, 64), st.floats(-2000, 2000))
def test_gain_and_offset_of_the_scanner_do_not_matter(gain: float, offset: float) -> None:
    image = noise()
    moved = image * np.float32(gain) + np.float32(offset)
    expected = normalise(image, EVERYWHERE, WIDE, "t1")[0]
    np.testing.assert_allclose(normalise(moved, EVERYWHERE, WIDE, "t1")[0], expected, atol=0.02)


def test_a_few_bright_lesions_do_not_change_the_scale() -> None:
    image = noise()
    plain = normalise(image, EVERYWHERE, WIDE, "t1")[0]
    image[2, 5:8, 5:8] = 1e6
    lesioned = normalise(image, EVERYWHERE, WIDE, "t1")[0]
    assert lesioned[0] == pytest.approx(plain[0], abs=0.02)


def test_values_are_clipped_at_both_ends() -> None:
    image = noise()
    image[0, 0, :3] = (-1e6, 300, 1e6)
    scaled = normalise(image, EVERYWHERE, Normalisation(), "t1")[0]
    assert scaled[0, 0, 0] == -5
    assert scaled[0, 0, 1] == pytest.approx(0, abs=0.1)
    assert scaled[0, 0, 2] == 10


def test_the_callers_image_is_left_alone() -> None:
    for how in (Normalisation(), Normalisation(method="window")):
        image = noise()
        normalise(image, EVERYWHERE, how, "t1")
        assert np.array_equal(image, noise())


def test_where_most_voxels_are_equal_the_plain_deviation_is_used() -> None:
    image = np.zeros(SHAPE, np.float32)
    image[0] = 12.0  # one slice of six
    expected = 12 / (12 * np.sqrt(1 / 6 * 5 / 6))
    assert normalise(image, EVERYWHERE, WIDE, "t1")[0][0] == pytest.approx(expected, rel=1e-5)


# 0.1 and 1234.567 have no exact mean in float32, so a deviation taken plainly is not quite zero.
@pytest.mark.parametrize("value", [0.0, 7.0, 0.1, 1234.567])
def test_one_value_throughout_the_mask_is_refused(value: float) -> None:
    image, mask = noise(), EVERYWHERE.copy()
    mask[0] = False
    image[1:] = value
    with pytest.raises(ImageError, match="'t1' has the same value throughout the tissue mask"):
        normalise(image, mask, Normalisation(), "t1")


@pytest.mark.parametrize(
    ("hounsfield", "expected"), [(-2000, 0), (-1000, 0), (-300, 0.5), (40, 1040 / 1400), (400, 1), (3000, 1)]
)
def test_a_window_takes_its_ends_to_zero_and_one(hounsfield: float, expected: float) -> None:
    image = np.full(SHAPE, hounsfield, np.float32)
    scaled = normalise(image, EVERYWHERE, Normalisation(method="window"), "ct")[0]
    assert scaled.dtype == np.float32
    assert scaled == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    "values",
    [
        {"low": 5.0, "high": 5.0},
        {"low": 6.0, "high": 5.0},
        {"clip": (1.0, 1.0)},
        {"clip": (2.0, 1.0)},
        {"clip": (float("nan"), 1.0)},
        {"low": float("nan")},
        {"method": "zscore"},
    ],
)
def test_settings_out_of_order_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        make_settings(Normalisation, **values)


@pytest.mark.parametrize("how", [WIDE, Normalisation(method="window", low=0.0, high=600.0)])
def test_the_scale_leads_back_to_the_scanners_values(how: Normalisation) -> None:
    scaled, scale = normalise(noise(), EVERYWHERE, how, "t1")
    np.testing.assert_allclose(scale.invert(scaled), noise(), rtol=1e-5)
    assert scale.invert(scaled).dtype == np.float32


def test_what_was_clipped_comes_back_as_the_value_it_was_clipped_to() -> None:
    scaled, scale = normalise(np.array([[[-2000.0, 40.0, 3000.0]]], np.float32), EVERYWHERE, window("lung"), "ct")
    assert scale.invert(scaled).ravel() == pytest.approx([-1000, 40, 400], abs=1e-3)


@pytest.mark.parametrize(
    ("name", "centre", "width"),
    [
        ("lung", -300, 1400),
        ("soft_tissue", 40, 400),
        ("mediastinum", 50, 350),
        ("liver", 30, 150),
        ("brain", 40, 80),
        ("bone", 400, 1800),
    ],
)
def test_a_window_by_name_has_its_centre_and_width(name: str, centre: float, width: float) -> None:
    how = window(name)
    assert ((how.low + how.high) / 2, how.high - how.low, how.method) == (centre, width, "window")


def test_an_unknown_window_is_answered_with_the_known_ones() -> None:
    with pytest.raises(SettingsError, match="no CT window 'spleen'.*" + ", ".join(WINDOWS)):
        window("spleen")


def test_percentiles_become_zero_and_one() -> None:
    image = np.arange(101, dtype=np.float32).reshape(1, 1, 101) * 10 + 40
    how = percentiles(2, 75, (-0.01, 1.2))
    scaled, scale = normalise(image, np.ones(image.shape, bool), how, "t1c")
    # Percentile p of 0 to 100 is p: 60 becomes 0 and 790 becomes 1.
    assert (scale.centre, scale.deviation) == (60, 730)
    assert scaled[0, 0, [2, 75, 40]] == pytest.approx([0, 1, 380 / 730])
    assert scaled[0, 0, [0, 100]] == pytest.approx([-0.01, 1.2])


def test_percentiles_of_equal_values_give_no_scale() -> None:
    image = np.full(SHAPE, 7, np.float32)
    image[0, 0, 0] = 8
    with pytest.raises(ImageError, match="Percentiles 2 and 75 of 't1c' are one value"):
        normalise(image, EVERYWHERE, percentiles(2, 75, (-1, 3)), "t1c")
