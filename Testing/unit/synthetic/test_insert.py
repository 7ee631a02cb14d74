"""Lesions lie in tissue, apart from each other and from real ones, and the same seed gives the same."""

import numpy as np
import pytest
from grids import grid, turned
from scipy import ndimage

from mtann.errors import GeometryError, ImageError, SettingsError
from mtann.sampling.lesions import Lesion, lesions_from_label_map
from mtann.synthetic.insert import insert_lesions
from mtann.synthetic.presets import recipe_named
from mtann.synthetic.recipe import ChannelLook
from mtann.volume import Volume
from unit.synthetic.backgrounds import LEVEL, distance_mm, even_scan, plain

SCAN = even_scan()


def ball_mask(radius_mm, geometry=SCAN.geometry):
    inside = distance_mm(geometry, (0.0, 0.0, 0.0)) <= radius_mm
    return Volume(inside.astype(np.uint8), geometry)


def insert(recipe, seed=0, mask=None, scan=SCAN, **options):
    return insert_lesions([scan], mask, recipe, np.random.default_rng(seed), **options)


@pytest.mark.parametrize("radius_mm", [3.0, 8.0, 12.0])
def test_a_ball_has_its_volume(radius_mm):
    made = insert(plain(radius_mm=radius_mm))
    assert np.count_nonzero(made.label_map.array) == pytest.approx(4 / 3 * np.pi * radius_mm**3, rel=0.05)
    assert made.lesions[0].volume_mm3 == np.count_nonzero(made.label_map.array)


def test_the_outline_holds_the_core():
    made = insert(plain(radius_mm=12.0, solid=0, ring=1))
    assert np.count_nonzero(made.label_map.array) == pytest.approx(4 / 3 * np.pi * 12**3, rel=0.03)
    assert made.lesions[0].kind == "ring"


def test_a_tiny_lesion_has_at_least_one_voxel():
    scan = even_scan(grid((20, 20, 20), (4.0, 4.0, 4.0)))
    for seed in range(5):
        assert np.count_nonzero(insert(plain(radius_mm=1.0), seed, scan=scan).label_map.array) >= 1


def test_lesions_are_numbered_and_as_many_as_asked_for():
    made = insert(plain(count=6, radius_mm=(2.0, 5.0)))
    assert [lesion.label for lesion in made.lesions] == [1, 2, 3, 4, 5, 6]
    assert set(np.unique(made.label_map.array)) == {0, 1, 2, 3, 4, 5, 6}
    assert made.label_map.array.dtype == np.uint8
    for lesion in made.lesions:
        assert lesion.volume_mm3 == np.count_nonzero(made.label_map.array == lesion.label)


def test_nothing_outside_the_mask_changes_and_no_middle_lies_there():
    mask = ball_mask(14.0)
    recipe = plain(count=3, radius_mm=4.0, halo_contrast=-50.0, halo_mm=10.0, mass_effect=0.5, min_inside=0.5)
    for seed in range(3):
        made = insert(recipe, seed, mask)
        outside = mask.array == 0
        assert np.array_equal(made.channels[0].array[outside], SCAN.array[outside])
        assert not made.label_map.array[outside].any()
        for lesion in made.lesions:
            assert np.linalg.norm(lesion.centre_lps_mm) <= 14.5


@pytest.mark.parametrize("share", [0.6, 1.0])
def test_the_share_asked_for_lies_inside(share):
    whole = 4 / 3 * np.pi * 5**3
    volumes = [
        insert(plain(radius_mm=5.0, min_inside=share), seed, ball_mask(9.0)).lesions[0].volume_mm3 for seed in range(6)
    ]
    assert min(volumes) >= 0.95 * share * whole
    if share < 1:
        assert min(volumes) < 0.95 * whole


def test_lesions_keep_their_distance():
    made = insert(plain(count=8, radius_mm=4.0, min_gap_mm=5.0))
    for lesion in made.lesions:
        others = (made.label_map.array > 0) & (made.label_map.array != lesion.label)
        apart = ndimage.distance_transform_edt(~others)[made.label_map.array == lesion.label].min()
        assert apart >= 5.0


def test_some_lesions_are_put_beside_others():
    made = insert(plain(count=2, radius_mm=3.0, beside=1.0, min_gap_mm=2.0))
    a, b = (np.array(lesion.centre_lps_mm) for lesion in made.lesions)
    # Two radii and the gap, and up to 6 mm more.
    assert 8.0 <= np.linalg.norm(a - b) <= 14.0


def test_real_lesions_are_kept_clear_of_and_never_changed():
    real = np.zeros(SCAN.geometry.shape_zyx, dtype=np.uint8)
    real[20:40, 20:40, 20:40] = 1
    lesions = lesions_from_label_map(SCAN.with_array(real))
    made = insert(
        plain(count=4, radius_mm=4.0, min_gap_mm=3.0, mass_effect=0.8, halo_contrast=-50.0, halo_mm=9.0), avoid=lesions
    )
    assert np.array_equal(made.channels[0].array[real == 1], SCAN.array[real == 1])
    assert ndimage.distance_transform_edt(real == 0)[made.label_map.array > 0].min() >= 3.0


