"""Measured speeds outlive the session, and no file whatever breaks them."""

import pytest

pytest.importorskip("slicer.util", reason="slicer-core is not installed (pip install slicer-core)")

from MTANNDetectLib.Speeds import Speeds

pytestmark = pytest.mark.slicer


def test_a_speed_is_known_in_the_next_session(tmp_path):
    file = tmp_path / "cache" / "speeds.json"
    first = Speeds(file)
    first["mtann/head/cpu"] = 1.5
    first["mtann/head/cuda"] = 0.1
    assert dict(Speeds(file)) == {"mtann/head/cpu": 1.5, "mtann/head/cuda": 0.1}
    del first["mtann/head/cpu"]
    assert list(Speeds(file)) == ["mtann/head/cuda"]
    assert len(first) == 1
    assert [path.name for path in file.parent.iterdir()] == ["speeds.json"]


@pytest.mark.parametrize(
    "text", ["", "[1]", "{", '{"a": -1, "b": "x", "c": null, "d": true, "e": 1e999, "f": 0}', "\x00"]
)
def test_a_damaged_file_is_as_none(tmp_path, text):
    file = tmp_path / "speeds.json"
    file.write_text(text)
    assert dict(Speeds(file)) == {}


def test_a_file_that_cannot_be_written_keeps_the_session_going(tmp_path):
    (tmp_path / "taken").write_text("")
    speeds = Speeds(tmp_path / "taken" / "speeds.json")
    speeds["a"] = 2.0
    assert speeds["a"] == 2.0
