"""The head phantom against its own truth: sizes, places, touching vessels, background, repeatability."""

import numpy as np
import pytest

from mtann.errors import SettingsError
from mtann.phantoms.brain import fissure_depth, outline, ventricle_depth
from mtann.phantoms.head import Phantom, head_phantom, head_scene
from mtann.phantoms.lesions import vessel_gap_mm
from mtann.phantoms.sulcal_walk import as_coordinates

SEED = 3


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return head_phantom(SEED)


@pytest.fixture(scope="module", params=[0, 1, 2, 7, 1000, 1001])
def scene(request):
    return head_scene(request.param)


def measured_volume_mm3(phantom: Phantom, label: int) -> float:
    return np.count_nonzero(phantom.labels.array == label) * phantom.labels.geometry.voxel_volume_mm3


def measured_centroid_lps(phantom: Phantom, label: int):
    return phantom.labels.geometry.lps_from_index(np.argwhere(phantom.labels.array == label)).mean(axis=0)


def sphere_volume_mm3(diameter_mm: float) -> float:
    return np.pi / 6 * diameter_mm**3


def test_the_image_is_a_head_in_size_and_type(phantom):
    assert phantom.volume.array.shape == phantom.labels.array.shape == (140, 175, 140)
    assert phantom.volume.array.dtype == np.float32
    assert phantom.labels.array.dtype == np.uint8
    inside = phantom.volume.array > 0
    # A brain with its fluid takes 1.1 to 1.7 litres.
    assert 1.1e6 < np.count_nonzero(inside) * phantom.volume.geometry.voxel_volume_mm3 < 1.7e6


def test_the_background_is_exactly_zero(phantom):
    array = phantom.volume.array
    for side in (array[:, 0], array[:, -1], array[:, :, 0], array[:, :, -1], array[-1]):
        assert not side.any()
    assert 0.4 < np.mean(array == 0) < 0.8
    assert not phantom.labels.array[array == 0].any()
    assert np.all(np.isfinite(array))


def test_every_lesion_has_its_volume_and_centroid(phantom):
    assert [lesion.label for lesion in phantom.lesions] == list(range(1, 9))
    assert set(np.unique(phantom.labels.array)) == set(range(9))
    for lesion in phantom.lesions:
        # Voxel borders weigh most in the smallest lesions: some 15 voxels at 3 mm.
        tolerance = 0.25 if lesion.diameter_mm < 4 else 0.1 if lesion.diameter_mm < 7 else 0.04
        assert measured_volume_mm3(phantom, lesion.label) == pytest.approx(
            sphere_volume_mm3(lesion.diameter_mm), rel=tolerance
        )
        assert np.abs(measured_centroid_lps(phantom, lesion.label) - lesion.centre_lps_mm).max() < 0.5


def test_lesions_are_brighter_than_what_surrounds_them(phantom):
    array, labels = phantom.volume.array, phantom.labels.array
    white = np.median(array[array > np.median(array[array > 0])])
    for lesion in phantom.lesions:
        assert np.percentile(array[labels == lesion.label], 90) > 1.2 * white


@pytest.mark.parametrize("spacing_mm", [0.8, 1.2])
@pytest.mark.slow
def test_other_spacings_show_the_same_head(phantom, spacing_mm):
    other = head_phantom(SEED, spacing_mm)
    assert other.lesions == phantom.lesions
    assert other.volume.geometry.spacing_xyz_mm == (spacing_mm,) * 3
    for lesion in other.lesions:
        assert np.abs(measured_centroid_lps(other, lesion.label) - lesion.centre_lps_mm).max() < 0.5 * spacing_mm
    centre = np.argwhere(other.volume.array > 0).mean(axis=0)
    same = np.argwhere(phantom.volume.array > 0).mean(axis=0)
    np.testing.assert_allclose(
        other.volume.geometry.lps_from_index(centre), phantom.volume.geometry.lps_from_index(same), atol=0.3
    )


def test_the_seed_decides_everything(phantom):
    again = head_phantom(SEED)
    assert again.volume.array.tobytes() == phantom.volume.array.tobytes()
    assert again.labels.array.tobytes() == phantom.labels.array.tobytes()
    assert again.lesions == phantom.lesions
    assert head_scene(SEED + 1).lesions[0].centre_lps_mm != phantom.lesions[0].centre_lps_mm


def test_sizes_spread_over_the_range(scene):
    diameters = sorted(lesion.shape.diameter_mm for lesion in scene.lesions)
    assert len(diameters) == 8
    assert 2.9 < diameters[0] < 3.4
    assert 14 < diameters[-1] < 15.5
    assert max(np.diff(diameters)) < 3.5


def test_exactly_two_lesions_touch_a_vessel(scene):
    vessels = np.concatenate([tube.points_lps_mm for tube in scene.tubes])
    radii = np.concatenate([tube.radii_mm for tube in scene.tubes])
    assert sum(lesion.touches_vessel for lesion in scene.lesions) == 2
    for lesion in scene.lesions:
        gap = vessel_gap_mm(lesion.shape, lesion.centre_lps_mm, vessels, radii)
        assert gap < 0 if lesion.touches_vessel else gap > 1.5


def test_lesions_keep_their_distance(scene):
    for first in scene.lesions:
        for second in scene.lesions[first.label :]:
            apart = np.asarray(second.centre_lps_mm) - np.asarray(first.centre_lps_mm)
            surface = first.shape.surface_mm[:, None] - (second.shape.surface_mm + apart)[None]
            assert np.linalg.norm(surface, axis=-1).min() >= 4


def test_lesions_lie_in_tissue(scene):
    for lesion in scene.lesions:
        surface = np.asarray(lesion.centre_lps_mm) + lesion.shape.surface_mm
        points = as_coordinates(scene.brain.to_template(surface))
        shape = outline(points)
        assert np.maximum(shape.cerebrum, shape.cerebellum).min() > 0
        assert ventricle_depth(points, scene.brain.ventricle_size).max() < 0
        assert fissure_depth(points).max() < 0.5


def test_some_vessels_are_as_bright_as_lesions(scene):
    lesions = [lesion.brightness for lesion in scene.lesions]
    alike = [tube for tube in scene.tubes if min(lesions) <= tube.brightness <= max(lesions)]
    assert len(alike) > 10
    assert all(len(tube.radii_mm) * 0.5 > 10 for tube in scene.tubes)


def test_shapes_are_centred_on_their_centroid_with_their_volume(scene):
    for lesion in scene.lesions[:3]:
        step = lesion.shape.extent_mm / 30
        axis = (np.arange(-32, 32) + 0.5) * step
        offsets = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
        inside = offsets[lesion.shape.depth(offsets) > 0]
        assert len(inside) * step**3 == pytest.approx(sphere_volume_mm3(lesion.shape.diameter_mm), rel=0.02)
        assert np.abs(inside.mean(axis=0)).max() < 0.01 * lesion.shape.diameter_mm


def test_template_and_world_are_inverse(scene):
    points = np.random.default_rng(0).uniform(-60, 60, (200, 3))
    np.testing.assert_allclose(scene.brain.to_template(scene.brain.to_world(points)), points, atol=0.01)


@pytest.mark.parametrize(("seed", "spacing_mm"), [(-1, 1.0), (0, 0.4), (0, 3.1), (0, float("nan"))])
def test_impossible_settings_are_refused(seed, spacing_mm):
    with pytest.raises(SettingsError):
        head_phantom(seed, spacing_mm)
