"""The scan benchmark's ways give the same answers, and its aims are compared as they are stated."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import mtann_scan


def result(**faster: float) -> dict[str, object]:
    return {"ways": {way: {"mtann_is_faster": value} for way, value in faster.items()}, "differences": {"tiled": 2e-5}}


def test_an_aim_that_is_not_reached_and_a_difference_are_told():
    found = {"7^3, random weights": result(conv3d=2.9, subvolumes=10.0), "11^3, full rank": result(conv3d=2.0)}
    assert mtann_scan.aims(found) == ["7^3, random weights: 2.90 times as fast as conv3d, aimed at 3"]
    assert len(mtann_scan.disagreements(found)) == 2


@pytest.mark.slow
def test_all_ways_agree_on_a_small_volume(capsys):
    assert mtann_scan.main(["--small"]) == 0
    assert "chosen: planar" in capsys.readouterr().out
