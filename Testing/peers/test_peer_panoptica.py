"""Masks and instances against panoptica's on random cases: what both define alike, to 1e-6; what differs, by hand.

Alike: Dice and intersection over union of whole masks; instances of 26 neighbours matched one to one where they overlap
by more than half, with the recognition quality (our F1 score), and of each pair Dice and intersection over union.
Exceptions, each counted by hand below:

* HD95 is pooled over both directions' distances there; here, as in MONAI and the BraTS challenges, it is the greater of
  both directions' percentiles.
* The average surface distance is the mean of both directions' means there; here the mean over all surface voxels.
* Two empty masks have Dice 0 there; here they agree (1).
"""

import numpy as np
import pytest
from panoptica import ConnectedComponentsInstanceApproximator, InputType, NaiveThresholdMatching, Panoptica_Evaluator
from panoptica.metrics import Metric
from scipy import ndimage

from mtann.evaluation.bootstrap import measure, resamples
from mtann.evaluation.levels import lesion_figures
from mtann.evaluation.rules import OverlapRule
from mtann.evaluation.study import match_cases
from mtann.evaluation.voxels import measure_voxels, surface_distances
from unit.studies import GRID, boxed

pytestmark = pytest.mark.peers

SPACING = (1.0, 1.0, 1.0)
JUST_OVER_HALF = 0.5 + 1e-9
"""Overlaps of exactly a half could be had by two at once; panoptica's strict threshold leaves them out, too."""


def blobs(seed):
    """A reference of boxes, and a segmentation of it with some moved, some missing and some false."""
    random = np.random.default_rng(seed)
    places = [(2, 2), (2, 11), (11, 2), (11, 11)]
    true, found = [], []
    for y, x in places:
        low, size, kind = np.array([3, y, x]), random.integers(4, 7, 3), random.random()
        if kind < 0.8:
            true.append(box(low, size))
        if kind > 0.15:
            grown = random.integers(-1, 2, 3) * (random.random() < 0.5)
            found.append(box(low + random.integers(-1, 1, 3), size + grown))
    return found, true


def box(low, size):
    return tuple((int(a), int(a + n)) for a, n in zip(low, size, strict=True))


def mask(boxes):
    array = np.zeros(GRID.shape_zyx, dtype=np.uint8)
    for one in boxes:
        array[tuple(slice(a, b) for a, b in one)] = 1
    return array


def theirs(found, true):
    """Instances of the whole image, matched one to one where they overlap by more than half."""
    evaluator = Panoptica_Evaluator(
        expected_input=InputType.SEMANTIC,
        instance_approximator=ConnectedComponentsInstanceApproximator(),
        instance_matcher=NaiveThresholdMatching(Metric.IOU, matching_threshold=0.5, strict_threshold=True),
        instance_metrics=[Metric.DSC, Metric.IOU],
        global_metrics=[Metric.DSC, Metric.IOU],
    )
    return next(iter(evaluator.evaluate(mask(found), mask(true), verbose=False).values()))


def both(seed):
    """A random segmentation and its reference, both with something in them and no two boxes that touch."""
    found, true = blobs(seed)
    for boxes in (found, true):
        assert ndimage.label(mask(boxes), structure=np.ones((3, 3, 3)))[1] == len(boxes) > 0, "change the seed"
    return found, true


@pytest.mark.parametrize("seed", range(25))
def test_masks_agree(seed):
    found, true = (mask(boxes) > 0 for boxes in both(seed))
    spacing = tuple(np.random.default_rng(seed).uniform(0.5, 3, 3).tolist())
    ours = measure_voxels(found, true, spacing)
    assert ours.dice == pytest.approx(Metric.DSC(true, found), abs=1e-6)
    assert ours.iou == pytest.approx(Metric.IOU(true, found), abs=1e-6)
    # Their definitions on our surfaces and distances.
    there, back = surface_distances(found, true, spacing)
    mean_of_means, pooled = (there.mean() + back.mean()) / 2, np.percentile(np.concatenate([there, back]), 95)
    assert mean_of_means == pytest.approx(Metric.ASSD(true, found, voxelspacing=spacing), abs=1e-6)
    assert pooled == pytest.approx(Metric.HD95(true, found, voxelspacing=spacing), abs=1e-6)


@pytest.mark.parametrize("seed", range(25))
def test_instances_agree(seed):
    found, true = both(seed)
    case, other = boxed("a", found, true), theirs(found, true)
    (matched,) = match_cases([case], OverlapRule(least=JUST_OVER_HALF))
    assert (matched.found, matched.false_alarms) == (other.tp, other.fp)
    assert len(case.lesions) - matched.found == other.fn
    f1 = {figure.name: figure for figure in lesion_figures([matched])}["f1"]
    recognition = measure(f1.statistic, resamples(["a"])).value
    assert recognition == pytest.approx(other.rq, abs=1e-6)
    pairs = [
        measure_voxels(*(mask([boxes[number]]) > 0 for boxes, number in ((found, c), (true, hit))), SPACING)
        for c, hit in enumerate(matched.match.hits)
        if hit is not None
    ]
    if pairs:
        overlap = np.mean([pair.iou for pair in pairs])
        assert overlap == pytest.approx(other.sq, abs=1e-6)
        assert np.mean([pair.dice for pair in pairs]) == pytest.approx(other.sq_dsc, abs=1e-6)
        assert recognition * overlap == pytest.approx(other.pq, abs=1e-6)


def test_the_random_cases_hold_matches_misses_and_false_components():
    # Else the comparisons above would say little.
    counted = [theirs(*both(seed)) for seed in range(25)]
    assert min(sum(getattr(one, kind) for one in counted) for kind in ("tp", "fp", "fn")) >= 20


def test_hd95_and_surface_distance_by_hand():
    # A single voxel, and a row of twenty from it on: every one of the row is a surface voxel, 0 to 19 mm away; the
    # single one lies on the row. 95 % of 0..19 is 18.05, back it is 0; pooled, 21 values 0, 0, 1 .. 19 give 18.
    row, one = np.zeros((3, 3, 22), np.uint8), np.zeros((3, 3, 22), np.uint8)
    row[1, 1, 1:21] = 1
    one[1, 1, 1] = 1
    ours = measure_voxels(row > 0, one > 0, SPACING)
    assert ours.hd95_mm == pytest.approx(18.05)
    assert Metric.HD95(one, row, voxelspacing=SPACING) == pytest.approx(18.0)
    # Sum 190 over 21 surface voxels here; the mean of 190/20 and 0 there.
    assert ours.assd_mm == pytest.approx(190 / 21)
    assert Metric.ASSD(one, row, voxelspacing=SPACING) == pytest.approx(4.75)


def test_two_empty_masks_by_hand():
    empty = np.zeros(GRID.shape_zyx, dtype=bool)
    assert measure_voxels(empty, empty, SPACING).dice == 1.0
    assert Metric.DSC(empty, empty) == 0.0
