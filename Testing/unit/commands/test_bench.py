"""``mtann bench`` measures every way, and all of them give the same."""

import json

import pytest

from mtann.cli import main


@pytest.mark.slow
def test_every_way_is_measured_and_agrees(capsys):
    assert main(["bench", "--edge", "10", "--repeats", "1", "--device", "cpu", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["chosen"]["backend"] == "torch"
    rows = {(row["what"], row["by"]): row for row in document["rows"]}
    assert {by for _, by in rows} == {"mtann (torch)", "mtann (openvino, asked for)", "torch conv3d, whole"}
    assert all(row["median_s"] > 0 and row["rate"] > 0 for row in rows.values())
    assert max(row.get("largest_difference", 0.0) for row in rows.values()) < 1e-4


def test_what_makes_no_sense_is_refused(capsys):
    assert main(["bench", "--repeats", "0"]) == 2
    assert "--repeats at least 1" in capsys.readouterr().err
