"""Voxel measures by hand, and the same as MONAI's on random masks."""

import numpy as np
import pytest
import torch
from monai.metrics import SurfaceDiceMetric, compute_average_surface_distance, compute_dice, compute_hausdorff_distance
from scipy import ndimage

from mtann.evaluation.lesion_wise import PENALTY_MM, lesion_wise
from mtann.evaluation.voxels import measure_voxels
from unit.studies import mask_of

ONE = (1.0, 1.0, 1.0)


def of(boxes, true, spacing=ONE):
    return measure_voxels(mask_of(boxes).array != 0, mask_of(true).array != 0, spacing)


def test_two_boxes_by_hand():
    # A row of four voxels and the same row moved by one: three are shared of four and four. Each end voxel is 1 mm from
    # the other row, the six others 0: the mean is 2/8, the 95th percentile of 0, 0, 0, 1 is 0.85.
    measured = of([((2, 3), (2, 3), (2, 6))], [((2, 3), (2, 3), (3, 7))])
    assert (measured.dice, measured.iou) == (0.75, 0.6)
    assert (measured.assd_mm, measured.hd95_mm) == (pytest.approx(0.25), pytest.approx(0.85))
    assert (measured.surface_dice_1mm, measured.surface_dice_2mm) == (1.0, 1.0)
    assert (measured.volume_mm3, measured.reference_mm3) == (4.0, 4.0)


def test_spacing_counts():
    # The same rows with voxels of 3 mm along x and 2 mm along y: the ends are 3 mm away, so 6 of 8 are within 2 mm.
    measured = of([((2, 3), (2, 3), (2, 6))], [((2, 3), (2, 3), (3, 7))], (1.0, 2.0, 3.0))
    assert (measured.assd_mm, measured.surface_dice_2mm) == (pytest.approx(0.75), 0.75)
    assert measured.volume_mm3 == 24.0


def test_empty_masks():
    box = [((2, 4), (2, 4), (2, 4))]
    nothing = of([], [])
    assert (nothing.dice, nothing.iou, nothing.surface_dice_1mm, nothing.hd95_mm, nothing.assd_mm) == (1, 1, 1, 0, 0)
    for missed in (of([], box), of(box, [])):
        assert (missed.dice, missed.iou, missed.surface_dice_2mm) == (0, 0, 0)
        assert np.isnan(missed.hd95_mm)
        assert np.isnan(missed.assd_mm)


def blobs(random):
    return ndimage.gaussian_filter(random.normal(size=(14, 18, 20)), 2) > random.uniform(0.02, 0.08)


def test_random_masks_agree_with_monai():
    random = np.random.default_rng(1)
    compared = 0
    for _ in range(12):
        a, b, spacing = blobs(random), blobs(random), tuple(random.uniform(0.5, 3, 3).tolist())
        if not (a.any() and b.any()):
            continue
        ours = measure_voxels(a, b, spacing)
        first, second = (torch.from_numpy(mask)[None, None].float() for mask in (a, b))
        assert ours.dice == pytest.approx(float(compute_dice(first, second)), abs=1e-6)
        hd95 = compute_hausdorff_distance(first, second, include_background=True, percentile=95, spacing=spacing)
        assert ours.hd95_mm == pytest.approx(float(hd95), abs=1e-6 * max(1, float(hd95)))
        assd = compute_average_surface_distance(first, second, include_background=True, symmetric=True, spacing=spacing)
        assert ours.assd_mm == pytest.approx(float(assd), abs=1e-5)
        for tolerance, value in ((1.0, ours.surface_dice_1mm), (2.0, ours.surface_dice_2mm)):
            theirs = SurfaceDiceMetric([tolerance], include_background=True)(first, second, spacing=spacing)
            assert value == pytest.approx(float(theirs), abs=1e-6)
        compared += 1
    assert compared >= 10


def per_lesion(boxes, true, spacing=ONE):
    return lesion_wise(mask_of(boxes).array != 0, mask_of(true).array != 0, spacing)


def test_lesion_wise_by_hand():
    # Three lesions of 8 voxels: one covered exactly, one half, one missed; and a false component far from all.
    true = [((2, 4), (2, 4), (2, 4)), ((2, 4), (8, 10), (2, 4)), ((2, 4), (14, 16), (2, 4))]
    one = per_lesion([true[0], ((2, 4), (8, 10), (2, 3)), ((8, 10), (14, 16), (14, 16))], true)
    # Half: 2 * 4 / (4 + 8) = 2/3. Mean over three lesions and one false component.
    assert one.dice == pytest.approx((1.0, 2 / 3, 0.0))
    assert one.false_components == 1
    assert one.mean_dice == pytest.approx((1 + 2 / 3) / 4)
    # The half's surface lies on the lesion's; of the lesion's eight voxels four are 1 mm from it: HD95 1.
    assert one.hd95_mm == (0.0, 1.0, PENALTY_MM)
    assert one.mean_hd95_mm == pytest.approx((0 + 1 + 374 + 374) / 4)


def test_lesions_a_voxel_apart_are_one_and_all_components_that_touch_it_belong_to_it():
    # Two boxes with a gap of two voxels: grown by one each they touch. Two components cover them.
    true = [((2, 4), (2, 4), (2, 4)), ((2, 4), (2, 4), (6, 8))]
    one = per_lesion(true, true)
    assert (one.dice, one.false_components) == ((1.0,), 0)
    # With a gap of three they stay two.
    apart = [true[0], ((2, 4), (2, 4), (7, 9))]
    assert len(per_lesion(apart, apart).dice) == 2


def test_lesions_of_two_cubic_millimetres_are_left_out_and_what_lies_on_them_is_not_false():
    tiny = [((2, 3), (2, 3), (2, 4))]
    one = per_lesion(tiny, tiny)
    assert (one.dice, one.false_components, one.mean_dice, one.mean_hd95_mm) == ((), 0, 1.0, 0.0)
    assert per_lesion([], [((2, 3), (2, 3), (2, 5))]).dice == (0.0,)
