"""Phantoms of simple solids against formulas for volumes and centroids, on awkward grids."""

import numpy as np
import pytest

from mtann.errors import SettingsError
from mtann.geometry import Geometry
from mtann.phantoms.shapes import Box, Cylinder, Ellipsoid, Sphere, solid_share, sphere_phantom, spheres_and_cylinders

ROTATED = np.array([[0.8, -0.6, 0.0], [0.48, 0.64, -0.6], [0.36, 0.48, 0.8]])


def grid(shape_zyx, spacing_xyz, axes=None):
    """A grid about the point (5, -3, 20)."""
    axes = np.eye(3) if axes is None else axes
    matrix = np.eye(4)
    matrix[:3, :3] = axes * np.array(spacing_xyz)
    matrix[:3, 3] = np.array([5, -3, 20]) - matrix[:3, :3] @ ((np.array(shape_zyx[::-1]) - 1) / 2)
    return Geometry.from_matrix(shape_zyx, matrix)


GRIDS = {
    "plain": grid((40, 40, 40), (1, 1, 1)),
    "oblique": grid((40, 44, 48), (1, 0.9, 1.1), ROTATED),
    "flipped": grid((40, 40, 40), (1, 1, 1), np.diag([-1.0, 1.0, -1.0])),
    "anisotropic": grid((9, 80, 80), (0.5, 0.5, 5)),
}


def centroid_lps(phantom_geometry, box, share):
    index = np.argwhere(share > 0)
    weights = share[tuple(index.T)]
    start = np.array([part.start for part in box])
    return phantom_geometry.lps_from_index((weights[:, None] * (index + start)).sum(axis=0) / weights.sum())


@pytest.mark.parametrize("name", GRIDS)
def test_a_sphere_has_its_volume_and_centroid_on_any_grid(name):
    sphere = Sphere((6.3, -4.2, 21.4), 7.5)
    box, share = solid_share(GRIDS[name], sphere)
    assert share.sum() * GRIDS[name].voxel_volume_mm3 == pytest.approx(4 / 3 * np.pi * 7.5**3, rel=0.01)
    np.testing.assert_allclose(centroid_lps(GRIDS[name], box, share), sphere.centre_lps_mm, atol=0.06)


@pytest.mark.parametrize("name", ["plain", "oblique", "flipped"])
def test_a_cylinder_has_its_volume_and_centroid_on_any_grid(name):
    cylinder = Cylinder((5.5, -2.8, 19.0), 3.0, (0.6, 0.0, 0.8), 20.0)
    box, share = solid_share(GRIDS[name], cylinder)
    assert share.sum() * GRIDS[name].voxel_volume_mm3 == pytest.approx(np.pi * 9 * 20, rel=0.02)
    np.testing.assert_allclose(centroid_lps(GRIDS[name], box, share), cylinder.centre_lps_mm, atol=0.06)


def test_the_sphere_is_at_its_place_in_the_world_whatever_the_grid():
    sphere = Sphere((9.0, -3.0, 24.0), 4.0)
    for geometry in GRIDS.values():
        phantom = sphere_phantom(geometry, [sphere])
        found = geometry.lps_from_index(np.argwhere(phantom.labels.array == 1)).mean(axis=0)
        np.testing.assert_array_less(np.abs(found - sphere.centre_lps_mm), 0.5 * max(geometry.spacing_xyz_mm))


def test_one_slice_holds_the_sphere_s_section():
    geometry = grid((1, 40, 40), (1, 1, 4))
    phantom = sphere_phantom(geometry, [Sphere((5.0, -3.0, 20.0), 8.0)])
    area = np.count_nonzero(phantom.labels.array)
    assert area == pytest.approx(np.pi * 64, rel=0.05)


def test_values_are_background_plus_contrast_and_partial_volume_between():
    array = sphere_phantom(GRIDS["plain"], [Sphere((5.5, -2.5, 20.5), 6.0, 0.5)], background=2.0).volume.array
    assert array.max() == pytest.approx(2.5)
    assert array.min() == pytest.approx(2.0)
    assert np.count_nonzero((array > 2.05) & (array < 2.45)) > 100


def test_labels_number_the_spheres_and_leave_cylinders_out():
    spheres = [Sphere((-5.0, -3.0, 20.0), 3.0), Sphere((14.0, -3.0, 20.0), 4.0)]
    cylinder = Cylinder((5.0, 8.0, 20.0), 2.0, (1.0, 0.0, 0.0), 20.0)
    phantom = sphere_phantom(GRIDS["plain"], spheres, [cylinder])
    assert set(np.unique(phantom.labels.array)) == {0, 1, 2}
    index = np.round(GRIDS["plain"].index_from_lps([spheres[1].centre_lps_mm, cylinder.centre_lps_mm])).astype(int)
    assert phantom.labels.array[tuple(index[0])] == 2
    assert phantom.labels.array[tuple(index[1])] == 0
    assert phantom.volume.array[tuple(index[1])] == pytest.approx(2.0)


@pytest.mark.parametrize("body", [Ellipsoid((5, -3, 20), (15, 12, 10)), Box((5, -3, 20), (15, 12, 10))])
def test_outside_the_body_everything_is_zero(body):
    phantom = sphere_phantom(GRIDS["oblique"], [Sphere((5, -3, 29), 5.0)], noise_sigma=0.1, body=body)
    centres = GRIDS["oblique"].lps_from_index(np.argwhere(np.ones(GRIDS["oblique"].shape_zyx)))
    outside = ~body.contains(centres).reshape(GRIDS["oblique"].shape_zyx)
    assert outside.any()
    assert not phantom.volume.array[outside].any()
    assert not phantom.labels.array[outside].any()
    assert phantom.volume.array[~outside].mean() == pytest.approx(1.0, abs=0.1)


def test_noise_has_its_width_and_follows_the_seed():
    first, again, other = (sphere_phantom(GRIDS["plain"], [], noise_sigma=0.2, seed=s).volume.array for s in (3, 3, 4))
    assert np.std(first) == pytest.approx(0.2, rel=0.02)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    "wrong", [{"lesions": [Sphere((0, 0, 0), 0.0)]}, {"lesions": [], "noise_sigma": -1.0}, {"lesions": [], "seed": -1}]
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(SettingsError):
        sphere_phantom(GRIDS["plain"], **wrong)


def test_spheres_and_cylinders_fill_separate_places():
    phantom = spheres_and_cylinders(5)
    assert len(phantom.spheres) == len(phantom.cylinders) == 12
    radii = [solid.radius_mm for solid in (*phantom.spheres, *phantom.cylinders)]
    assert min(radii) >= 2
    assert max(radii) <= 5
    quiet = spheres_and_cylinders(5, noise_sigma=0.0)
    owners = np.zeros(quiet.volume.array.shape, dtype=int)
    for solid in (*quiet.spheres, *quiet.cylinders):
        box, share = solid_share(quiet.volume.geometry, solid)
        owners[box] += share > 0
        length = 2 * solid.radius_mm if isinstance(solid, Sphere) else solid.length_mm
        assert length > 2 * solid.radius_mm or isinstance(solid, Sphere)
        expected = (
            4 / 3 * np.pi * solid.radius_mm**3 if isinstance(solid, Sphere) else np.pi * solid.radius_mm**2 * length
        )
        assert share.sum() == pytest.approx(expected, rel=0.03)
    assert owners.max() == 1


def test_spheres_and_cylinders_follow_the_seed():
    first, again, other = (spheres_and_cylinders(s).volume.array for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert first.shape != other.shape or not np.array_equal(first, other)
