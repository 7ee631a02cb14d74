"""A device is one that this machine has, or is refused with those that it has."""

import pytest
import torch

from mtann.backends.device import choose_device
from mtann.errors import SettingsError


@pytest.fixture
def no_accelerator(monkeypatch):
    for backend in (torch.cuda, torch.xpu, torch.backends.mps):
        monkeypatch.setattr(backend, "is_available", lambda: False)


@pytest.mark.parametrize("name", ["cpu", "auto"])
def test_what_is_chosen_can_compute(name):
    device = choose_device(name)
    assert torch.ones(3, device=device).sum().item() == 3
    assert name == "auto" or device.type == name


def test_without_an_accelerator_auto_is_the_processor(no_accelerator):
    assert choose_device("auto") == torch.device("cpu")


def test_an_accelerator_that_is_there_comes_first(no_accelerator, monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device("auto") == torch.device("mps")
    with pytest.raises(SettingsError, match="'cuda' is not available .* one of: mps, cpu"):
        choose_device("cuda")


@pytest.mark.parametrize("name", ["cuda", "xpu", "mps"])
def test_an_absent_accelerator_is_refused_with_what_is_there(no_accelerator, name):
    with pytest.raises(SettingsError, match=f"'{name}' is not available .* one of: cpu"):
        choose_device(name)
