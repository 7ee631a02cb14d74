"""From what a model sees back to intensities."""

import numpy as np
import pytest

from mtann.errors import GeometryError, SettingsError
from mtann.preprocess.inverse import Inverse, NoWayBack, Scale

ROW = np.array([[[1.0, 2.0, 3.0]]], np.float32)


def test_a_scale_there_and_back_by_hand() -> None:
    scale = Scale(centre=1.0, deviation=np.array([[[1.0, 2.0, 4.0]]], np.float32))
    there = scale.apply(ROW)
    assert there.ravel() == pytest.approx([0, 0.5, 0.5])
    assert scale.invert(there).ravel() == pytest.approx([1, 2, 3])


def test_the_last_step_is_undone_first() -> None:
    # (v - 1) / 2, then (v - 10) / 5: back from 0 over 10 to 21.
    inverse = Inverse((Scale(1.0, 2.0), Scale(10.0, 5.0)))
    assert inverse.invert(np.zeros((1, 1, 1), np.float32)).item() == 21


def test_one_step_without_a_way_back_blocks_the_whole_way() -> None:
    with pytest.raises(SettingsError, match="gone"):
        Inverse((NoWayBack("gone"), Scale(1.0, 2.0))).invert(ROW)


@pytest.mark.parametrize("shape", [(2, 1, 3), (1, 1, 1), (1, 1, 4)])
def test_an_array_on_another_grid_is_refused(shape: tuple[int, int, int]) -> None:
    # NumPy would stretch the first two without a word.
    with pytest.raises(GeometryError, match=r"has shape \(1, 1, 3\).*on the model's grid"):
        Scale(ROW, 1.0).invert(np.zeros(shape, np.float32))
