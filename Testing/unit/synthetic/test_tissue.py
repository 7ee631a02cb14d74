"""Tissue is found, measured and told from what is not."""

import numpy as np
import pytest
from grids import grid

from mtann.errors import ImageError
from mtann.synthetic.insert import insert_lesions
from mtann.synthetic.presets import recipe_named
from mtann.synthetic.tissue import find_tissue, local_level, measure_tissue, scan_noise
from mtann.volume import Volume
from unit.synthetic.backgrounds import LEVEL, distance_mm, even_scan


def chest():
    """A cylinder of soft tissue along z with two lungs and a vessel of 2 mm radius in each, in air."""
    geometry = grid((24, 110, 150), (2.0, 2.0, 2.5))
    points = geometry.lps_from_index(np.moveaxis(np.indices(geometry.shape_zyx), 0, -1))
    x, y = points[..., 0], points[..., 1]
    array = np.full(geometry.shape_zyx, -1000.0)
    array[(x / 130) ** 2 + (y / 95) ** 2 < 1] = 40
    for side in (-1, 1):
        array[np.hypot(x - side * 60, y) < 45] = -850
        array[np.hypot(x - side * 60, y) < 2.5] = 40
    array += np.random.default_rng(0).normal(0, 15, array.shape)
    return Volume(array.astype(np.int16), geometry, "chest"), np.hypot(np.abs(x) - 60, y)


def test_lungs_are_the_air_inside_the_body_with_their_vessels():
    scan, from_lung = chest()
    lungs = find_tissue(scan, None, "lung")
    assert lungs[from_lung < 43].all()
    assert not lungs[from_lung > 49].any()


def test_a_given_mask_narrows_the_lungs():
    scan, from_lung = chest()
    half = np.zeros(scan.array.shape, np.uint8)
    half[:, :, 75:] = 1
    lungs = find_tissue(scan, scan.with_array(half), "lung")
    assert lungs[:, :, 76:][from_lung[:, :, 76:] < 43].all() and not lungs[:, :, :75].any()


def test_an_image_without_lungs_is_refused():
    with pytest.raises(ImageError, match="No lung was found in 'even.nii.gz'"):
        find_tissue(even_scan(), None, "lung")


def test_nodules_have_hounsfield_units_and_lie_in_the_lungs():
    scan, from_lung = chest()
    recipe = recipe_named("lung-nodule").model_copy(
        update={
            "contrast": (800.0, 800.0),
            "solid": 1.0,
            "ring": 0.0,
            "patchy": 0.0,
            "part_solid": 0.0,
            "radius_mm": (7.0, 8.0),
            "texture": (0.0, 0.0),
            "transparency": (0.0, 0.0),
            "count": (3, 3),
            "irregularity": (0.0, 0.0),
            "spicules": (0, 0),
            "lobed": 0.0,
        }
    )
    made = insert_lesions([scan], None, recipe, np.random.default_rng(1))
    for lesion in made.lesions:
        inner = (made.label_map.array == lesion.label) & (distance_mm(scan.geometry, lesion.centre_lps_mm) < 3.5)
        assert made.channels[0].array[inner].mean() == pytest.approx(-850 + 800, abs=25)
    assert from_lung[made.label_map.array > 0].max() < 49


def test_a_skull_stripped_brain_is_all_that_is_not_background():
    inside = distance_mm(even_scan().geometry, (0, 0, 0)) < 20
    scan = even_scan()
    brain = find_tissue(scan.with_array(np.where(inside, scan.array, 0)), None, "auto")
    assert np.array_equal(brain, inside)


def test_levels_are_robust():
    array = even_scan(noise=10.0).array.copy()
    array[:3] = 9000.0
    array[0, 0, 0] = 7.0
    levels = measure_tissue(array, np.ones(array.shape, dtype=bool), "image")
    assert levels.median == pytest.approx(LEVEL, abs=2)
    assert levels.deviation == pytest.approx(10, rel=0.1)
    assert levels.least == 7.0


def test_noise_is_drawn_as_strong_as_it_was_measured():
    everything = np.ones((60, 60, 60), dtype=bool)
    levels = measure_tissue(even_scan(noise=10.0).array, everything, "image")
    drawn = scan_noise((60, 60, 60), levels, np.random.default_rng(0))
    again = measure_tissue(LEVEL + drawn, everything, "image")
    assert again.noise == pytest.approx(levels.noise, rel=0.25)
    assert 5 < levels.noise < 10


def test_noise_is_measured_where_it_is_quiet():
    array = even_scan(noise=10.0).array.copy()
    quiet = measure_tissue(array, np.ones(array.shape, dtype=bool), "image").noise
    array[:, ::8] += 500  # Edges of anatomy, nearly everywhere.
    busy = measure_tissue(array, np.ones(array.shape, dtype=bool), "image").noise
    assert busy < 3 * quiet


def test_local_level_leaves_fluid_and_vessels_out():
    array = even_scan(noise=10.0).array.copy()
    everything = np.ones(array.shape, dtype=bool)
    levels = measure_tissue(array, everything, "image")
    array[:40], array[40:45] = 100.0, 5000.0
    assert local_level(array, everything, levels) == pytest.approx(LEVEL, abs=1)
    assert local_level(array[:40], everything[:40], levels) == levels.median
