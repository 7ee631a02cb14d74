"""Agreement of label maps, counted by hand."""

import numpy as np
import pytest
from unet_training import small_plan

from mtann.unets.scores import Agreement, compare, mean_dice, overall


def test_labels_and_regions_are_counted():
    plan = small_plan(labels={"whole": (1, 2), "core": (2,)}, region_order=(1, 2))
    found, true = np.array([[[0, 1, 2, 2, 0]]]), np.array([[[1, 1, 2, 1, 0]]])
    assert compare(found, true, plan) == {"whole": Agreement(3, 4, 3), "core": Agreement(2, 1, 1)}


def test_voxels_without_annotation_do_not_count():
    plan = small_plan(ignore_label=9)
    assert compare(np.array([[[1, 1, 0]]]), np.array([[[1, 9, 9]]]), plan) == {"ball": Agreement(1, 1, 1)}


def test_cases_without_the_label_are_left_out_and_mistakes_count():
    cases = [{"a": Agreement(4, 4, 3)}, {"a": Agreement(0, 0, 0)}, {"a": Agreement(2, 0, 0)}]
    assert mean_dice(cases) == {"a": pytest.approx((0.75 + 0) / 2)}
    assert overall({"a": 0.5, "b": 0.7}) == pytest.approx(0.6)
    assert (mean_dice([{"a": Agreement(0, 0, 0)}]), overall({})) == ({}, 0.0)
