"""Image quality against formulas and against scikit-image."""

import numpy as np
import pytest

from mtann.errors import ImageError
from mtann.evaluation.image_quality import image_quality, ssim_map


def waves():
    y, x = np.mgrid[:24, :20]
    reference = np.sin(x / 3) + np.cos(y / 4)
    return (reference + 0.3 * np.sin(x * y / 7))[None], reference[None]


def test_values_of_scikit_image():
    # scikit-image 0.26.0: structural_similarity with gaussian_weights, sigma 1.5, use_sample_covariance=False and the
    # mean of its full map; peak_signal_noise_ratio. Its map differed from ours nowhere.
    quality = image_quality(*waves(), dimensions=2)
    assert quality.ssim == pytest.approx(0.8715838632057339, abs=1e-12)
    assert quality.psnr_db == pytest.approx(25.86450094188155, abs=1e-10)


def test_equal_images_are_perfect():
    _, reference = waves()
    quality = image_quality(reference, reference)
    assert (quality.psnr_db, quality.ssim) == (200.0, 1.0)


def test_signal_to_noise_of_a_known_error():
    reference = np.zeros((1, 4, 4))
    reference[0, 0, 0] = 10
    # An error of 1 everywhere, and a peak of 10: 10 log10(100) = 20 dB.
    assert image_quality(reference + 1, reference).psnr_db == pytest.approx(20.0)


def test_structure_of_constants_is_the_formula_of_means():
    # Without variance: (2 * 3 * 5 + c1) / (3^2 + 5^2 + c1) with c1 = (0.01 * 10)^2.
    found = ssim_map(np.full((1, 12, 12), 3.0), np.full((1, 12, 12), 5.0), 10.0, 2)
    np.testing.assert_allclose(found, 30.01 / 34.01, rtol=1e-12)


def test_an_inverted_pattern_is_the_formula_of_variances():
    # A board of -1 and 1 has mean 0 and variance 1: (-2 + c2) / (2 + c2) with c2 = (0.03 * 2)^2.
    board = np.indices((1, 16, 16)).sum(axis=0) % 2 * 2.0 - 1
    assert ssim_map(-board, board, 2.0, 2)[0, 8, 8] == pytest.approx(-1.9964 / 2.0036, abs=1e-3)


def test_three_dimensions_see_a_change_across_slices():
    reference = np.random.default_rng(0).normal(size=(9, 9, 9))
    shuffled = reference[::-1]
    assert (
        image_quality(shuffled, reference, dimensions=3).ssim != image_quality(shuffled, reference, dimensions=2).ssim
    )
    one = reference[:1]
    assert image_quality(one + 0.1, one, dimensions=3) == image_quality(one + 0.1, one, dimensions=2)


def test_only_the_mask_counts():
    found, reference = waves()
    mask = np.zeros(reference.shape, bool)
    mask[0, :, :8] = True
    spoilt = np.where(mask, found, found + 100)
    assert image_quality(spoilt, reference, mask) == image_quality(found, reference, mask)
    assert image_quality(np.where(mask, reference, found), reference, mask).ssim == 1.0


@pytest.mark.parametrize("mask", [None, np.zeros((1, 4, 4), bool)])
def test_a_reference_without_contrast_is_refused(mask):
    with pytest.raises(ImageError, match="same value everywhere within the mask"):
        image_quality(np.zeros((1, 4, 4)), np.ones((1, 4, 4)), mask)
