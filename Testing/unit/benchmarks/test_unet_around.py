"""The benchmark of ``--around`` runs fewer patches and finds the same labels there, by both backends."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import unet_around


@pytest.mark.slow
def test_labels_are_the_same_about_the_places(capsys):
    assert unet_around.main(["--small"]) == 0
    results = json.loads(capsys.readouterr().out)
    assert [one["backend"] for one in results] == ["torch", "openvino"]
    for one in results:
        assert one["same_labels"] is True
        assert 0 < one["patches"]["around"] < one["patches"]["whole"] == 60
        assert all(one[what]["around"] > 0 for what in ("network", "segmenting", "command"))
