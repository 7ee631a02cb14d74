"""What computes is chosen by what is there, and the result says why; what cannot be is refused with what can."""

import sys

import pytest
import torch

from mtann.backends import computation as choosing
from mtann.backends.computation import choose_computation, reduced_computation
from mtann.backends.openvino_gain import openvino_gain
from mtann.errors import MissingPackageError, SettingsError


def allow(backend, precision):
    return True, f"{precision} by {backend} is fine"


def refuse(*_):
    return False, "never checked"


@pytest.fixture(autouse=True)
def no_accelerator(monkeypatch):
    for backend in (torch.cuda, torch.xpu, torch.backends.mps):
        monkeypatch.setattr(backend, "is_available", lambda: False)


@pytest.fixture
def faster(monkeypatch):
    """A processor that is twice as fast in short numbers."""
    monkeypatch.setattr(choosing, "openvino_gain", lambda precision: 2.0)


@pytest.fixture
def no_openvino(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)


def test_on_the_processor_openvino_in_full_precision_comes_first():
    chosen = choose_computation()
    assert (chosen.device, chosen.backend, chosen.precision) == ("cpu", "openvino", "fp32")
    assert chosen.reason == "faster than torch on processors"
    assert chosen.words == "OpenVINO on cpu, fp32 (faster than torch on processors)"


def test_without_openvino_torch_computes_and_says_why(no_openvino):
    chosen = choose_computation()
    assert (chosen.backend, chosen.precision) == ("torch", "fp32")
    assert "is not installed" in chosen.reason
    with pytest.raises(MissingPackageError, match=r"OpenVINO needs the Python package 'openvino'"):
        choose_computation(backend="openvino")


def test_torch_is_taken_where_it_is_asked_for():
    chosen = choose_computation("cpu", "torch")
    assert (chosen.backend, chosen.precision, chosen.reason) == ("torch", "fp32", "backend as asked for")


def test_an_accelerator_is_used_by_torch_and_never_in_less_than_asked(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    chosen = choose_computation()
    assert (chosen.device, chosen.backend, chosen.precision) == ("cuda", "torch", "fp32")
    assert choose_computation(reduced=allow).precision == "fp16"
    assert choose_computation(precision="bf16").precision == "bf16"
    with pytest.raises(SettingsError, match="not on cuda"):
        choose_computation(backend="openvino")


@pytest.mark.parametrize(
    ("offered", "reduced", "asked", "expected"),
    [
        (("FP32", "BF16"), False, "auto", "fp32"),
        (("FP32", "BF16"), True, "auto", "bf16"),
        (("FP32",), True, "auto", "fp32"),
        (("FP32", "BF16", "FP16"), True, "fp16", "fp16"),
        (("FP32", "BF16"), True, "fp32", "fp32"),
    ],
)
def test_auto_goes_below_full_precision_only_where_allowed_and_offered(
    monkeypatch, faster, offered, reduced, asked, expected
):
    monkeypatch.setattr(choosing, "_openvino_capabilities", lambda: offered)
    assert choose_computation(precision=asked, reduced=allow if reduced else refuse).precision == expected
    assert choose_computation(precision=asked).precision == (asked if asked != "auto" else "fp32")


def test_why_less_than_full_precision_was_taken_or_not_is_in_the_result(monkeypatch, faster):
    monkeypatch.setattr(choosing, "_openvino_capabilities", lambda: ("FP32", "BF16"))
    assert choose_computation(reduced=allow).words.endswith("; bf16 by openvino is fine)")
    assert choose_computation(reduced=refuse).words.endswith("; never checked)")


def test_what_the_processor_offers_but_is_not_faster_with_is_not_taken_unasked(monkeypatch):
    monkeypatch.setattr(choosing, "_openvino_capabilities", lambda: ("FP32", "BF16"))
    monkeypatch.setattr(choosing, "openvino_gain", {"bf16": 1.1}.__getitem__)
    chosen = choose_computation(reduced=allow)
    assert chosen.precision == "fp32"
    assert chosen.reason.endswith("; bf16 was not measured to be faster on this processor")
    assert choose_computation(precision="bf16").precision == "bf16"


def test_a_gain_that_cannot_be_measured_ends_no_run(monkeypatch):
    def fails(*_):
        raise RuntimeError("no primitive")

    openvino_gain.cache_clear()
    monkeypatch.setattr(choosing, "_openvino_capabilities", lambda: ("FP32", "BF16"))
    monkeypatch.setattr("mtann.backends.openvino_gain._convolutions", fails)
    chosen = choose_computation(reduced=allow)
    openvino_gain.cache_clear()
    assert chosen.precision == "fp32"


def test_nothing_is_measured_for_what_is_not_allowed_or_only_checked(monkeypatch):
    monkeypatch.setattr(choosing, "_openvino_capabilities", lambda: ("FP32", "BF16"))
    monkeypatch.setattr(choosing, "openvino_gain", lambda precision: pytest.fail("measured"))
    assert choose_computation(reduced=refuse).precision == choose_computation().precision == "fp32"
    assert reduced_computation().precision == "bf16"


def test_a_precision_that_the_processor_lacks_is_refused(monkeypatch):
    monkeypatch.setattr(choosing, "_openvino_capabilities", lambda: ("FP32", "INT8"))
    with pytest.raises(SettingsError, match="OpenVINO does not compute in bf16 .* one of: fp32"):
        choose_computation(precision="bf16")
    with pytest.raises(SettingsError, match="torch does not compute in fp16 .* one of: fp32, bf16"):
        choose_computation("cpu", "torch", "fp16")
