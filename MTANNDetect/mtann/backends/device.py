"""Choosing where to compute."""

from typing import TYPE_CHECKING

from mtann.errors import SettingsError
from mtann.optional import require
from mtann.settings import Device

if TYPE_CHECKING:
    import torch


def choose_device(name: Device) -> "torch.device":
    """The torch device of a name; ``auto`` takes the first accelerator that is there, else the processor.

    Raises:
        SettingsError: The device is not available on this machine.
        MissingPackageError: torch is not installed.
    """
    require("torch", "Running an MTANN")
    import torch

    available: dict[Device, bool] = {
        "cuda": torch.cuda.is_available(),
        "xpu": hasattr(torch, "xpu") and torch.xpu.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        name = next(device for device, there in available.items() if there)
    if not available.get(name, False):
        known = ", ".join(device for device, there in available.items() if there)
        raise SettingsError(f"The device '{name}' is not available on this machine. Use 'auto' or one of: {known}.")
    return torch.device(name)
