"""The gain of short numbers is a ratio of two measured times."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mtann.backends import openvino_gain as measuring
from mtann.backends.computation import _openvino_capabilities
from mtann.backends.openvino_gain import openvino_gain


@pytest.fixture(autouse=True)
def forget():
    openvino_gain.cache_clear()
    yield
    openvino_gain.cache_clear()


class FakeMachine:
    """Requests whose runs take the seconds that are given for them, by a clock of its own."""

    def __init__(self, monkeypatch, **seconds):
        self.now, self.ran, self.seconds = 0.0, [], {name: iter(times) for name, times in seconds.items()}
        monkeypatch.setattr(measuring.time, "perf_counter", lambda: self.now)
        monkeypatch.setattr(measuring, "_convolutions", self.request)

    def request(self, shape, weight, precision):
        return SimpleNamespace(infer=lambda *_, **__: self.run(precision))

    def run(self, precision):
        self.ran.append(precision)
        self.now += next(self.seconds[precision])


def test_the_gain_is_how_much_less_the_shortest_run_takes_and_runs_take_turns(monkeypatch):
    machine = FakeMachine(monkeypatch, fp32=[9, 5, 4, 7, 3, 6, 8, 9], bf16=[9, 8, 7, 6, 5, 4, 3, 2])
    assert openvino_gain("bf16") == pytest.approx(1.5)
    assert machine.ran == ["fp32", "bf16"] * 8
    assert openvino_gain("bf16") == pytest.approx(1.5) and len(machine.ran) == 16


def test_what_cannot_be_measured_is_no_gain(monkeypatch):
    def fails(*_, **__):
        raise RuntimeError("Exception from src/plugins/intel_cpu: no primitive")

    monkeypatch.setattr(measuring, "_convolutions", lambda *_: SimpleNamespace(infer=fails))
    assert openvino_gain("bf16") == 0.0
    monkeypatch.setattr(measuring, "_convolutions", fails)
    assert openvino_gain("fp16") == 0.0


def test_short_numbers_are_really_timed_with_as_many_threads_as_torch_uses():
    """Where the processor lacks them, OpenVINO computes in fp32 instead."""
    assert 1e-3 < openvino_gain("bf16") < 1e3
    block = np.random.default_rng(0).normal(size=(1, 4, 6, 6, 6)).astype(np.float32)
    weight = np.full((4, 4, 3, 3, 3), 0.1, np.float32)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    whole, short = (measuring._convolutions(block.shape, weight, precision) for precision in ("fp32", "bf16"))
    torch.set_num_threads(threads)
    answers = [np.array(request.infer([block])[0]) for request in (whole, short)]
    assert np.array_equal(*answers) == ("BF16" not in _openvino_capabilities())
    for request in (whole, short):
        assert request.get_compiled_model().get_property("INFERENCE_NUM_THREADS") == 1
