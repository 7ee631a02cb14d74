"""Warnings about images that are unlike what a U-Net was planned on: spacing and intensities, at the ends of ranges."""

import numpy as np
import pytest
from small_unets import small_unet
from unet_plans import configuration, plan

from mtann import segment
from mtann.geometry import Geometry
from mtann.preprocess.unet import crop_case
from mtann.segmentation.result import SegmentationSettings
from mtann.segmentation.unlike import unlike_plan
from mtann.volume import Volume

CT_PLAN = plan(configurations=(configuration(normalisation=("ct",)),))
"""Of intensities from -100 to 200 in the labels, and a spacing of 1 mm."""


def warnings(made=CT_PLAN, value=40.0, spacing=(1.0, 1.0, 1.0), found=True, shape=(12, 10, 8), outside=-1000.0):
    array = np.full(shape, outside, np.float32)
    array[:, :4] = value
    volume = Volume(array, Geometry(shape, spacing, (0.0, 0.0, 0.0)))
    labels = np.zeros(shape, np.uint8)
    labels[:, :4] = found
    return unlike_plan(crop_case([volume], made), labels, small_unet(made).card)


def test_images_as_planned_are_not_warned_of():
    assert warnings() == ()
    assert warnings(value=-100.0) == warnings(value=200.0) == ()
    assert warnings(spacing=(0.5, 2.0, 1.0)) == ()


@pytest.mark.parametrize("value", [-101.0, 201.0])
def test_labels_of_other_intensities_are(value):
    (text,) = warnings(value=value)
    assert f"its median within what was segmented is {value:.4g}" in text and "from -100 to 200" in text


def test_where_nothing_was_found_the_whole_image_counts():
    assert warnings(found=False) == ()
    (text,) = warnings(value=500.0, found=False)
    assert "none of its intensities is from -100 to 200" in text


@pytest.mark.parametrize("spacing", [(2.1, 1.0, 1.0), (1.0, 0.49, 1.0)])
def test_other_spacings_are(spacing):
    (text,) = warnings(spacing=spacing)
    assert "the model was planned for 1 x 1 x 1 mm" in text


def test_along_the_coarsest_axis_more_is_allowed_and_of_one_slice_anything():
    thick = plan(configurations=(configuration(spacing=(3.0, 1.0, 1.0), normalisation=("ct",)),))
    assert warnings(thick, spacing=(1.0, 1.0, 9.0)) == ()
    assert len(warnings(thick, spacing=(1.0, 1.0, 9.1))) == 1
    assert warnings(thick, spacing=(1.0, 1.0, 50.0), shape=(1, 10, 8)) == ()
    flat = plan(configurations=(configuration("2d", normalisation=("ct",)),))
    assert warnings(flat, spacing=(1.0, 1.0, 9.0)) == ()


def test_normalised_channels_have_no_intensity_of_their_own():
    assert warnings(plan(), value=5000.0) == ()


def test_the_result_warns():
    shape = (12, 10, 8)
    array = np.random.default_rng(0).normal(5, 1, shape).astype(np.float32)
    volume = Volume(array, Geometry(shape, (5.0, 5.0, 5.0), (0.0, 0.0, 0.0)))
    result = segment(volume, small_unet(), SegmentationSettings(device="cpu", backend="torch"))
    assert "planned for 1 x 1 x 1 mm" in result.warnings[-1]
