"""Boxes about places: each voxel once, however they overlap."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mtann.segmentation.around import disjoint

SIZE = 9
PARTS = st.tuples(st.integers(0, SIZE - 1), st.integers(1, SIZE)).map(lambda p: slice(p[0], min(SIZE, p[0] + p[1])))
BOXES = st.lists(st.tuples(PARTS, PARTS, PARTS), max_size=6)


@given(BOXES)
def test_overlapping_boxes_are_cut_so_that_each_voxel_is_in_one(boxes):
    wanted, counts = np.zeros((SIZE,) * 3, bool), np.zeros((SIZE,) * 3, int)
    for box in boxes:
        wanted[box] = True
    for box in disjoint(boxes):
        assert all(part.start < part.stop for part in box)
        counts[box] += 1
    np.testing.assert_array_equal(counts, wanted.astype(int))
