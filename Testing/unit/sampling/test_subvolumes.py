from dataclasses import replace

import numpy as np
import pytest

from mtann.geometry import Geometry
from mtann.preprocess.prepare import PreparedCase
from mtann.sampling.folds import patient_folds
from mtann.sampling.kernel import subvolume_offsets
from mtann.sampling.lesions import Lesion
from mtann.sampling.subvolumes import NEGATIVE, draw_samples, gather, mine_negatives, region_negatives
from mtann.settings import NetworkSettings, TrainingSettings

SINGLE = NetworkSettings(dilations=(1,), hidden=(2,))


@pytest.fixture
def prepared():
    shape = (30, 30, 30)
    image = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    mask = np.zeros(shape, dtype=bool)
    mask[2:28, 2:28, 2:28] = True
    return PreparedCase(Geometry(shape, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)), (image,), mask)


def test_a_subvolume_holds_each_neighbour_at_its_offset():
    image = np.arange(20 * 21 * 22, dtype=np.float32).reshape(20, 21, 22)
    where = np.array([[10, 11, 12]])
    sample = gather([image, -image], where, SINGLE)
    assert sample.shape == (1, 2, 1, 171)
    for number, (z, y, x) in enumerate(subvolume_offsets(SINGLE)):
        assert sample[0, 0, 0, number] == image[10 + z, 11 + y, 12 + x]
        assert sample[0, 1, 0, number] == -image[10 + z, 11 + y, 12 + x]


def test_beyond_the_edge_the_edge_is_repeated():
    image = np.arange(27, dtype=np.float32).reshape(3, 3, 3)
    sample = gather([image], np.array([[0, 0, 0]]), SINGLE)
    for number, offset in enumerate(subvolume_offsets(SINGLE)):
        assert sample[0, 0, 0, number] == image[tuple(np.clip(offset, 0, 2))]


def test_every_voxel_of_a_training_region_is_a_sample(prepared):
    settings = TrainingSettings(teacher="gaussian", negatives_per_case=500)
    samples = draw_samples(prepared, [Lesion((15.0, 15.0, 15.0), 4.0)], SINGLE, settings, np.random.default_rng(0))
    region = samples.groups == 0
    assert region.sum() == 9**3  # 1.7 * 2.8 = 4.76 voxels to each side.
    assert samples.targets[region].max() == pytest.approx(1.0)
    assert (samples.groups == NEGATIVE).sum() == 500
    assert not samples.targets[~region].any()
    centre = subvolume_offsets(SINGLE).tolist().index([0, 0, 0])
    assert samples.inputs[region][0, 0, 0, centre] == np.float16(prepared.channels[0][11, 11, 11])


def test_of_a_large_region_so_many_voxels_are_drawn_at_random(prepared):
    settings = TrainingSettings(teacher="gaussian", negatives_per_case=0, voxels_per_lesion=100)
    lesions = [Lesion((15.0, 15.0, 15.0), 4.0)]
    few, other = (draw_samples(prepared, lesions, SINGLE, settings, np.random.default_rng(seed)) for seed in (0, 1))
    assert (few.groups == 0).sum() == 100
    assert len(np.unique(few.inputs[:, 0, 0], axis=0)) == 100
    assert not np.array_equal(few.inputs, other.inputs)
    # From all over the region, so from all teaching values: a corner's voxels have next to none.
    assert few.targets.min() < 0.1
    assert few.targets.max() > 0.6
    known = region_negatives(prepared, lesions, [], SINGLE, settings, np.random.default_rng(0))
    assert len(known.targets) == 100


