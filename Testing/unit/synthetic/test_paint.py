"""What is painted has the brightness, blur, oedema, push and noise that were asked for."""

import math

import numpy as np
import pytest
from grids import grid, turned, world_points

from mtann.synthetic.insert import insert_lesions
from mtann.synthetic.paint import blurred_peak
from mtann.volume import Volume
from unit.synthetic.backgrounds import LEVEL, distance_mm, even_scan, plain


def insert(scan, seed=1, **changes):
    made = insert_lesions([scan], None, plain(**changes), np.random.default_rng(seed))
    return made, distance_mm(scan.geometry, made.lesions[0].centre_lps_mm)


def mean_at(made, distance, low, high):
    return float(made.channels[0].array[(distance >= low) & (distance < high)].mean())


def test_a_lesion_has_the_contrast_asked_for_above_its_tissue():
    made, distance = insert(even_scan(), contrast=300.0)
    assert mean_at(made, distance, 0, 6) == pytest.approx(LEVEL + 300, abs=0.5)
    assert mean_at(made, distance, 11, 20) == pytest.approx(LEVEL, abs=0.5)


def test_contrast_in_deviations_is_of_the_tissue():
    made, distance = insert(even_scan(noise=20.0), unit="deviation", contrast=5.0)
    # 20 is the deviation of the noise; the tissue's level is a median of noise, too.
    assert mean_at(made, distance, 0, 6) == pytest.approx(LEVEL + 5 * 20, abs=2)


def test_contrast_is_above_the_tissue_right_there():
    geometry = grid((60, 60, 120))
    slope = LEVEL + 2 * world_points(geometry)[..., 0]
    noisy = slope + 20 * np.random.default_rng(0).standard_normal(geometry.shape_zyx)
    made, distance = insert(Volume(noisy.astype(np.float32), geometry), seed=7)
    x = made.lesions[0].centre_lps_mm[0]
    assert 10 < abs(x) < 30
    assert mean_at(made, distance, 0, 5) == pytest.approx(LEVEL + 2 * x + 300, abs=7)


def test_a_core_is_darker_by_the_level_asked_for_and_the_rim_brighter():
    made, distance = insert(
        even_scan(), radius_mm=12.0, solid=0, ring=1, rim_fraction=0.4, contrast=300.0, core_contrast=-200.0
    )
    # Rim from 12 - 4.8 = 7.2 mm outwards.
    assert mean_at(made, distance, 0, 5.5) == pytest.approx(LEVEL - 200, abs=0.5)
    assert mean_at(made, distance, 9, 10.2) == pytest.approx(LEVEL + 300, abs=1.5)


@pytest.mark.parametrize("fwhm_mm", [2.0, 4.0])
def test_the_edge_is_as_blurred_as_the_scan(fwhm_mm):
    made, distance = insert(even_scan(noise=0.5), radius_mm=14.0, blur_mm=fwhm_mm)
    share = (made.channels[0].array - LEVEL) / 300
    near = (distance > 6) & (distance < 22)
    order = np.argsort(distance[near])
    radius, profile = distance[near][order], share[near][order]
    smooth = np.convolve(profile, np.ones(101) / 101, mode="valid")
    radius = radius[50:-50]
    at90, at10 = (float(radius[np.argmax(smooth < level)]) for level in (0.9, 0.1))
    # A Gaussian of deviation s rises from 10 to 90 % over 2.563 s; s = FWHM / 2.3548.
    assert at10 - at90 == pytest.approx(2.563 * fwhm_mm / 2.3548, rel=0.06)


def test_the_blur_is_never_finer_than_a_voxel():
    scan = even_scan(grid((30, 80, 80), (0.5, 0.5, 4.0)), noise=0.5)
    made, _ = insert(scan, radius_mm=8.0, blur_mm=0.5)
    lesion = made.lesions[0]
    _, y, x = np.round(scan.geometry.index_from_lps(lesion.centre_lps_mm)).astype(int)
    share = (made.channels[0].array[:, y, x] - LEVEL) / 300
    # Across the slices, the shares of a column through the middle add up to its length in slices.
    assert share.sum() == pytest.approx(2 * 8.0 / 4.0, abs=0.1)


def test_a_blurred_ball_keeps_the_share_of_its_peak_that_the_formula_says():
    # Radius 2 mm, FWHM 3 mm: a = 2 / 1.274 = 1.570; erf(1.110) - 0.7979 * 1.570 * exp(-1.232) = 0.518.
    assert blurred_peak(2.0, 3.0) == pytest.approx(0.518, abs=0.002)
    assert blurred_peak(20.0, 1.0) == pytest.approx(1.0)


def test_the_least_contrast_holds_after_the_blur():
    for seed in range(4):
        made, distance = insert(even_scan(noise=0.2), seed, radius_mm=1.5, blur_mm=2.5, contrast=(100.0, 1000.0))
        middle = float(made.channels[0].array[distance < 0.9].max())
        assert middle - LEVEL >= 0.85 * 100.0


def test_oedema_darkens_what_is_about_the_lesion_by_its_contrast():
    made, distance = insert(even_scan(), contrast=0.0, halo_contrast=-100.0, halo_mm=10.0)
    assert mean_at(made, distance, 9.0, 9.2) == pytest.approx(LEVEL - 100, abs=3)
    assert mean_at(made, distance, 8 + 20.5, 35) == pytest.approx(LEVEL, abs=0.5)


