"""The candidates benchmark finds every blob that it put there."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import candidates_speed


def test_every_blob_is_one_candidate(capsys):
    assert candidates_speed.main(["--small"]) == 0
    assert capsys.readouterr().out.startswith("8 candidates of 8 blobs in 96x96x96")
