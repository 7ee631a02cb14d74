"""Probabilities of held-out cases are whole or not there: a half file would count as done."""

import numpy as np
import pytest

from mtann.errors import OutputError
from mtann.unets.validate import _keep


def test_a_write_that_fails_midway_leaves_nothing_behind(tmp_path, monkeypatch):
    def half(file, **arrays):
        file.write(b"PK half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", half)
    with pytest.raises(OutputError, match="No space left"):
        _keep(np.zeros((1, 2, 2, 2), dtype=np.float16), tmp_path / "case0.npz")
    assert list(tmp_path.iterdir()) == []


def test_what_is_kept_is_read_again(tmp_path):
    array = np.arange(8, dtype=np.float16).reshape(1, 2, 2, 2)
    _keep(array, tmp_path / "case0.npz")
    with np.load(tmp_path / "case0.npz", allow_pickle=False) as kept:
        np.testing.assert_array_equal(kept["probabilities"], array)
    assert [path.name for path in tmp_path.iterdir()] == ["case0.npz"]
