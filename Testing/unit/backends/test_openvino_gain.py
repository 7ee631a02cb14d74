"""The gain of short numbers is a ratio of two measured times."""

import pytest

from mtann.backends import openvino_gain as measuring


@pytest.fixture(autouse=True)
def forget():
    measuring.openvino_gain.cache_clear()
    yield
    measuring.openvino_gain.cache_clear()


def test_the_gain_is_how_much_less_time_a_precision_takes(monkeypatch):
    monkeypatch.setattr(measuring, "_seconds", {"fp32": 3.0, "bf16": 2.0}.__getitem__)
    assert measuring.openvino_gain("bf16") == pytest.approx(1.5)


def test_openvino_is_really_timed():
    assert 1e-4 < measuring._seconds("fp32") < 60
    assert measuring.openvino_gain("fp32") == 1.0
