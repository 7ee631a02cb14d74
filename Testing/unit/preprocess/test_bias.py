"""N4 takes a known field out of a known image."""

import numpy as np
import pytest

from mtann.errors import CancelledError, ImageError
from mtann.preprocess.bias import bias_field
from mtann.preprocess.steps import BiasCorrection
from mtann.progress import Progress, Run

SHAPE = (32, 40, 36)
SPACING_MM = (5.0, 5.0, 5.0)
WHOLE = BiasCorrection(fit_spacing_mm=10.0)
SHORT = BiasCorrection(fit_spacing_mm=10.0, levels=2, iterations=3)


def head(
    shape: tuple[int, int, int] = SHAPE, inner: float = 300.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """An ellipsoid of two tissues under a smooth field: image, tissue mask, inner tissue, and the field."""
    z, y, x = np.meshgrid(*[np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in shape], indexing="ij")
    radius = np.sqrt(x**2 + y**2 + z**2)
    field = np.exp(0.35 * x - 0.3 * y**2 + 0.25 * z + 0.2 * x * y)
    tissue = np.where(radius < 0.6, inner, 200.0) + np.random.default_rng(0).normal(0, 4, shape)
    inside = radius < 0.95
    return np.where(inside, tissue * field, 0).astype(np.float32), inside, radius < 0.55, field


def variation(values: np.ndarray) -> float:
    return float(values.std() / values.mean())


def test_a_known_field_is_found_and_tissue_becomes_even() -> None:
    image, inside, core, field = head()
    found = bias_field(image, inside, SPACING_MM, WHOLE, "t1", Run())
    assert found.dtype == np.float32
    # Within one tissue, only noise (4 / 300) and little of the field is left: its variation falls to a fifth.
    assert variation(image[core]) > 0.1
    assert variation((image / found)[core]) < variation(image[core]) / 5
    # Up to one factor, the field itself is recovered over the whole head.
    assert variation(field[inside]) > 0.19
    assert variation((found / field)[inside]) < 0.05


def test_the_image_keeps_its_level() -> None:
    image, inside, _, _ = head()
    found = bias_field(image, inside, SPACING_MM, SHORT, "t1", Run())
    assert np.log(found[inside]).mean() == pytest.approx(0, abs=1e-5)


def test_the_scanners_gain_does_not_matter() -> None:
    image, inside, _, _ = head()
    once = bias_field(image, inside, SPACING_MM, SHORT, "t1", Run())
    louder = bias_field(image * 64, inside, SPACING_MM, SHORT, "t1", Run())
    np.testing.assert_allclose(louder, once, rtol=2e-3)


def test_equal_input_gives_equal_output() -> None:
    image, inside, _, _ = head()
    first, second = (bias_field(image, inside, SPACING_MM, SHORT, "t1", Run()) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_only_tissue_counts() -> None:
    image, inside, _, _ = head()
    bright = np.where(inside, image, 1e5).astype(np.float32)
    once, other = (bias_field(one, inside, SPACING_MM, SHORT, "t1", Run()) for one in (image, bright))
    np.testing.assert_array_equal(once, other)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_single_slice_is_corrected_whichever_axis_it_lacks(axis: int) -> None:
    shape = tuple(1 if other == axis else 64 for other in range(3))
    image, inside, core, _ = head(shape, inner=200.0)
    found = bias_field(image, inside, SPACING_MM, BiasCorrection(), "t1", Run())
    assert found.shape == image.shape
    assert variation((image / found)[core]) < variation(image[core]) / 3


def test_knots_and_samples_are_in_millimetres() -> None:
    image, inside, _, _ = head()
    half = SHORT.model_copy(update={"fit_spacing_mm": 5.0, "knot_mm": 25.0})
    whole = bias_field(image, inside, SPACING_MM, SHORT, "t1", Run())
    np.testing.assert_array_equal(bias_field(image, inside, (2.5,) * 3, half, "t1", Run()), whole)
    wider = half.model_copy(update={"knot_mm": 50.0})
    assert np.abs(bias_field(image, inside, (2.5,) * 3, wider, "t1", Run()) - whole).max() > 0.01


def test_negative_tissue_is_refused_as_from_ct_or_after_another_step() -> None:
    image, inside, _, _ = head()
    with pytest.raises(ImageError, match=r"n4\) needs positive intensities.*50% of the tissue of 'ct' is negative"):
        bias_field(image - np.median(image[inside]), inside, SPACING_MM, SHORT, "ct", Run())


@pytest.mark.parametrize(("width", "enough"), [(9, False), (10, True)])
def test_hardly_any_tissue_is_refused(width: int, enough: bool) -> None:
    # Samples lie at every other voxel: 5 x 4 x 4 of them in the smaller block, 5 x 5 x 5 in the larger.
    image = np.random.default_rng(0).normal(300, 40, SHAPE).astype(np.float32)
    mask = np.zeros(SHAPE, bool)
    mask[10:20, 10 : 10 + width, 10 : 10 + width] = True
    if enough:
        assert np.isfinite(bias_field(image, mask, SPACING_MM, SHORT, "t1", Run())).all()
        return
    with pytest.raises(ImageError, match=r"100 samples of bright tissue; 't1' has 80 at a spacing of 10 mm"):
        bias_field(image, mask, SPACING_MM, SHORT, "t1", Run())


def test_tissue_that_is_the_same_at_all_samples_is_refused() -> None:
    image = np.full(SHAPE, 300, np.float32)
    image[0, 0, 0] = 5  # between the samples
    with pytest.raises(ImageError, match="'t1' has the same value"):
        bias_field(image, np.ones(SHAPE, bool), SPACING_MM, SHORT, "t1", Run())


def test_a_line_is_refused() -> None:
    with pytest.raises(ImageError, match="two or three dimensions; 't1'"):
        line = np.arange(1, 29, dtype=np.float32).reshape(1, 1, 28)
        bias_field(line, line > 0, SPACING_MM, SHORT, "t1", Run())


def test_it_stops_at_the_next_iteration() -> None:
    seen: list[Progress] = []
    image, inside, _, _ = head()
    with pytest.raises(CancelledError):
        bias_field(image, inside, SPACING_MM, SHORT, "t1", Run(seen.append, cancelled=lambda: len(seen) == 3))
    assert len(seen) == 3
