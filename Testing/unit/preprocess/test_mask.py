"""Tissue is found in masked brains, bodies and CT, air inside included."""

import numpy as np
import pytest

from mtann.errors import ImageError
from mtann.preprocess.mask import background_value, choose_mask_kind, has_dark_background, make_mask

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


def magnitude(body: np.ndarray, noise: float = 10.0) -> np.ndarray:
    """An MR image that is not stripped: a body, and noise without sign round it."""
    random = np.random.default_rng(0)
    signal = np.where(body, random.normal(300, 60, body.shape), 0)
    return np.hypot(signal, random.normal(0, noise, body.shape)).astype(np.float32)


def ellipsoid(shape: tuple[int, int, int], share_zyx: tuple[float, float, float]) -> np.ndarray:
    """An ellipsoid in the middle, its axes as shares of the image's; from 1.5 on it leaves the image as a cylinder."""
    offset = (np.moveaxis(np.indices(shape), 0, -1) - (np.array(shape) - 1) / 2) / (np.array(shape) / 2)
    return np.linalg.norm(offset / share_zyx, axis=-1) <= 1


@pytest.mark.parametrize(
    "body",
    [
        ellipsoid((20, 30, 36), (0.8, 0.8, 0.8)),  # a head
        ellipsoid((20, 30, 36), (9.0, 0.7, 0.9)),  # a slab of a belly, open at both ends
        ellipsoid((20, 30, 36), (0.7, 0.9, 9.0)),  # the same, stored the other way
        ellipsoid((1, 60, 60), (9.0, 0.8, 0.8)),  # a slice of it
        ellipsoid((60, 1, 60), (0.8, 9.0, 0.8)),
        ellipsoid((20, 400, 36), (0.8, 0.8, 0.8)),  # finer than needed
    ],
)
def test_a_body_in_the_dark_is_a_body(body: np.ndarray) -> None:
    image = magnitude(body)
    assert has_dark_background(image)
    assert choose_mask_kind(image, is_ct=False) == "body"
    assert (make_mask(image, "body") == body).mean() > 0.995


def test_scale_and_offset_do_not_make_a_body() -> None:
    for body in (ellipsoid((20, 30, 36), (0.8, 0.8, 0.8)), np.ones((20, 30, 36), bool)):
        assert has_dark_background(magnitude(body) * 16 - 1024) == (not body.all())


def radiograph() -> np.ndarray:
    """A chest: two dark lungs in a bright body that fills all but the upper corners."""
    y, x = np.indices((100, 120))
    lungs = (((x - 35) / 20) ** 2 + ((y - 50) / 35) ** 2 < 1) | (((x - 85) / 20) ** 2 + ((y - 50) / 35) ** 2 < 1)
    air = y + np.abs(x - 60) / 2 < 20
    values = np.where(lungs, 60, 200) + np.random.default_rng(0).normal(0, 10, lungs.shape)
    return np.where(air, 5, values)[None].astype(np.float32)


@pytest.mark.parametrize(
    "image",
    [
        magnitude(np.ones((20, 30, 36), bool)),  # cropped to tissue
        magnitude(ellipsoid((20, 30, 36), (9.0, 9.0, 0.8))),  # open along two axes
        magnitude(ellipsoid((1, 60, 60), (9.0, 9.0, 0.8))),  # a slice open at two sides
        magnitude(ellipsoid((20, 30, 36), (0.4, 0.4, 0.4))),  # 3 %: a bright spot, not a body
        magnitude(ellipsoid((20, 30, 36), (0.8, 0.8, 0.8)), noise=150.0),  # half as bright as the body
        radiograph(),
        np.random.default_rng(0).random((1, 1, 40)).astype(np.float32),
    ],
)
def test_without_clear_background_everything_counts(image: np.ndarray) -> None:
    assert not has_dark_background(image)
    assert choose_mask_kind(image, is_ct=False) == "everything"


def test_one_value_is_no_background() -> None:
    assert not has_dark_background(np.full((9, 9, 9), 7, np.float32))


@pytest.mark.parametrize(("share", "body"), [(0.56, False), (0.62, True)])
def test_a_body_fills_a_tenth(share: float, body: bool) -> None:
    # An ellipsoid fills pi / 6 of its box: 9.2 % of the image, or 12.5 %.
    assert has_dark_background(magnitude(ellipsoid((40, 40, 40), (share,) * 3))) is body


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


def test_otsu_cuts_in_the_middle_of_a_gap() -> None:
    # Noise within the first of 256 bins: a cut through that bin would take half of the noise for tissue.
    random = np.random.default_rng(0)
    image = np.where(ball(9), random.normal(1000, 50, SHAPE), random.random(SHAPE)).astype(np.float32)
    assert np.array_equal(make_mask(image, "body"), ball(9))


def test_otsu_cuts_half_way_between_the_classes() -> None:
    image = np.where(ball(9), 1000, 0).astype(np.float32)
    last = np.flatnonzero(ball(9)[4, 10])[-1]
    image[4, 10, last], image[4, 10, last + 1] = 550, 450
    assert np.array_equal(make_mask(image, "body"), ball(9))


def test_an_empty_brain_is_refused() -> None:
    with pytest.raises(ImageError, match="No tissue was found"):
        make_mask(np.zeros(SHAPE, np.float32), "brain")
