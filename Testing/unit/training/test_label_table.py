"""Label values, indices and outputs, counted by hand."""

import numpy as np
import pytest
from unet_training import small_plan

from mtann.errors import CasesError
from mtann.training.unet.labels import LabelTable


def test_labels_have_a_row_each_and_the_background_the_first():
    table = LabelTable.of(small_plan(labels={"edge": (4,), "core": (2,)}))
    assert table.values == (0, 2, 4)
    assert table.members.astype(int).tolist() == [[1, 0, 0], [0, 0, 1], [0, 1, 0]]
    assert (table.names, table.regions, table.first_foreground) == (("edge", "core"), False, 1)


def test_regions_overlap_and_have_no_background():
    table = LabelTable.of(small_plan(labels={"whole": (1, 2, 4), "core": (2, 4)}, region_order=(1, 2)))
    assert table.members.astype(int).tolist() == [[0, 1, 1, 1], [0, 0, 1, 1]]
    assert table.first_foreground == 0


def test_voxels_without_annotation_belong_nowhere():
    table = LabelTable.of(small_plan(labels={"a": (1,)}, ignore_label=9))
    assert table.members.astype(int).tolist() == [[1, 0, 0], [0, 1, 0]]
    assert table.ignored == 2


def test_values_become_indices_and_unknown_ones_are_refused():
    table = LabelTable.of(small_plan(labels={"edge": (4,), "core": (2,)}))
    assert table.index(np.array([[[0, 4, 2]]]), "a").tolist() == [[[0, 2, 1]]]
    with pytest.raises(CasesError, match=r"case 'a' hold the value\(s\) 3, but the plan knows 0, 2, 4"):
        table.index(np.array([[[0, 3]]]), "a")


def test_an_ignore_label_between_the_labels_keeps_its_index():
    table = LabelTable.of(small_plan(labels={"a": (1,), "b": (5,)}, ignore_label=3))
    assert table.index(np.array([[[0, 1, 3, 5]]]), "a").tolist() == [[[0, 1, 3, 2]]]
