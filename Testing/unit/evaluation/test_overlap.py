"""Overlap of a thresholded likelihood with outlined lesions, counted by hand."""

import numpy as np
import pytest

from mtann.evaluation.overlap import THRESHOLDS, Overlap, choose_segmentation_threshold, measure_overlap
from mtann.geometry import Geometry
from mtann.sampling.lesions import Lesion, lesions_from_label_map
from mtann.volume import Volume
from unit.grids import grid, turned

ROW = Geometry((1, 1, 10), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))


def at(threshold):
    return int(np.flatnonzero(np.isclose(THRESHOLDS, threshold))[0])


def row(values):
    return np.array(values, dtype=np.float32).reshape(1, 1, -1)


def test_voxels_are_counted_from_the_threshold_on():
    lesions = lesions_from_label_map(Volume(row([0, 1, 1, 1, 0, 0, 0, 2, 0, 0]).astype(np.uint8), ROW))
    likelihood = row([0, 0.3, 0.9, 0.5, 0.5, -1, 0, 0.1, 0.7, 3])
    overlap = measure_overlap(likelihood, lesions, ROW)
    assert overlap.true == 4
    # From 0.5 on: 0.9, 0.5, 0.5, 0.7 and 3, of which two are in lesions; from 0.1 on the four of the lesions and three.
    assert (overlap.found[at(0.5)], overlap.hit[at(0.5)]) == (5, 2)
    assert (overlap.found[at(0.1)], overlap.hit[at(0.1)]) == (7, 4)
    assert overlap.dice[at(0.5)] == pytest.approx(2 * 2 / (5 + 4))
    assert overlap.dice[at(0.1)] == pytest.approx(2 * 4 / (7 + 4))


def test_lesions_count_where_they_lie_in_the_world():
    fine = grid((12, 12, 12), (0.5, 0.5, 0.5), turned(20, -15, 35))
    inside = np.zeros((12, 12, 12), np.uint8)
    inside[3:9, 3:9, 3:9] = 1
    lesions = lesions_from_label_map(Volume(inside, fine))
    overlap = measure_overlap(inside.astype(np.float32), lesions, fine)
    assert overlap.true == 216
    np.testing.assert_array_equal(overlap.dice, 1.0)
    coarse = grid((30, 30, 30), (0.5, 0.5, 0.5))
    assert measure_overlap(np.zeros((30, 30, 30), np.float32), lesions, coarse).true == pytest.approx(216, rel=0.1)


def test_points_and_lesions_beyond_the_grid_have_no_overlap():
    outlined = lesions_from_label_map(
        Volume(row([0, 1, 0]).astype(np.uint8), Geometry((1, 1, 3), (1, 1, 1), (0, 0, 0)))
    )
    assert measure_overlap(row([0] * 10), (), ROW) is None
    assert measure_overlap(row([0] * 10), (*outlined, Lesion((5.0, 0.0, 0.0), 2.0)), ROW) is None
    far = Geometry((1, 1, 10), (1.0, 1.0, 1.0), (100.0, 0.0, 0.0))
    assert measure_overlap(row([0] * 10), outlined, far) is None


def test_the_threshold_of_the_greatest_mean_is_chosen():
    def case(**dice):
        # Of 100 found and 100 true voxels, a Dice coefficient of d means 100 d hits.
        hit = np.zeros(len(THRESHOLDS), np.int64)
        for threshold, value in dice.items():
            hit[at(int(threshold[1:]) / 100)] = round(100 * value)
        return Overlap(np.full(len(THRESHOLDS), 100), hit, 100)

    # Each case alone would choose 0.2 or 0.6; their mean is greatest at 0.4.
    chosen = choose_segmentation_threshold([case(t20=0.9, t40=0.8), None, case(t60=0.9, t40=0.7)], "a test")
    assert chosen.threshold == pytest.approx(0.4)
    assert chosen.dice == pytest.approx(0.75)
    assert (chosen.cases, chosen.chosen_on) == (2, "a test")
    assert choose_segmentation_threshold([None], "a test") is None
    assert choose_segmentation_threshold([case()], "a test") is None
