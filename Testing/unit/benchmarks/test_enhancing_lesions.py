"""The second generator of enhancing lesions: known brightness, volume and place on a plain background."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import enhancing_lesions
from enhancing_lesions import NoRoomError, insert_lesions, make_case
from enhancing_shapes import DIAMETERS_MM, KINDS, LesionPlan, draw_plan, render, union_distance, unit_balls

from mtann.geometry import Geometry
from mtann.volume import Volume

LEVEL = 1000.0
NOISE = 10.0
NODULE = LesionPlan("nodule", 10.0, contrast=1.5, core=0.6, oedema_mm=0.0)
RING = LesionPlan("ring", 30.0, contrast=1.8, core=0.5, oedema_mm=0.0)


def plain_brain(radius_mm: float = 29.0, edge: int = 64) -> Volume:
    geometry = Geometry((edge, edge, edge), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    away = np.linalg.norm(np.indices(geometry.shape_zyx) - (edge - 1) / 2, axis=0)
    noise = np.random.default_rng(0).normal(0, NOISE, geometry.shape_zyx)
    return Volume(np.where(away <= radius_mm, LEVEL + noise, 0).astype(np.int16), geometry, "plain brain")


@pytest.fixture(scope="module")
def background() -> Volume:
    return plain_brain()


@pytest.fixture
def planned(monkeypatch):
    def fix(plan: LesionPlan) -> None:
        monkeypatch.setattr(enhancing_lesions, "draw_plan", lambda random: plan)

    return fix


def test_a_nodule_has_its_contrast_and_size_and_leaves_the_rest_alone(background, planned):
    planned(NODULE)
    volume, labels = make_case(background, 3, 1)
    lesion = labels.array == 1
    assert np.count_nonzero(lesion) == pytest.approx(4 / 3 * np.pi * 5**3, rel=0.12)
    deep = ndimage.binary_erosion(lesion, iterations=2)
    # 1.5 times the level; texture and noise average out to a few percent.
    assert volume.array[deep].mean() == pytest.approx(1.5 * LEVEL, rel=0.05)
    away = ndimage.distance_transform_edt(~lesion) > 4
    # Rounding to whole numbers may differ by 1 after the noise was taken off and put back.
    assert np.abs(volume.array[away].astype(int) - background.array[away]).max() <= 1


def test_a_ring_is_dark_inside_bright_outside_and_labelled_whole(background, planned):
    planned(RING)
    volume, labels = make_case(background, 1, 1)
    lesion = labels.array == 1
    depth = ndimage.distance_transform_edt(lesion)
    assert np.median(volume.array[depth > 0.85 * depth.max()]) == pytest.approx(0.5 * LEVEL, rel=0.15)
    assert np.percentile(volume.array[lesion & (depth < 4)], 90) > 1.4 * LEVEL
    assert np.array_equal(ndimage.binary_fill_holes(lesion), lesion)


def test_oedema_darkens_round_the_lesion_and_never_brightens(background, planned):
    planned(replace(NODULE, oedema_mm=10.0))
    volume, labels = make_case(background, 3, 1)
    away = ndimage.distance_transform_edt(labels.array == 0)
    halo = (away > 2) & (away < 5) & (background.array > 0)
    ratio = volume.array[halo] / background.array[halo]
    assert 0.7 < ratio.mean() < 0.97
    assert ratio.max() < 1.005


def test_the_scans_noise_is_in_the_lesion(background, planned):
    planned(replace(NODULE, diameter_mm=20.0))
    deviations = []
    for noise in (0.0, 1.0):
        array = np.where(background.array > 0, LEVEL + noise * (background.array - LEVEL), 0)
        volume, labels = make_case(background.with_array(array), 3, 1)
        deep = ndimage.binary_erosion(labels.array == 1, iterations=3)
        difference = np.diff(volume.array, axis=0)[deep[1:] & deep[:-1]]
        deviations.append(difference.std())
    # Between neighbours only noise adds to the texture: of variance 2 NOISE^2, a little less where it is clipped.
    added = deviations[1] ** 2 - deviations[0] ** 2
    assert 0.5 * 2 * NOISE**2 < added < 2 * NOISE**2


def test_values_count_the_lesions_and_dilated_ones_stay_apart(background):
    case = insert_lesions(background, 5, 4)
    assert case.labels.array.dtype == np.uint16
    assert np.unique(case.labels.array).tolist() == [0, 1, 2, 3, 4]
    assert [lesion.value for lesion in case.lesions] == [1, 2, 3, 4]
    assert not np.any((case.labels.array > 0) & (background.array == 0))
    near = [ndimage.distance_transform_edt(case.labels.array != value) <= 2 for value in (1, 2, 3, 4)]
    assert np.sum(near, axis=0).max() == 1


def test_a_seed_gives_one_case(background):
    first, again, other = (insert_lesions(background, seed, 2) for seed in (7, 7, 8))
    assert np.array_equal(first.volume.array, again.volume.array)
    assert np.array_equal(first.labels.array, again.labels.array)
    assert first.lesions == again.lesions
    assert not np.array_equal(first.labels.array, other.labels.array)


def test_a_brain_that_is_too_small_is_an_error(planned):
    planned(replace(RING, diameter_mm=60.0))
    with pytest.raises(NoRoomError, match="'plain brain' has no room for 2 lesions; found room for 0"):
        make_case(plain_brain(radius_mm=14.0, edge=32), 0, 2)


def test_plans_keep_to_their_kinds():
    random = np.random.default_rng(0)
    plans = [draw_plan(random) for _ in range(600)]
    assert {plan.kind for plan in plans} == set(KINDS)
    for plan in plans:
        low, high = DIAMETERS_MM[plan.kind]
        assert low <= plan.diameter_mm <= high
        assert plan.contrast > 1.19
        assert plan.core < 0.81
    assert max(plan.diameter_mm for plan in plans) > 50
    assert min(plan.diameter_mm for plan in plans) < 3.5


@pytest.mark.parametrize("kind", KINDS)
def test_balls_together_have_the_volume_of_one(kind):
    centres, radii = unit_balls(kind, np.random.default_rng(2))
    points = np.random.default_rng(3).uniform(-3, 3, (40_000, 3))
    share = np.mean(union_distance(points, centres, radii, 0.12) <= 0)
    # 40,000 points in a cube of edge 6: the share's standard error is 4 % of its value.
    assert share * 6**3 == pytest.approx(4 / 3 * np.pi, rel=0.12)


def test_the_distance_to_one_ball_is_exact():
    points = np.array([[0.0, 0, 0], [0, 0, 3], [0, 4, 3]])
    distance = union_distance(points, np.zeros((1, 3)), np.array([2.0]), 0.3)
    assert distance == pytest.approx([-2, 1, 3])


def test_a_small_nodule_fills_its_edge_voxels_in_part():
    points = np.stack(np.meshgrid(*[np.arange(-4.0, 5.0)] * 3, indexing="ij"), axis=-1)
    lesion = render(replace(NODULE, diameter_mm=4.0), points, (1, 1, 1), np.random.default_rng(0))
    assert np.any((lesion.weight > 0.05) & (lesion.weight < 0.95))
    assert lesion.weight.sum() == pytest.approx(4 / 3 * np.pi * 2**3, rel=0.15)
