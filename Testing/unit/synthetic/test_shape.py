"""Shapes have the volume asked for, whatever they look like, and are one piece."""

import numpy as np
import pytest
from scipy import ndimage

from mtann.synthetic.shape import draw_shape
from unit.synthetic.backgrounds import plain


def drawn(seed=0, radius_mm=6.0, **changes):
    return draw_shape(plain(**changes), radius_mm, np.random.default_rng(seed))


def volume_mm3(shape):
    return np.count_nonzero(shape.depth.values > 0) * shape.depth.step_mm**3


@pytest.mark.parametrize("radius_mm", [1.5, 6.0, 25.0])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"ellipticity": 0.5},
        {"irregularity": 0.3},
        {"lobed": 1.0},
        {"lobed": 1.0, "irregularity": 0.25},
        {"spicules": 8},
    ],
)
def test_every_shape_has_the_volume_of_its_ball_in_one_piece(radius_mm, changes):
    for seed in range(3):
        shape = drawn(seed, radius_mm, **changes)
        assert volume_mm3(shape) == pytest.approx(4 / 3 * np.pi * radius_mm**3, rel=0.03)
        assert ndimage.label(shape.depth.values > 0)[1] == 1


def test_a_ball_is_a_ball():
    shape = drawn(radius_mm=6.0)
    assert shape.depth.at(np.array([[0.0, 0, 0], [4.0, 0, 0], [0, -6.0, 0], [0, 0, 9.0]])) == pytest.approx(
        [6.0, 2.0, 0.0, -3.0], abs=0.15
    )


def test_ellipticity_and_irregularity_are_seen():
    def spread(shape):
        """Deviation of the outline's distance from the middle, relative to its mean."""
        inside = shape.depth.values > 0
        border = np.argwhere(inside & ~ndimage.binary_erosion(inside))
        length = np.linalg.norm(border - np.argwhere(inside).mean(axis=0), axis=1)
        return length.std() / length.mean()

    ball = spread(drawn())
    assert ball < 0.05
    assert np.mean([spread(drawn(seed, irregularity=0.25)) for seed in range(4)]) > ball + 0.08
    assert np.mean([spread(drawn(seed, ellipticity=0.5)) for seed in range(4)]) > ball + 0.08
    assert np.mean([spread(drawn(seed, lobed=1.0)) for seed in range(4)]) > ball + 0.08


def test_a_rim_is_as_thick_as_asked():
    shape = drawn(radius_mm=10.0, solid=0, ring=1, rim_fraction=0.3, rim_mm=(1.0, 8.0))
    # Core border at 10 - 3 = 7 mm from the middle.
    assert shape.core.at(np.array([[0.0, 0, 0], [7.0, 0, 0], [8.5, 0, 0]])) == pytest.approx([7.0, 0.0, -1.5], abs=0.2)


def test_thickness_keeps_to_its_limits_in_mm():
    thin = drawn(radius_mm=20.0, solid=0, ring=1, rim_fraction=0.5, rim_mm=(1.0, 4.0))
    assert thin.core.at(np.array([[16.0, 0, 0]])) == pytest.approx([0.0], abs=0.2)


def test_small_lesions_are_solid():
    assert drawn(radius_mm=2.9, solid=0, ring=1).kind == "solid"
    assert drawn(radius_mm=3.0, solid=0, ring=1).kind == "ring"
    assert not (drawn(radius_mm=2.9, solid=0, ring=1).core.values > 0).any()


def test_large_lesions_are_hollow_where_the_recipe_says_so():
    kinds = {drawn(seed, radius, ring=1, hollow_above_mm=9.0).kind for seed in range(8) for radius in (9.1, 12.0)}
    assert kinds == {"ring"}
    assert {drawn(seed, 9.0, ring=1, hollow_above_mm=9.0).kind for seed in range(8)} == {"solid", "ring"}


@pytest.mark.parametrize("share", [0.25, 0.75])
def test_a_gap_takes_its_share_of_the_rim(share):
    shape = drawn(radius_mm=10.0, solid=0, ring=1, rim_fraction=0.3, rim_gap=share)
    strength = shape.strength.values[(shape.depth.values > 0) & (shape.core.values < 0)]
    # Full strength is 1, in gaps 0.1; the border between them counts half.
    assert np.mean(strength < 0.55) == pytest.approx(share, abs=0.12)


@pytest.mark.parametrize("share", [0.3, 0.8])
def test_patches_take_their_share(share):
    shape = drawn(solid=0, patchy=1, patch_share=share, patch_floor=0.2)
    strength = shape.strength.values[shape.depth.values > 0]
    assert np.mean(strength > 0.6) == pytest.approx(share, abs=0.03)
    assert strength.min() == pytest.approx(0.2) and strength.max() == pytest.approx(1.0)


def test_a_part_solid_lesion_is_faint_outside():
    shape = drawn(radius_mm=10.0, solid=0, part_solid=1, rim_fraction=0.4, veil=0.3)
    assert shape.strength.at(np.array([[0.0, 0, 0], [9.0, 0, 0]])) == pytest.approx([1.0, 0.3], abs=0.01)


def test_texture_has_the_deviation_asked_for_about_the_same_mean():
    values = np.concatenate(
        [s.strength.values[s.depth.values > 0] for s in (drawn(k, 10.0, texture=0.3, texture_mm=2.0) for k in range(6))]
    )
    assert values.mean() == pytest.approx(1.0, abs=0.12)
    assert values.std() == pytest.approx(0.3, abs=0.08)


def test_oedema_falls_from_the_outline_to_nothing():
    halo = drawn(radius_mm=6.0, halo_mm=8.0).halo
    # Its reach varies between 0.3 and 2 times 8 mm; the first 40 % of it are full.
    points = np.array([[6.5, 0, 0], [22.5, 0, 0], [0, 0, -22.5]])
    assert halo.at(points) == pytest.approx([1.0, 0.0, 0.0], abs=0.02)
    assert drawn(halo_mm=0.0).halo is None
