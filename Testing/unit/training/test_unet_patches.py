"""Cutting, turning and drawing of patches: where each voxel goes, and which numbers are drawn."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from unet_training import ball_cases, small_plan

from mtann.training.unet.augment import Turn, draw_turn, vary_intensities
from mtann.training.unet.labels import LabelTable
from mtann.training.unet.patches import JUDGE, TRAIN, Patches, draw_centre
from mtann.training.unet.settings import UNetTrainingSettings
from mtann.training.unet.store import store_case
from mtann.training.unet.window import cut

RAMP = np.arange(6 * 7 * 8, dtype=np.float32).reshape(1, 6, 7, 8)
QUARTER = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])


@given(st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 4)))
def test_a_plain_patch_is_a_box_of_the_case(start):
    size = (4, 4, 4)
    centre = np.array(start) + 1.5
    z, y, x = start
    patch = cut(RAMP, centre, Turn.none(size), smooth=True)
    assert np.array_equal(patch.numpy(), RAMP[:, z : z + 4, y : y + 4, x : x + 4])


@given(st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 4)), st.booleans())
def test_interpolating_without_turning_is_the_same_box(start, smooth):
    turn = Turn((4, 4, 4), np.eye(3))
    centre = np.array(start) + 1.5
    plain = cut(RAMP, centre, Turn.none((4, 4, 4)), smooth=True)
    assert np.allclose(cut(RAMP, centre, turn, smooth=smooth), plain, atol=1e-3)


def test_a_quarter_turn_in_the_plane():
    patch = cut(RAMP, np.array([1.0, 3.0, 3.0]), Turn((1, 3, 3), QUARTER), smooth=True)
    # Offset (0, b, c) of the patch lies at (0, -c, b) in the case.
    expected = [[RAMP[0, 1, 3 - c, 3 + b] for c in (-1, 0, 1)] for b in (-1, 0, 1)]
    assert np.allclose(patch[0, 0].numpy(), expected, atol=1e-3)


def test_halving_the_matrix_magnifies_twice():
    turn = Turn((1, 1, 5), np.diag([1.0, 1.0, 0.5]))
    patch = cut(RAMP, np.array([2.0, 2.0, 3.0]), turn, smooth=True)[0, 0, 0]
    assert np.allclose(patch.numpy(), RAMP[0, 2, 2, 3] + np.array([-1, -0.5, 0, 0.5, 1]), atol=1e-3)


def test_outside_of_the_case_is_zero_and_mirroring_comes_last():
    patch = cut(1 + RAMP, np.array([0.0, 0.0, 0.0]), Turn((1, 1, 3), np.eye(3), (2,), True), smooth=True)
    assert patch[0, 0, 0].tolist() == [2, 1, 0]


def test_turns_are_as_frequent_and_as_large_as_told():
    turns = [draw_turn((8, 8, 8), False, 3, True, np.random.default_rng([1, n])) for n in range(4000)]
    plain = np.mean([turn.is_plain for turn in turns])
    assert plain == pytest.approx(0.8 * 0.8, abs=0.03)
    assert np.mean([2 in turn.mirrored for turn in turns]) == pytest.approx(0.5, abs=0.03)
    scales = [np.cbrt(np.linalg.det(turn.matrix)) for turn in turns if not turn.is_plain]
    assert 0.7 <= min(scales) < 0.72
    assert 1.38 < max(scales) <= 1.4


def test_flat_patches_are_turned_in_their_plane_and_2d_is_never_mirrored_across_slices():
    turns = [draw_turn((1, 8, 8), True, 2, True, np.random.default_rng([2, n])) for n in range(300)]
    for turn in turns:
        assert turn.matrix[0].tolist() == [1, 0, 0]
        assert turn.matrix[:, 0].tolist() == [1, 0, 0]
        assert 0 not in turn.mirrored


def test_no_mirroring_where_it_is_off():
    assert not any(draw_turn((8, 8, 8), False, 3, False, np.random.default_rng(n)).mirrored for n in range(20))


def test_intensities_vary_and_outside_of_the_mask_stays_zero():
    image = torch.randn((2, 6, 6, 6), generator=torch.Generator().manual_seed(0))
    image[:, :2] = 0
    varied = [vary_intensities(image, (True, False), False, np.random.default_rng([3, n])) for n in range(60)]
    assert all(torch.isfinite(one).all() for one in varied)
    assert all(not one[0, :2].any() for one in varied)
    assert any(one[1, :2].any() for one in varied)
    unchanged = np.mean([torch.equal(one, image) for one in varied])
    # 0.9 0.8 (...) of nothing being drawn, and a little more where a draw took no channel.
    assert 0.1 < unchanged < 0.6
    assert image[:, :2].abs().max() == 0


def test_a_flat_image_stays_finite():
    flat = torch.zeros((1, 4, 4, 4))
    for number in range(60):
        assert torch.isfinite(vary_intensities(flat, (False,), False, np.random.default_rng(number))).all()


def patches(folder, plan=None, purpose=TRAIN, rank=0, processes=1, **settings):
    plan = plan or small_plan()
    made = UNetTrainingSettings(**settings)
    cases = ball_cases(folder, 3, plan)
    return Patches(cases, plan.configurations[0], LabelTable.of(plan), made, purpose, rank, processes)


def test_the_same_number_gives_the_same_batch_and_others_give_others(tmp_path):
    made = patches(tmp_path)
    images, labels = made[7]
    again, same = made[7]
    assert torch.equal(images, again)
    assert torch.equal(labels, same)
    assert images.shape == (2, 1, 8, 8, 8)
    assert labels.shape == (2, 8, 8, 8)
    assert not torch.equal(images, made[8][0])
    assert not torch.equal(images, patches(tmp_path / "other", seed=1)[7][0])


def test_processes_draw_together_what_one_draws_alone(tmp_path):
    alone = patches(tmp_path / "a", batch_size=4)[5]
    shares = [patches(tmp_path / "b", batch_size=4, rank=rank, processes=2)[5] for rank in (0, 1)]
    for part in (0, 1):
        assert torch.equal(torch.cat([share[part] for share in shares]), alone[part])


def test_one_of_two_patches_is_centred_on_a_label(tmp_path):
    made = patches(tmp_path, augment=False)
    assert [made.is_foreground(0, place) for place in (0, 1)] == [False, True]
    assert all(made[number][1][1].any() for number in range(10))


@pytest.mark.parametrize(("batch_size", "foreground"), [(2, 1), (3, 1), (6, 2), (12, 4)])
def test_a_third_of_a_batch_is_centred_on_labels(tmp_path, batch_size, foreground):
    made = patches(tmp_path, batch_size=batch_size)
    chosen = [made.is_foreground(4, place) for place in range(batch_size)]
    assert sum(chosen) == foreground
    assert chosen == sorted(chosen)


def test_a_batch_of_one_is_centred_every_third_time(tmp_path):
    made = patches(tmp_path, batch_size=1)
    assert sum(made.is_foreground(number, 0) for number in range(300)) == 100


def test_patches_that_judge_are_not_varied(tmp_path):
    made = patches(tmp_path, purpose=JUDGE)
    plain = patches(tmp_path / "plain", purpose=JUDGE, augment=False)
    assert all(torch.equal(made[number][0], plain[number][0]) for number in range(5))


def test_a_slice_is_a_patch_of_a_2d_network(tmp_path):
    images, labels = patches(tmp_path, small_plan((8, 8)))[0]
    assert images.shape == (2, 1, 8, 8)
    assert labels.shape == (2, 8, 8)


def test_patches_stay_inside_and_smaller_cases_are_centred(tmp_path):
    table = LabelTable.of(small_plan())
    labels = np.zeros((6, 20, 20), dtype=np.uint8)
    labels[0, 0, 19] = 1
    case = store_case(tmp_path / "a", "a", np.zeros((1, 6, 20, 20), np.float32), labels, table)
    random = np.random.default_rng(0)
    assert draw_centre(case, table, (8, 8, 8), True, random).tolist() == [2.5, 3.5, 15.5]
    for _ in range(50):
        z, y, x = draw_centre(case, table, (8, 8, 8), False, random)
        assert z == 2.5
        assert 3.5 <= y <= 15.5
        assert 3.5 <= x <= 15.5


def test_labels_are_drawn_as_often_however_small(tmp_path):
    table = LabelTable.of(small_plan(labels={"large": (1,), "small": (2,)}))
    labels = np.zeros((9, 9, 9), dtype=np.uint8)
    labels[:, :, :4] = 1
    labels[4, 4, 8] = 2
    case = store_case(tmp_path / "a", "a", np.zeros((1, 9, 9, 9), np.float32), labels, table)
    random = np.random.default_rng(0)
    centres = [draw_centre(case, table, (1, 1, 1), True, random)[2] for _ in range(400)]
    assert np.mean([x == 8 for x in centres]) == pytest.approx(0.5, abs=0.08)


def test_where_not_all_is_annotated_patches_are_centred_on_what_is(tmp_path):
    plan = small_plan(ignore_label=9)
    table = LabelTable.of(plan)
    labels = np.full((9, 9, 9), table.ignored, dtype=np.uint8)
    labels[4] = 0
    case = store_case(tmp_path / "a", "a", np.zeros((1, 9, 9, 9), np.float32), labels, table)
    random = np.random.default_rng(0)
    for foreground in (False, True):
        assert {draw_centre(case, table, (1, 1, 1), foreground, random)[0] for _ in range(30)} == {4}


def test_a_cascade_sees_what_was_found_before(tmp_path):
    plan = small_plan(labels={"a": (1,), "b": (2,)})
    table = LabelTable.of(plan)
    image = np.zeros((1, 8, 8, 8), np.float32)
    previous = np.zeros((8, 8, 8), np.uint8)
    previous[:4], previous[4] = 1, 2
    labels = np.zeros_like(previous)
    case = store_case(tmp_path / "a", "a", image, labels, table, previous)
    made = Patches([case], plan.configurations[0], table, UNetTrainingSettings(augment=False))
    images, _ = made[0]
    assert images.shape == (2, 3, 8, 8, 8)
    assert np.array_equal(images[0, 1].numpy(), previous == 1)
    assert np.array_equal(images[0, 2].numpy(), previous == 2)
