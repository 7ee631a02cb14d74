"""Background trends: exactly what is a polynomial goes, small things stay."""

import numpy as np
import pytest

from mtann.errors import CancelledError, ImageError
from mtann.preprocess.steps import TrendRemoval
from mtann.preprocess.trend import local_mean, polynomial, trend_scale
from mtann.progress import Run

RADIOGRAPH = (1, 90, 120)
MM = (1.0, 1.0, 1.0)


def everywhere(shape: tuple[int, int, int]) -> np.ndarray:
    return np.ones(shape, bool)


def surface(shape: tuple[int, int, int], order: int, seed: int = 0) -> np.ndarray:
    """A polynomial of the given total order, with every term, of some hundred intensity units."""
    z, y, x = np.meshgrid(*[np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in shape], indexing="ij")
    random = np.random.default_rng(seed)
    terms = [(i, j, k) for i in range(order + 1) for j in range(order + 1 - i) for k in range(order + 1 - i - j)]
    return sum(random.normal(0, 200) * z**i * y**j * x**k for i, j, k in terms)


def nodule(shape: tuple[int, int, int], sigma: float = 4.0) -> np.ndarray:
    z, y, x = np.indices(shape)
    return 50 * np.exp(-((z - shape[0] // 2) ** 2 + (y - 40) ** 2 + (x - 70) ** 2) / (2 * sigma**2))


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("shape", [RADIOGRAPH, (12, 30, 25)])
def test_a_polynomial_is_found_exactly(order: int, shape: tuple[int, int, int]) -> None:
    image = surface(shape, order).astype(np.float32)
    np.testing.assert_allclose(polynomial(image, everywhere(shape), order, Run()), image, atol=2e-3)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_adding_a_polynomial_changes_nothing(dimensions: int) -> None:
    shape, how = (6, 90, 120), TrendRemoval(order=3)
    image = nodule(shape) + np.random.default_rng(0).normal(0, 5, shape)
    tilted = image + surface(shape, 3)
    plain, flattened = (
        trend_scale(one.astype(np.float32), everywhere(shape), MM, dimensions, how, "cxr", Run()).apply(
            one.astype(np.float32)
        )
        for one in (image, tilted)
    )
    np.testing.assert_allclose(flattened, plain, atol=2e-3)


def test_a_lower_order_does_not_follow() -> None:
    image = surface(RADIOGRAPH, 3).astype(np.float32)
    assert np.abs(image - polynomial(image, everywhere(RADIOGRAPH), 2, Run())).max() > 1


def test_the_surface_is_fitted_within_the_mask_and_reaches_beyond_it() -> None:
    image, mask = surface(RADIOGRAPH, 2).astype(np.float32), everywhere(RADIOGRAPH)
    mask[:, :, 100:] = False
    spoilt = np.where(mask, image, 1e5).astype(np.float32)
    np.testing.assert_allclose(polynomial(spoilt, mask, 2, Run()), image, atol=2e-2)


def test_each_slice_of_a_2d_model_has_its_own_trend() -> None:
    shape, noise = (5, 60, 50), np.random.default_rng(0).normal(0, 5, (5, 60, 50))
    slopes = np.array([0, 9, -4, 20, 1])[:, None, None]  # no polynomial of order 1 across slices
    image = (noise + slopes * np.arange(50)).astype(np.float32)
    scale = trend_scale(image, everywhere(shape), MM, 2, TrendRemoval(order=1), "mr", Run())
    np.testing.assert_allclose(scale.apply(image), noise, atol=1.5)


def test_a_slice_with_hardly_any_tissue_gets_a_flat_trend() -> None:
    image, mask = surface(RADIOGRAPH, 2).astype(np.float32), np.zeros(RADIOGRAPH, bool)
    assert polynomial(image, mask, 2, Run()) == pytest.approx(np.full(RADIOGRAPH, image.mean()), rel=1e-4)
    mask[0, 0, :59] = True  # six terms need ten pixels each
    assert polynomial(image, mask, 2, Run()) == pytest.approx(np.full(RADIOGRAPH, image[mask].mean()), rel=1e-4)
    mask[0, 0, 59] = True
    assert np.ptp(polynomial(image, mask, 2, Run())) > 0


def test_a_large_image_is_fitted_from_some_of_its_pixels() -> None:
    shape = (1, 700, 900)
    image = surface(shape, 2).astype(np.float32)
    np.testing.assert_allclose(polynomial(image, everywhere(shape), 2, Run()), image, atol=2e-3)


def test_a_gaussian_trend_takes_levels_away_and_leaves_a_nodule() -> None:
    how, small = TrendRemoval(method="gaussian", sigma_mm=30.0), nodule(RADIOGRAPH)
    image = (small + 500).astype(np.float32)
    flat = trend_scale(image, everywhere(RADIOGRAPH), MM, 2, how, "cxr", Run()).apply(image)
    # A Gaussian of 4 mm under one of 30 mm leaves a trace of 4^2 / (4^2 + 30^2) in two dimensions, more at the edges.
    assert flat[0, 40, 70] == pytest.approx(50 * (1 - 16 / 916), abs=0.5)
    assert np.abs(flat[0, :, :10]).max() < 0.5


def test_the_gaussians_width_is_in_millimetres() -> None:
    image = (nodule(RADIOGRAPH) + 500).astype(np.float32)
    half, whole = (
        trend_scale(
            image, everywhere(RADIOGRAPH), (mm,) * 3, 2, TrendRemoval(method="gaussian", sigma_mm=8 * mm), "cxr", Run()
        )
        for mm in (0.5, 1.0)
    )
    np.testing.assert_allclose(half.centre, whole.centre, rtol=1e-6)


def test_local_means_know_only_tissue() -> None:
    image, mask = np.full(RADIOGRAPH, 7.0, np.float32), everywhere(RADIOGRAPH)
    mask[:, :, 60:] = False
    image[:, :, 60:] = 1e4
    np.testing.assert_allclose(local_mean(image, mask, (0, 5, 5), Run()), 7, rtol=1e-6)


def test_local_contrast_becomes_one() -> None:
    noise = np.random.default_rng(0).normal(0, 1, RADIOGRAPH)
    noise[:, :, 60:] *= 8
    image, how = noise.astype(np.float32), TrendRemoval(method="gaussian", sigma_mm=30.0, contrast_sigma_mm=8.0)
    even = trend_scale(image, everywhere(RADIOGRAPH), MM, 2, how, "cxr", Run()).apply(image)
    assert even[:, :, :30].std() == pytest.approx(1, abs=0.1)
    assert even[:, :, 90:].std() == pytest.approx(1, abs=0.1)


def test_local_contrast_is_not_blown_up_without_end() -> None:
    noise = np.random.default_rng(0).normal(0, 1, RADIOGRAPH)
    noise[:, :, :60] *= 1e-4
    image, how = noise.astype(np.float32), TrendRemoval(order=1, contrast_sigma_mm=5.0)
    scale = trend_scale(image, everywhere(RADIOGRAPH), MM, 2, how, "cxr", Run())
    assert scale.deviation.min() == pytest.approx(0.1 * noise.std(), rel=0.05)


@pytest.mark.parametrize("seed", range(3))
def test_an_image_that_is_nothing_but_trend_is_refused(seed: int) -> None:
    image = surface(RADIOGRAPH, 2, seed).astype(np.float32)
    with pytest.raises(ImageError, match="Nothing is left of 'cxr' once its background trend is removed"):
        trend_scale(image, everywhere(RADIOGRAPH), MM, 2, TrendRemoval(), "cxr", Run())


@pytest.mark.parametrize("method", ["polynomial", "gaussian"])
def test_it_can_be_stopped_on_the_way(method: str) -> None:
    asked = iter(range(100))
    image = (nodule((4, 90, 120)) + 500).astype(np.float32)
    with pytest.raises(CancelledError):
        how = TrendRemoval(method=method)
        trend_scale(image, everywhere(image.shape), MM, 2, how, "cxr", Run(cancelled=lambda: next(asked) == 2))