@pytest.mark.parametrize(("share", "inside"), [(None, None), (0.1, 10), (0.5, 27), (0.95, 27)])
def test_with_a_share_a_small_lesion_gives_what_it_has(prepared, share, inside):
    # A ball of radius 1 is taught by a Gaussian of 1.5 voxels: a half or more in 27 voxels of 343.
    settings = TrainingSettings(
        teacher="gaussian", region_factor=2.3, negatives_per_case=0, voxels_per_lesion=100, lesion_share=share
    )
    samples = draw_samples(prepared, [Lesion((15.0, 15.0, 15.0), 1.0)], SINGLE, settings, np.random.default_rng(0))
    assert len(samples.targets) == len(np.unique(samples.inputs[:, 0, 0], axis=0)) == 100
    found = int((samples.targets >= 0.5).sum())
    assert found < 20 if inside is None else found == inside


def test_of_a_lesion_that_fills_its_region_so_many_voxels_are_drawn(prepared):
    settings = TrainingSettings(
        teacher="gaussian", region_factor=0.6, negatives_per_case=0, voxels_per_lesion=200, lesion_share=0.1
    )
    samples = draw_samples(prepared, [Lesion((15.0, 15.0, 15.0), 8.0)], SINGLE, settings, np.random.default_rng(0))
    assert len(np.unique(samples.inputs[:, 0, 0], axis=0)) == 200


def places_of(prepared):
    """Three channels in which each voxel tells where it is: its index along z, y and x."""
    return tuple(np.indices(prepared.grid.shape_zyx).astype(np.float32))


def test_negatives_come_from_tissue_away_from_lesions_and_half_of_them_are_unusual(prepared):
    case = PreparedCase(prepared.grid, (prepared.channels[0], *places_of(prepared)), prepared.mask)
    settings = TrainingSettings(teacher="gaussian", negatives_per_case=1000)
    samples = draw_samples(case, [Lesion((15.0, 15.0, 15.0), 4.0)], SINGLE, settings, np.random.default_rng(0))
    centre = subvolume_offsets(SINGLE).tolist().index([0, 0, 0])
    index = samples.inputs[samples.groups == NEGATIVE][:, 1:, 0, centre].astype(int)
    assert prepared.mask[tuple(index.T)].all()
    assert not ((index >= 11) & (index <= 19)).all(axis=1).any()
    assert len(index) == 1000


def test_what_is_unusual_is_judged_by_images_alone(prepared):
    derived, last = np.zeros_like(prepared.channels[0]), prepared.channels[0]
    # Curvature is greatest at a single spot, and there alone.
    derived[4:8, 4:8, 4:8] = 1e4
    plain = replace(prepared, channels=(last,))
    curved = replace(prepared, channels=(last, derived), derived=1)
    settings = TrainingSettings(teacher="gaussian", negatives_per_case=1000)
    first, other = (
        draw_samples(case, [Lesion((15.0, 15.0, 15.0), 4.0)], SINGLE, settings, np.random.default_rng(0))
        for case in (plain, curved)
    )
    np.testing.assert_array_equal(first.inputs[:, 0], other.inputs[:, 0])


def test_mining_takes_the_strongest_responses_away_from_lesions(prepared):
    likelihood = np.zeros(prepared.grid.shape_zyx, dtype=np.float32)
    likelihood[15, 15, 15] = 9  # On the lesion: not a mistake.
    likelihood[5, 5, 5] = 2
    likelihood[0, 0, 0] = 5  # Outside tissue.
    image = np.zeros_like(likelihood)
    image[5, 5, 5] = 7
    case = PreparedCase(prepared.grid, (image,), prepared.mask)
    mined = mine_negatives(likelihood, case, [Lesion((15.0, 15.0, 15.0), 4.0)], SINGLE, TrainingSettings())
    centre = subvolume_offsets(SINGLE).tolist().index([0, 0, 0])
    assert 7 in mined.inputs[:, 0, 0, centre]
    assert not mined.targets.any()
    assert (mined.groups == NEGATIVE).all()


def test_a_patient_is_never_on_both_sides_of_a_split():
    patients = ["a", "b", "a", "c", "d", "b", "e"]
    folds = patient_folds(patients, 3, seed=1)
    assert sorted(np.concatenate(folds).tolist()) == list(range(7))
    for fold in folds:
        held_out = {patients[index] for index in fold}
        assert held_out.isdisjoint(patients[index] for index in range(7) if index not in fold)
    assert len(patient_folds(patients, 20, seed=0)) == 5
    assert patient_folds(["a", "a"], 5, seed=0) == []
    assert patient_folds(patients, 0, seed=0) == []


