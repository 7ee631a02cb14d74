"""Suppressing ribs in synthetic radiographs, after Suzuki et al., IEEE Trans Med Imaging 25:406 (2006)."""

import numpy as np
import pytest
from scipy import ndimage

from mtann.enhancement.enhance import enhance
from mtann.enhancement.train import train_enhancement
from mtann.settings import EnhancementSettings
from unit.enhancement.radiographs import radiograph


def rib_contrast(picture, truth):
    """How much brighter ribs are than the gaps between them, anatomy and nodules taken away."""
    rest = picture - truth.anatomy - truth.nodules
    return rest[truth.bone > 30].mean() - rest[truth.bone == 0].mean()


def nodule_contrast(picture, truth):
    """How much brighter nodules are than their surroundings, anatomy taken away."""
    ring = ndimage.binary_dilation(truth.nodules > 0, iterations=4) & (truth.nodules == 0)
    rest = picture - truth.anatomy
    return rest[truth.nodules > 15].mean() - rest[ring].mean()


def test_parts_of_a_radiograph_add_up_and_have_the_stated_contrast():
    truth = radiograph(0)
    np.testing.assert_allclose(truth.image - truth.anatomy - truth.nodules - truth.noise, truth.bone, atol=1e-9)
    assert 40 < rib_contrast(truth.image, truth) < 55
    assert nodule_contrast(truth.anatomy + truth.nodules, truth) > 25


@pytest.mark.slow
def test_ribs_go_and_nodules_stay():
    settings = EnhancementSettings(target="component", folds=0)
    model = train_enhancement([radiograph(seed).case(f"p{seed}") for seed in range(8)], settings, device="cpu")
    ribs, nodules = [], []
    for seed in range(100, 106):
        truth = radiograph(seed)
        soft = enhance(truth.case("unseen").channels[0], model, subtract=True, device="cpu").array[0]
        ribs.append((rib_contrast(soft, truth), rib_contrast(truth.image, truth)))
        nodules.append((nodule_contrast(soft, truth), nodule_contrast(truth.anatomy + truth.nodules, truth)))
    left, before = np.mean(ribs, axis=0)
    kept, there = np.mean(nodules, axis=0)
    # Measured: 4 % of the ribs' contrast is left, 87 % of the nodules'.
    assert left < 0.1 * before
    assert kept > 0.85 * there
