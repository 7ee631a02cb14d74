import numpy as np
import pytest

from mtann.geometry import Geometry
from mtann.sampling.lesions import Lesion, lesions_from_label_map
from mtann.sampling.teaching import teach, teaching_sigma_mm, teaching_volume
from mtann.settings import TrainingSettings, preset
from mtann.volume import Volume

GRID = Geometry((41, 41, 41), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))


def test_the_gaussian_teacher_is_suzukis_formula():
    lesion = Lesion((20.3, 19.6, 20.0), 5.0)
    taught = teach(lesion, GRID, TrainingSettings(teacher="gaussian"))
    sigma = 0.7 * 5.0
    volume = teaching_volume([taught], GRID.shape_zyx)
    for index in ((20, 20, 20), (22, 18, 25), (20, 20, 15)):
        squared = (index[2] - 20.3) ** 2 + (index[1] - 19.6) ** 2 + (index[0] - 20.0) ** 2
        assert volume[index] == pytest.approx(np.exp(-squared / (2 * sigma**2)), rel=1e-5)


def test_the_teaching_width_is_a_share_of_the_radius_at_least_some_voxels_or_fixed():
    half = Geometry((4, 4, 4), (0.5, 0.5, 2.0), (0.0, 0.0, 0.0))
    assert teaching_sigma_mm(5.0, half, TrainingSettings()) == pytest.approx(3.5)
    assert teaching_sigma_mm(0.5, half, TrainingSettings()) == pytest.approx(1.5 * 0.5)
    assert teaching_sigma_mm(5.0, half, TrainingSettings(fixed_teaching_sigma_voxels=4.5)) == pytest.approx(2.25)


def test_the_training_region_reaches_1_7_sigma_and_holds_every_voxel():
    taught = teach(Lesion((20.0, 20.0, 20.0), 5.0), GRID, TrainingSettings(teacher="gaussian"))
    assert taught.box == (slice(15, 26),) * 3  # 1.7 * 3.5 = 5.95 voxels to each side.
    historic = teach(Lesion((20.0, 20.0, 20.0), 2.0), GRID, preset("historic")[1])
    assert historic.box == (slice(13, 28),) * 3  # 15^3, whatever the lesion's size.
    flat = teach(Lesion((20.0, 20.0, 20.0), 2.0), GRID, preset("historic", 2)[1])
    assert flat.box[1:] == (slice(11, 30),) * 2  # 19^2.


def test_a_small_lesion_is_taught_with_the_least_width():
    taught = teach(Lesion((20.0, 20.0, 20.0), 0.5), GRID, TrainingSettings(teacher="gaussian"))
    volume = teaching_volume([taught], GRID.shape_zyx)
    assert volume[20, 20, 21] == pytest.approx(np.exp(-1 / (2 * 1.5**2)), rel=1e-5)


def test_an_outline_is_taught_as_a_soft_mask_of_peak_one():
    labels = np.zeros(GRID.shape_zyx, dtype=np.uint8)
    index = np.indices(labels.shape) - 20
    labels[(index**2).sum(axis=0) <= 8**2] = 1
    (lesion,) = lesions_from_label_map(Volume(labels, GRID))
    volume = teaching_volume([teach(lesion, GRID, TrainingSettings())], GRID.shape_zyx)
    assert volume.max() == pytest.approx(1.0)
    assert volume[20, 20, 20:26].min() > 0.97
    assert volume[20, 20, 27] > 0.5 > volume[20, 20, 28]  # A curved edge is rounded inwards a little.
    assert volume[20, 20, 31] < 0.01


def test_a_lesion_of_one_voxel_is_not_taught_as_half_a_lesion():
    labels = np.zeros(GRID.shape_zyx, dtype=np.uint8)
    labels[20, 20, 20] = 1
    (lesion,) = lesions_from_label_map(Volume(labels, GRID))
    volume = teaching_volume([teach(lesion, GRID, TrainingSettings())], GRID.shape_zyx)
    assert volume[20, 20, 20] == pytest.approx(1.0)
    assert volume[20, 20, 21] == pytest.approx(np.exp(-1 / (2 * 1.5**2)), rel=1e-4)


def test_an_outline_on_another_grid_is_taught_in_the_same_place():
    fine = Geometry((82, 82, 41), (1.0, 0.5, 0.5), (0.0, -0.25, -0.25))
    labels = np.zeros(fine.shape_zyx, dtype=np.uint8)
    centre = np.array([20.0, 18.0, 22.0])
    index = np.stack(np.meshgrid(*map(np.arange, fine.shape_zyx), indexing="ij"), axis=-1)
    labels[np.linalg.norm(fine.lps_from_index(index) - centre, axis=-1) <= 5] = 1
    (lesion,) = lesions_from_label_map(Volume(labels, fine))
    volume = teaching_volume([teach(lesion, GRID, TrainingSettings())], GRID.shape_zyx)
    inside = np.argwhere(volume > 0.5)
    np.testing.assert_allclose(inside.mean(axis=0)[::-1], centre, atol=0.1)
    assert len(inside) == pytest.approx(4 / 3 * np.pi * 5**3, rel=0.15)


def test_where_lesions_overlap_the_larger_value_counts():
    settings = TrainingSettings(teacher="gaussian")
    both = [teach(Lesion((x, 20.0, 20.0), 5.0), GRID, settings) for x in (18.0, 23.0)]
    volume = teaching_volume(both, GRID.shape_zyx)
    assert volume[20, 20, 18] == volume[20, 20, 23] == 1


def test_a_region_at_the_border_is_cut():
    taught = teach(Lesion((0.0, 40.0, 20.0), 5.0), GRID, TrainingSettings(teacher="gaussian"))
    assert taught.box == (slice(15, 26), slice(35, 41), slice(0, 6))