def test_no_negative_is_taken_from_the_flank_of_a_lesions_response(prepared):
    # The teacher is cut at 1.7 sigma, but a perfect answer goes on: it must not be taught as wrong.
    index = np.moveaxis(np.indices(prepared.grid.shape_zyx), 0, -1) - 15
    perfect = np.exp(-(index**2).sum(axis=-1) / (2 * 2.8**2)).astype(np.float32)
    case = PreparedCase(prepared.grid, (perfect,), prepared.mask)
    settings = TrainingSettings(teacher="gaussian", negatives_per_case=3000)
    lesions = [Lesion((15.0, 15.0, 15.0), 4.0)]
    centre = subvolume_offsets(SINGLE).tolist().index([0, 0, 0])
    mined = mine_negatives(perfect, case, lesions, SINGLE, settings)
    assert mined.inputs[:, 0, 0, centre].max() < np.exp(-(3**2) / 2) + 0.01
    drawn = draw_samples(case, lesions, SINGLE, settings, np.random.default_rng(0))
    assert drawn.inputs[drawn.groups == NEGATIVE][:, 0, 0, centre].max() < np.exp(-(3**2) / 2) + 0.01


def test_patients_with_lesions_are_spread_over_the_folds():
    patients = [f"p{i}" for i in range(6)]
    for seed in range(10):
        folds = patient_folds(patients, 2, seed, [True, True, False, False, False, False])
        assert all(any(index in (0, 1) for index in fold) for fold in folds)


def test_augmentation_adds_turned_subvolumes_of_every_region_and_of_no_other_tissue(prepared):
    case = PreparedCase(prepared.grid, places_of(prepared), prepared.mask)
    plain = TrainingSettings(teacher="gaussian", negatives_per_case=300)
    few = plain.model_copy(update={"turned_per_region": 70})
    lesions = [Lesion((9.0, 9.0, 9.0), 2.5), Lesion((21.0, 21.0, 21.0), 2.0)]

    def draw(settings):
        return draw_samples(case, lesions, SINGLE, settings, np.random.default_rng(0))

    samples, before = draw(few), draw(plain)
    count = len(before.targets)
    for name in ("inputs", "targets", "groups"):
        np.testing.assert_array_equal(getattr(samples, name)[:count], getattr(before, name))
        np.testing.assert_array_equal(
            getattr(draw(few.model_copy(update={"augment": False})), name), getattr(before, name)
        )
    assert samples.groups[count:].tolist() == [0] * 70 + [1] * 70
    # A turn leaves the centre where it is: the value to answer is that of the same voxel.
    centre = subvolume_offsets(SINGLE).tolist().index([0, 0, 0])
    places = [tuple(place) for place in samples.inputs[:, :, 0, centre].tolist()]
    answers = dict(zip(places[:count], before.targets.tolist(), strict=True))
    assert samples.targets[count:].tolist() == [answers[place] for place in places[count:]]
    others = region_negatives(case, lesions, [], SINGLE, few, np.random.default_rng(0))
    assert not others.targets.any()
    assert np.count_nonzero(others.groups == NEGATIVE - 2) == 5**3 + 70  # 1.7 * 1.5 = 2.55 voxels to each side.


def test_samples_hold_the_largest_number_that_they_can_where_intensities_are_larger(prepared):
    huge = PreparedCase(prepared.grid, (1e6 * prepared.channels[0],), prepared.mask)
    settings = TrainingSettings(teacher="gaussian", negatives_per_case=50)
    samples = draw_samples(huge, [Lesion((15.0, 15.0, 15.0), 4.0)], SINGLE, settings, np.random.default_rng(0))
    assert np.isfinite(samples.inputs).all()
    assert samples.inputs.max() == np.finfo(np.float16).max
