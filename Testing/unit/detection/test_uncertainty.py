"""Variance, entropy and volume intervals, by hand."""

import numpy as np
import pytest

from mtann.detection.uncertainty import entropy_of, summarise
from mtann.geometry import Geometry
from mtann.volume import Volume
from unit.report.results import candidate

GRID = Geometry((5, 5, 12), (1.0, 2.0, 1.0), (0.0, 0.0, 0.0))


def row(*values):
    """A likelihood along x in the middle, 0 elsewhere."""
    array = np.zeros(GRID.shape_zyx, np.float32)
    array[2, 2, : len(values)] = values
    return array


def test_two_evaluations_by_hand():
    labels = np.zeros(GRID.shape_zyx, np.uint16)
    labels[2, 2, 3:6] = 1
    # Peaks 0.8 and 0.4; at half of them the first is 3 voxels wide, the second 5: 6 and 10 mm3.
    narrow, wide = row(0, 0, 0, 0.5, 0.8, 0.5), row(0, 0, 0.3, 0.3, 0.4, 0.3, 0.3)
    one = candidate(1, ((4.0, 4.0, 2.0), 2.0, 0.9), 0.5)
    found = summarise(iter([narrow, wide]), [one], Volume(labels, GRID, "t1 candidates"), 0.5, 1, 2)
    (volume,) = found.volumes
    assert (volume.id, volume.median_mm3) == (1, 8.0)
    assert (volume.low_mm3, volume.high_mm3) == (pytest.approx(6.1), pytest.approx(9.9))
    # At the peak 0.8 and 0.4: variance 0.04; their mean 0.6 has 0.971 bits.
    assert found.variance.array[2, 2, 4] == pytest.approx(0.04)
    assert found.entropy.array[2, 2, 4] == pytest.approx(0.97095, abs=1e-5)
    assert found.variance.array[0].max() == 0
    assert (found.variance.name, found.entropy.name) == ("t1 variance", "t1 entropy")


def test_entropy_is_one_bit_at_a_half_and_none_at_the_ends_and_beyond():
    np.testing.assert_allclose(entropy_of(np.array([-0.5, 0, 0.5, 1, 1.5])), [0, 0, 1, 0, 0])


def test_what_a_network_does_not_see_has_no_volume():
    labels = np.zeros(GRID.shape_zyx, np.uint16)
    labels[2, 2, 4] = 1
    one = candidate(1, ((4.0, 4.0, 2.0), 2.0, 0.9), 0.5)
    found = summarise([row(), row()], [one], Volume(labels, GRID, "x"), 0.5, 2, 1)
    assert found.volumes[0].high_mm3 == 0
    assert summarise([row()], [], Volume(np.zeros_like(labels), GRID, "x"), 0.5, 1, 1).volumes == ()