def test_oedema_leaves_what_is_darker_already():
    scan = even_scan(noise=1.0)
    array = scan.array.copy()
    array[:, ::6] = 500.0  # Thin layers of fluid.
    made, distance = insert(scan.with_array(array), contrast=0.0, halo_contrast=-100.0, halo_mm=10.0)
    fluid = (array == 500.0) & (distance > 9.5)
    assert made.channels[0].array[fluid] == pytest.approx(500.0, abs=1)


def test_tissue_is_pushed_aside_as_if_the_lesion_had_grown():
    geometry = grid((70, 70, 70))
    x_mm = world_points(geometry)[..., 0]
    noise = 0.01 * np.random.default_rng(0).standard_normal(geometry.shape_zyx)
    scan = Volume((x_mm + noise).astype(np.float32), geometry)
    made, distance = insert(scan, radius_mm=8.0, mass_effect=0.5, min_inside=1.0)
    centre = np.array(made.lesions[0].centre_lps_mm)
    along = (distance > 9.8) & (distance < 12.5)
    off_axis = np.linalg.norm((world_points(geometry) - centre)[..., 1:], axis=-1)
    inner = (np.abs(world_points(geometry)) < 33).all(axis=-1)
    for index in np.argwhere(along & (off_axis < 1.0) & inner):
        x = float(world_points(geometry)[tuple(index)][0] - centre[0])
        r = float(distance[tuple(index)])
        # Grown from r' with r'^3 = r^3 - 0.5 * 8^3; the shift fades from 8 mm to 8 + 12 mm by a smooth step.
        t = (r - 8) / 12
        shift = (r - (r**3 - 256) ** (1 / 3)) * (1 - t * t * (3 - 2 * t))
        expected = centre[0] + x * (1 - shift / r)
        assert made.channels[0].array[tuple(index)] == pytest.approx(expected, abs=0.06)
        assert shift > 0.4


def test_a_neighbours_push_and_oedema_move_no_lesion():
    scan = even_scan()
    quiet = plain(count=2, radius_mm=(5.0, 9.0), beside=1.0, min_gap_mm=2.0)
    loud = quiet.model_copy(
        update={"halo_mm": (10.0, 10.0), "halo_contrast": (-90.0, -90.0), "mass_effect": (0.8, 0.8)}
    )
    for recipe in (quiet, loud):
        made = insert_lesions([scan], None, recipe, np.random.default_rng(0))
        bright = made.channels[0].array > LEVEL + 150
        label = made.label_map.array > 0
        assert 2 * (label & bright).sum() / (label.sum() + bright.sum()) > 0.96


def test_the_scans_noise_goes_on_inside():
    scan = even_scan(noise=20.0)
    made, distance = insert(scan, radius_mm=14.0, noise=1.0)

    def fine(array):
        return np.diff(array, axis=2)[(distance < 12)[:, :, 1:]].std()

    # Noise of a scan is correlated over a voxel, white noise is not, so neighbours differ less.
    assert 0.35 * fine(scan.array) < fine(made.channels[0].array) < fine(scan.array)
    still, _ = insert(scan, radius_mm=14.0, noise=0.0)
    assert fine(still.channels[0].array) < 0.05 * fine(scan.array)


def test_tissue_shows_through_a_transparent_lesion():
    scan = even_scan(noise=20.0)
    made, distance = insert(scan, transparency=0.5)
    inside = distance < 5
    pattern = scan.array[inside] - LEVEL
    # Half of the pattern, clipped at two deviations.
    slope = np.polyfit(pattern, made.channels[0].array[inside], 1)[0]
    assert slope == pytest.approx(0.5, abs=0.05)


def test_nothing_is_darker_than_the_darkest_tissue():
    made, distance = insert(even_scan(), contrast=-5000.0)
    assert made.channels[0].array.min() == 0.0
    assert made.channels[0].array[distance < 4] == pytest.approx(0.0, abs=1)


@pytest.mark.parametrize(
    "geometry",
    [
        grid((50, 50, 50), (1.0, 1.0, 1.0), turned(20, -15, 35)),
        grid((24, 80, 70), (0.7, 0.7, 2.5)),
        grid((24, 80, 70), (0.7, 0.7, 2.5), turned(10, 25, -40), (30.0, -20.0, 100.0)),
    ],
    ids=["oblique", "anisotropic", "both"],
)
def test_on_any_grid_a_ball_is_a_ball_in_the_world(geometry):
    made, distance = insert(even_scan(geometry), radius_mm=8.0)
    label = made.label_map.array == 1
    assert made.label_map.geometry == geometry == made.channels[0].geometry
    assert label.sum() * geometry.voxel_volume_mm3 == pytest.approx(4 / 3 * math.pi * 8**3, rel=0.03)
    truth = distance <= 8
    assert 2 * (label & truth).sum() / (label.sum() + truth.sum()) > 0.96
    bright = made.channels[0].array > LEVEL + 150
    assert 2 * (label & bright).sum() / (label.sum() + bright.sum()) > 0.96
