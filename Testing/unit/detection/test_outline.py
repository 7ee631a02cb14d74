"""Where an outline ends; how outlines share a volume is tested through the candidates."""

import numpy as np
import pytest

from mtann.detection.outline import grow_outlines
from mtann.detection.peaks import Peak
from mtann.progress import Run
from mtann.settings import DetectionSettings

from .test_peaks import ball, grid_of


def outline_of(likelihood, place_zyx, scale_mm):
    """The outline of one peak, in voxels of 1 mm."""
    geometry = grid_of(likelihood)
    places = geometry.lps_from_index([place_zyx])
    peak = Peak(place_zyx, scale_mm, 1.0, 1.0)
    labels, kept = grow_outlines(likelihood, geometry, [peak], places, DetectionSettings(), Run())
    assert len(kept) == 1
    return labels == 1


def test_an_outline_ends_five_scales_from_its_peak():
    bar = np.zeros((9, 9, 60), dtype=np.float32)
    bar[3:6, 3:6] = 1.0
    columns = np.flatnonzero(outline_of(bar, (4, 4, 30), 2.0)[4, 4])
    assert (columns.min(), columns.max()) == (20, 40)


# A shell of radius 10 mm: 8 and 16 mm from a place on it it is a cup, 32 mm from there it is closed.
# Of one of radius 22 mm, 40 mm (the farthest that an outline is followed) are a cup still.
@pytest.mark.parametrize(("radius", "scale_mm", "whole"), [(10, 1.6, True), (22, 1.6, False), (22, 3.0, False)])
def test_a_piece_of_a_ring_becomes_the_filled_ring_where_that_is_not_too_large(radius, scale_mm, whole):
    edge = 2 * radius + 11
    middle = (edge // 2,) * 3
    shell = ball((edge,) * 3, middle, radius + 1) - ball((edge,) * 3, middle, radius - 1)
    place = (edge // 2, edge // 2, edge // 2 - radius)
    outline = outline_of(shell.astype(np.float32), place, scale_mm)
    assert outline[place]
    assert outline[middle] == whole
    assert outline[edge // 2, edge // 2, edge // 2 + radius] == whole
    farthest = np.linalg.norm(np.argwhere(outline) - place, axis=1).max()
    assert farthest > 2 * radius - 1 if whole else farthest <= 5 * scale_mm