def test_a_real_lesion_marked_as_a_point_is_a_ball():
    made = insert(plain(count=8, radius_mm=3.0), avoid=[Lesion((0.0, 0.0, 0.0), 15.0)])
    away = distance_mm(SCAN.geometry, (0.0, 0.0, 0.0))
    assert away[made.label_map.array > 0].min() >= 15.0 + 2.0


def test_fluid_is_no_place_for_a_lesion():
    array = even_scan(noise=10.0).array.copy()
    array[:, :, 42:] = 500.0
    scan = SCAN.with_array(array)
    for seed in range(5):
        made = insert(plain(radius_mm=4.0, fluid_deviations=3.0, min_inside=0.9), seed, ball_mask(28), scan)
        assert made.lesions[0].centre_lps_mm[0] < 42 - 29.5


def test_attached_lesions_touch_the_border_of_tissue():
    reach = []
    for seed in range(6):
        made = insert(plain(radius_mm=4.0, attached=1.0, min_inside=0.5), seed, ball_mask(20.0))
        reach.append(np.linalg.norm(made.lesions[0].centre_lps_mm) + 4.0)
    assert min(reach) >= 19.0


def test_the_same_seed_gives_the_same_bytes():
    recipe = recipe_named("glioma").model_copy(update={"tissue": "everything", "radius_mm": (2.0, 8.0)})
    first, again, other = (insert(recipe, seed) for seed in (5, 5, 6))
    assert first.channels[0].array.tobytes() == again.channels[0].array.tobytes()
    assert first.label_map.array.tobytes() == again.label_map.array.tobytes()
    assert first.lesions == again.lesions
    assert first.label_map.array.tobytes() != other.label_map.array.tobytes()


@pytest.mark.parametrize("kind", [np.int16, np.uint8, np.float64])
def test_the_voxel_type_stays_and_values_are_rounded_into_it(kind):
    scan = SCAN.with_array((SCAN.array / 10).astype(kind))
    made = insert(plain(contrast=200.0), scan=scan)
    assert made.channels[0].array.dtype == kind
    middle = made.channels[0].array[distance_mm(SCAN.geometry, made.lesions[0].centre_lps_mm) < 5]
    assert np.median(middle) == pytest.approx(255 if kind is np.uint8 else 300, abs=1)


def test_all_channels_show_one_lesion_each_on_its_own_grid():
    other = even_scan(grid((40, 44, 42), (1.5, 1.5, 1.5), turned(10, 20, 30)), seed=4)
    dark = other.array.copy()
    dark[20, 22, 4] = 0.0
    other = other.with_array(dark)
    recipe = plain(channel_looks={"b": ChannelLook(contrast=-150.0, core_contrast=0.0, halo_contrast=0.0)})
    made = insert_lesions([SCAN, other], None, recipe, np.random.default_rng(2), names=("a", "b"))
    centre = made.lesions[0].centre_lps_mm
    assert made.channels[1].geometry == other.geometry
    near = distance_mm(other.geometry, centre) < 5
    assert made.channels[1].array[near].mean() == pytest.approx(LEVEL - 150, abs=2)
    assert made.channels[0].array[distance_mm(SCAN.geometry, centre) < 5].mean() == pytest.approx(LEVEL + 300, abs=1)
    assert [b.contrast for b in made.lesions[0].brightness] == pytest.approx([300.0, -150.0])


def test_an_empty_mask_is_refused():
    with pytest.raises(ImageError, match="No tissue was found in 'even.nii.gz'"):
        insert(plain(), mask=ball_mask(-1.0))


def test_a_lesion_larger_than_the_tissue_is_refused():
    with pytest.raises(SettingsError, match="is larger than the tissue"):
        insert(plain(radius_mm=9.0), mask=ball_mask(8.0))


def test_no_place_left_is_said():
    with pytest.raises(SettingsError, match=r"No place is left for lesion \d of 9 in 'even.nii.gz' of 5 mm"):
        insert(plain(count=9, radius_mm=5.0), mask=ball_mask(9.0))


def test_where_large_lesions_do_not_fit_smaller_ones_are_drawn():
    made = insert(plain(radius_mm=(2.0, 20.0)), 3, ball_mask(8.0))
    assert 2.0 <= made.lesions[0].radius_mm <= 8.0


def test_even_tissue_is_refused():
    array = np.zeros(SCAN.geometry.shape_zyx, dtype=np.float32)
    array[0] = 5.0
    inner = Volume(np.pad(np.ones((40, 40, 40), np.uint8), 10), SCAN.geometry)
    with pytest.raises(ImageError, match="same value throughout the tissue"):
        insert(plain(), mask=inner, scan=SCAN.with_array(array))


def test_a_channel_elsewhere_is_refused():
    away = even_scan(grid((20, 20, 20), centre_lps_mm=(500.0, 0.0, 0.0)))
    with pytest.raises(GeometryError, match="does not overlap"):
        insert_lesions([SCAN, away], None, plain(), np.random.default_rng(0))
