"""Radii of balls that were clicked on."""

import numpy as np
import pytest

from mtann.geometry import Geometry
from mtann.phantoms.shapes import Sphere, sphere_phantom
from mtann.sampling.lesions import Lesion
from mtann.sampling.radius import estimate_radius_mm, with_radii
from unit.grids import grid, turned

GRID = Geometry((60, 64, 68), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
MIDDLE = (33.3, 31.8, 30.1)


@pytest.mark.parametrize("radius", [2.0, 3.0, 5.0, 8.0, 12.0])
@pytest.mark.parametrize("contrast", [0.8, -0.8])
def test_a_balls_radius_is_found_to_a_fifth_in_noise(radius, contrast):
    image = sphere_phantom(GRID, [Sphere(MIDDLE, radius, contrast)], noise_sigma=0.1).volume
    assert estimate_radius_mm(MIDDLE, [image]) == pytest.approx(radius, rel=0.2)


def test_a_click_beside_the_middle_does_as_well():
    image = sphere_phantom(GRID, [Sphere(MIDDLE, 6.0)], noise_sigma=0.05).volume
    beside = (MIDDLE[0] + 1.0, MIDDLE[1] - 1.0, MIDDLE[2])
    assert estimate_radius_mm(beside, [image]) == pytest.approx(6.0, rel=0.2)


def test_on_a_turned_grid_of_thick_slices_the_radius_is_in_millimetres():
    thick = grid((24, 90, 96), (0.7, 0.7, 2.5), turned(20, -15, 30))
    middle = tuple(thick.lps_from_index([12, 45, 48]).tolist())
    image = sphere_phantom(thick, [Sphere(middle, 6.0)], noise_sigma=0.05).volume
    assert estimate_radius_mm(middle, [image]) == pytest.approx(6.0, rel=0.25)


def test_a_channel_that_does_not_show_the_lesion_does_not_decide():
    shown = sphere_phantom(GRID, [Sphere(MIDDLE, 5.0)], noise_sigma=0.1).volume
    noise = sphere_phantom(GRID, [], noise_sigma=50.0, seed=3).volume
    assert estimate_radius_mm(MIDDLE, [noise, shown]) == pytest.approx(5.0, rel=0.25)


def test_given_radii_are_kept():
    image = sphere_phantom(GRID, [Sphere(MIDDLE, 5.0)]).volume
    given, clicked = with_radii([Lesion(MIDDLE, 2.5), Lesion(MIDDLE)], [image])
    assert given.radius_mm == 2.5
    assert clicked.radius_mm == pytest.approx(5.0, rel=0.2)
    assert np.isfinite(estimate_radius_mm((0.0, 0.0, 0.0), [sphere_phantom(GRID, []).volume]))
