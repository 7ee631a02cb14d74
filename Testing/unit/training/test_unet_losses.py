"""The loss against hand-counted values and against MONAI's Dice."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from monai.losses import DiceLoss
from torch.nn import functional
from unet_training import small_plan

from mtann.training.unet.labels import LabelTable
from mtann.training.unet.losses import UNetLoss, overlap_counts, shrink, supervision_weights

TWO = LabelTable.of(small_plan(labels={"a": (1,), "b": (2,)}))
REGIONS = LabelTable.of(small_plan(labels={"whole": (1, 2), "core": (2,)}, region_order=(1, 2)))
IGNORING = LabelTable.of(small_plan(labels={"a": (1,), "b": (2,)}, ignore_label=3))


def random_batch(seed=0, outputs=3, indices=3):
    random = torch.Generator().manual_seed(seed)
    logits = torch.randn((2, outputs, 4, 3, 2), generator=random)
    return logits, torch.randint(0, indices, (2, 4, 3, 2), generator=random)


@pytest.mark.parametrize("batch_dice", [False, True])
def test_dice_and_cross_entropy_are_those_of_monai_and_torch(batch_dice):
    logits, indices = random_batch()
    dice = DiceLoss(
        include_background=False,
        to_onehot_y=True,
        softmax=True,
        batch=batch_dice,
        smooth_nr=1e-5,
        smooth_dr=1e-5,
    )(logits, indices[:, None])
    expected = dice + functional.cross_entropy(logits, indices)
    assert float(UNetLoss(TWO, batch_dice)([logits], indices)) == pytest.approx(float(expected), abs=1e-5)


def test_regions_are_judged_one_by_one():
    logits, indices = random_batch(outputs=2)
    target = torch.stack([indices > 0, indices == 2], dim=1).float()
    dice = DiceLoss(sigmoid=True, batch=True, smooth_nr=1e-5, smooth_dr=1e-5)(logits, target)
    expected = dice + functional.binary_cross_entropy_with_logits(logits, target)
    assert float(UNetLoss(REGIONS, True)([logits], indices)) == pytest.approx(float(expected), abs=1e-5)


@pytest.mark.parametrize("batch_dice", [False, True])
def test_what_is_said_of_ignored_voxels_changes_nothing(batch_dice):
    logits, indices = random_batch(indices=4)
    loss = UNetLoss(IGNORING, batch_dice)
    ignored = (indices == 3)[:, None].expand_as(logits)
    assert ignored.any()
    changed = torch.where(ignored, torch.full_like(logits, 7.0) * torch.randn_like(logits), logits)
    assert float(loss([changed], indices)) == pytest.approx(float(loss([logits], indices)), abs=1e-6)


def test_ignoring_equals_leaving_out():
    logits, indices = random_batch(indices=3)
    cut_logits, cut = logits[:, :, :3], indices[:, :3]
    indices = indices.clone()
    indices[:, 3] = 3
    expected = UNetLoss(TWO, True)([cut_logits], cut)
    assert float(UNetLoss(IGNORING, True)([logits], indices)) == pytest.approx(float(expected), abs=1e-6)


def test_nothing_annotated_is_no_loss_and_no_gradient():
    logits = torch.randn((1, 3, 2, 2, 2), requires_grad=True)
    loss = UNetLoss(IGNORING, True)([logits], torch.full((1, 2, 2, 2), 3))
    loss.backward()
    assert float(loss.detach()) == pytest.approx(0, abs=1e-6)
    assert float(logits.grad.abs().max()) == 0


def test_a_perfect_answer_costs_nothing():
    _, indices = random_batch()
    logits = 50 * functional.one_hot(indices, 3).movedim(-1, 1).float()
    assert float(UNetLoss(TWO, False)([logits], indices)) == pytest.approx(0, abs=1e-5)


def test_weights_halve_and_leave_out_the_coarsest():
    assert supervision_weights(1) == (1.0,)
    assert supervision_weights(2) == (1.0, 0.0)
    assert supervision_weights(4) == pytest.approx((4 / 7, 2 / 7, 1 / 7, 0))


@given(st.integers(1, 9))
def test_weights_are_one_in_sum(count):
    assert math.fsum(supervision_weights(count)) == pytest.approx(1)


def test_coarser_answers_are_judged_by_coarser_labels():
    indices = torch.tensor([[[[0, 0, 1, 1], [0, 0, 1, 1]]]])
    assert shrink(indices, (1, 1, 2)).tolist() == [[[[0, 1]]]]
    fine, coarse = torch.zeros((1, 3, 1, 2, 4)), torch.zeros((1, 3, 1, 1, 2))
    third = torch.zeros((1, 3, 1, 1, 1))
    loss = UNetLoss(TWO, True)
    expected = (2 * loss.of_one(fine, indices) + loss.of_one(coarse, shrink(indices, (1, 1, 2)))) / 3
    assert float(loss([fine, coarse, third], indices)) == pytest.approx(float(expected), abs=1e-6)


def test_overlap_is_counted_voxel_by_voxel():
    indices = torch.tensor([0, 1, 1, 2, 3]).reshape(1, 1, 1, 5)
    taken = torch.tensor([0, 1, 2, 2, 1])
    logits = functional.one_hot(taken, 3).T.reshape(1, 3, 1, 1, 5).float()
    assert overlap_counts(IGNORING, logits, indices).tolist() == [[1, 1], [0, 1], [1, 0]]


def test_overlapping_regions_are_counted_each():
    indices = torch.tensor([0, 1, 2, 2]).reshape(1, 1, 1, 4)
    logits = torch.tensor([[1.0, 1, 1, -1], [-1, 1, 1, -1]]).reshape(1, 2, 1, 1, 4)
    assert overlap_counts(REGIONS, logits, indices).tolist() == [[2, 1], [1, 1], [1, 1]]
    assert np.isfinite(float(UNetLoss(REGIONS, False)([logits], indices)))
