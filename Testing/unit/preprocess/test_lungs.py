"""Lungs in made chests whose parts are known."""

import numpy as np
import pytest

from mtann.errors import ImageError
from mtann.preprocess.lungs import find_lungs
from mtann.preprocess.mask import make_mask

SPACING = (2.5, 1.0, 1.0)


def chest(slices: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """A slab: outside air, an oval body, two lungs that the slab cuts at both ends; and where the lungs are."""
    z, y, x = np.mgrid[:slices, :120, :160]
    body = ((y - 60) / 50) ** 2 + ((x - 80) / 70) ** 2 < 1
    lungs = (((y - 60) / 32) ** 2 + ((x - 48) / 22) ** 2 < 1) | (((y - 60) / 32) ** 2 + ((x - 112) / 22) ** 2 < 1)
    image = np.where(body, np.where(lungs, -850.0, 40.0), -1000.0) + 0.0 * z
    return (image + np.random.default_rng(0).normal(0, 20, image.shape)).astype(np.float32), lungs


def test_both_lungs_of_a_slab_are_found_and_nothing_outside() -> None:
    image, lungs = chest()
    found = find_lungs(image, SPACING, 4.0)
    assert found[lungs].mean() > 0.97
    assert found[~lungs].mean() < 0.01


def test_nodules_within_and_at_the_wall_are_part_of_the_lung() -> None:
    image, lungs = chest()
    z, y, x = np.mgrid[:12, :120, :160]
    inner = np.sqrt(((z - 6) * 2.5) ** 2 + (y - 60) ** 2 + (x - 48) ** 2) < 7
    # Through all slices, or it would be a hole in a coronal plane.
    outer = (np.hypot(y - 60, x - 26) < 7) & lungs
    image[inner | outer] = 30
    found = make_mask(image, "lung", is_ct=True, spacing_zyx_mm=SPACING)
    assert found[inner].all()
    assert found[outer].mean() > 0.6
    # Without closing, what grows on the wall would not be searched.
    assert find_lungs(image, SPACING, 0.1)[outer].mean() < 0.3


def test_a_lung_that_the_image_cuts_is_kept_though_it_touches_the_edge() -> None:
    image, lungs = chest()
    part = image[:, 30:90, 30:70]
    found = find_lungs(part, SPACING, 4.0)
    assert found[lungs[:, 30:90, 30:70]].mean() > 0.97


def test_what_is_no_lung_is_refused() -> None:
    image, _ = chest()
    solid = image.copy()
    solid[:, 20:100, 20:140] = 40
    with pytest.raises(ImageError, match="No lung was found"):
        make_mask(solid, "lung", is_ct=True, spacing_zyx_mm=SPACING)
    with pytest.raises(ImageError, match="in a CT only"):
        make_mask(image, "lung", is_ct=False)
