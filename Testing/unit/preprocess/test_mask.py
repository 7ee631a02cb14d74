"""Tissue is found in masked brains, bodies and CT, air inside included."""

import numpy as np
import pytest

from mtann.errors import ImageError
from mtann.preprocess.mask import background_value, choose_mask_kind, make_mask

SHAPE = (10, 24, 28)


def ball(radius: float, centre: tuple[float, float, float] = (4.5, 10.5, 14.5)) -> np.ndarray:
    offset = np.moveaxis(np.indices(SHAPE), 0, -1) - centre
    return np.linalg.norm(offset * (2, 1, 1), axis=-1) <= radius


def noisy(inside: np.ndarray, outside: float) -> np.ndarray:
    values = np.random.default_rng(0).normal(100, 10, SHAPE)
    return np.where(inside, values, outside).astype(np.float32)


def body_with_lungs() -> tuple[np.ndarray, np.ndarray]:
    """A cylinder through all slices with two lungs that are open at both ends, as in a slab: the body, and its air."""
    _, y, x = np.indices(SHAPE)
    body = (y - 11.5) ** 2 + (x - 13.5) ** 2 <= 10**2
    lungs = ((x - 9) ** 2 + (y - 12) ** 2 <= 3**2) | ((x - 18) ** 2 + (y - 12) ** 2 <= 3**2)
    return body, lungs


@pytest.mark.parametrize("outside", [0.0, -1024.0, -0.5])
def test_the_background_of_a_masked_image_is_its_lowest_constant(outside: float) -> None:
    assert background_value(noisy(ball(9), outside)) == outside


def test_an_image_without_a_constant_background_is_not_masked() -> None:
    assert background_value(noisy(np.ones(SHAPE, bool), 0)) is None


def test_a_constant_that_is_not_the_lowest_value_is_no_background() -> None:
    image = noisy(ball(9), 0)
    image[4, 11, 13] = -5
    assert background_value(image) is None


def test_a_hole_in_the_middle_is_no_background() -> None:
    assert background_value(noisy(~ball(9), 0)) is None


@pytest.mark.parametrize(("slices", "masked"), [(1, True), (0, False)])
def test_a_background_fills_at_least_a_twentieth(slices: int, masked: bool) -> None:
    image = np.random.default_rng(0).normal(100, 10, (20, 5, 5))
    image[::19, ::4, ::4] = 0  # the eight corners: 8 of 500 voxels
    image[:slices] = 0  # one slice more: a twentieth
    assert (background_value(image) is not None) is masked


@pytest.mark.parametrize("shape", [(1, 24, 28), (2, 24, 28), (1, 1, 28)])
def test_thin_images_have_corners_too(shape: tuple[int, int, int]) -> None:
    image = np.full(shape, 100.0)
    image[..., :2] = image[..., -2:] = 0
    assert background_value(image) == 0
    assert background_value(image + np.random.default_rng(0).random(shape)) is None


@pytest.mark.parametrize(
    ("is_ct", "masked", "kind"), [(True, True, "body"), (False, True, "brain"), (False, False, "everything")]
)
def test_the_kind_of_mask_follows_the_image(is_ct: bool, masked: bool, kind: str) -> None:
    image = noisy(ball(9) if masked else np.ones(SHAPE, bool), 0)
    assert choose_mask_kind(image, is_ct) == kind


def test_a_brain_is_what_differs_from_the_background_with_its_holes() -> None:
    brain, ventricle = ball(9), ball(3)
    image = noisy(brain & ~ventricle, 0)
    assert np.array_equal(make_mask(image, "brain"), brain)


def test_an_unmasked_image_is_taken_whole_for_a_brain() -> None:
    assert make_mask(noisy(np.ones(SHAPE, bool), 0), "brain").all()


def test_everything_is_everything() -> None:
    assert make_mask(noisy(ball(9), 0), "everything").all()


def test_lungs_that_are_open_at_both_ends_belong_to_the_body() -> None:
    body, lungs = body_with_lungs()
    hounsfield = np.where(body, np.where(lungs, -850, 40), -1000).astype(np.float32)
    assert np.array_equal(make_mask(hounsfield, "body", is_ct=True), body)


@pytest.mark.parametrize(("value", "inside"), [(-501.0, False), (-500.0, False), (-499.0, True)])
def test_tissue_in_ct_is_denser_than_minus_500(value: float, inside: bool) -> None:
    image = np.full(SHAPE, -1000.0, np.float32)
    image[ball(9)] = value
    if inside:
        assert np.array_equal(make_mask(image, "body", is_ct=True), ball(9))
    else:
        with pytest.raises(ImageError, match="No tissue was found"):
            make_mask(image, "body", is_ct=True)


def test_the_table_is_no_body() -> None:
    image = np.full(SHAPE, -1000.0, np.float32)
    image[ball(8)] = 40
    image[:, 22, 2:26] = 200
    assert np.array_equal(make_mask(image, "body", is_ct=True), ball(8))


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-7.0, 3000.0), (100.0, 101.0)])
def test_otsu_separates_two_levels(low: float, high: float) -> None:
    image = np.where(ball(9), high, low).astype(np.float32)
    assert np.array_equal(make_mask(image, "body"), ball(9))


def test_otsu_separates_two_noisy_classes_of_unlike_size() -> None:
    rng = np.random.default_rng(0)
    image = np.where(ball(6), rng.normal(200, 15, SHAPE), rng.normal(20, 15, SHAPE)).astype(np.float32)
    assert np.array_equal(make_mask(image, "body"), ball(6))


def test_otsu_does_not_depend_on_the_scale_of_intensities() -> None:
    rng = np.random.default_rng(1)
    image = np.where(ball(9), rng.normal(200, 30, SHAPE), rng.normal(20, 15, SHAPE)).astype(np.float32)
    assert np.array_equal(make_mask(image, "body"), make_mask(image * 16 - 1024, "body"))


def test_an_empty_brain_is_refused() -> None:
    with pytest.raises(ImageError, match="No tissue was found"):
        make_mask(np.zeros(SHAPE, np.float32), "brain")
