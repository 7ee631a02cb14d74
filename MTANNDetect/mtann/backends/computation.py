"""Choosing what evaluates networks: which device, torch or OpenVINO, and in what precision."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal

from mtann.backends.device import choose_device
from mtann.backends.openvino_gain import openvino_gain
from mtann.errors import MissingPackageError, SettingsError
from mtann.optional import require
from mtann.settings import Backend, Device, Precision

ChosenBackend = Literal["torch", "openvino"]
ChosenPrecision = Literal["fp32", "bf16", "fp16"]

Permission = Callable[[ChosenBackend, ChosenPrecision], tuple[bool, str]]
"""Whether a backend may compute in less than fp32 without being asked for it; and why, or why not, in words."""

_FEATURE = "Evaluating a network with OpenVINO"
_WORTHWHILE = 1.15
"""How many times as fast as fp32 a shorter precision must be to be taken unasked."""
_NAMES: dict[ChosenBackend, str] = {"torch": "torch", "openvino": "OpenVINO"}
_BY_TORCH: dict[str, tuple[ChosenPrecision, ...]] = {
    "cpu": ("fp32", "bf16"),
    "cuda": ("fp32", "fp16", "bf16"),
    "xpu": ("fp32", "fp16", "bf16"),
    "mps": ("fp32", "fp16"),
}


@dataclass(frozen=True)
class Computation:
    """How networks are evaluated in a run; it stands in the result.

    Attributes:
        device: Name of the torch device, such as ``cpu`` or ``cuda``.
        backend: What evaluates the networks.
        precision: Of the numbers within a network; inputs and outputs are always float32.
        reason: Why these were chosen, for the reader of a result.
    """

    device: str
    backend: ChosenBackend
    precision: ChosenPrecision
    reason: str

    @property
    def words(self) -> str:
        """As a reader sees it."""
        return f"{_NAMES[self.backend]} on {self.device}, {self.precision} ({self.reason})"


def choose_computation(
    device: Device = "auto",
    backend: Backend = "auto",
    precision: Precision = "auto",
    *,
    reduced: Permission | None = None,
) -> Computation:
    """What evaluates a run's networks.

    ``auto`` takes the first accelerator that is there, else the processor; on the processor OpenVINO where it is
    installed, else torch; and fp32, the precision of the reference.

    Args:
        device: Where to compute.
        backend: What evaluates networks.
        precision: Of the numbers within a network.
        reduced: Says whether ``auto`` may take less than fp32 where that is faster. Never for MTANN scores, so that
            none is asked; for a U-Net only if a check case gave a Dice coefficient of at least 0.999 against fp32.

    Raises:
        SettingsError: This machine, or the backend, cannot do what was asked for; the message says what it can.
        MissingPackageError: torch is not installed, or OpenVINO was asked for and is not.
    """
    where = choose_device(device).type
    chosen, reason = _backend(backend, where)
    able = _precisions(chosen, where)
    if precision == "auto":
        fastest = _fastest(chosen, where, able)
        if reduced is None or fastest == "fp32":
            return Computation(where, chosen, "fp32", reason)
        allowed, why = reduced(chosen, fastest)
        # Measured last: it takes a moment.
        if allowed and chosen == "openvino" and openvino_gain(fastest) < _WORTHWHILE:
            allowed, why = False, f"{fastest} was not measured to be faster on this processor"
        return Computation(where, chosen, fastest if allowed else "fp32", f"{reason}; {why}")
    if precision not in able:
        raise SettingsError(
            f"{_NAMES[chosen]} does not compute in {precision} on this machine's {where}. "
            f"Use --precision auto or one of: {', '.join(able)}."
        )
    return Computation(where, chosen, precision, f"{reason}; precision as asked for")


def reduced_computation(device: Device = "auto", backend: Backend = "auto") -> Computation:
    """What less than fp32 is to be checked with on a device: fp32 where it offers nothing that should be faster.

    Nothing is timed: whether labels agree is a matter of the model, which may be used on a faster machine.

    Raises:
        SettingsError: This machine, or the backend, cannot do what was asked for.
        MissingPackageError: torch is not installed, or OpenVINO was asked for and is not.
    """
    where = choose_device(device).type
    chosen, reason = _backend(backend, where)
    fastest = _fastest(chosen, where, _precisions(chosen, where))
    return Computation(where, chosen, fastest, f"{reason}; less than fp32 to be checked")


def choose_for_mtann(device: Device = "auto", backend: Backend = "auto", precision: Precision = "auto") -> Computation:
    """What evaluates an MTANN: as :func:`choose_computation`, but on processors torch unless something is asked for.

    A small network's whole cost is its first layer, which torch evaluates by Fourier transforms; OpenVINO convolves.

    Raises:
        SettingsError: This machine, or the backend, cannot do what was asked for; the message says what it can.
        MissingPackageError: torch is not installed, or OpenVINO was asked for and is not.
    """
    if backend == precision == "auto" and choose_device(device).type == "cpu":
        return Computation("cpu", "torch", "fp32", "for an MTANN faster than OpenVINO on processors")
    return choose_computation(device, backend, precision)


def _backend(asked: Backend, where: str) -> tuple[ChosenBackend, str]:
    if asked == "torch":
        return "torch", "backend as asked for"
    if asked == "openvino":
        if where != "cpu":
            raise SettingsError(
                f"OpenVINO computes on the processor here, not on {where}. Use the device 'cpu' with it, "
                "or the backend 'auto'."
            )
        require("openvino", _FEATURE)
        return "openvino", "backend as asked for"
    if where != "cpu":
        return "torch", f"the way to compute on {where}"
    try:
        require("openvino", _FEATURE)
    except MissingPackageError:
        return "torch", "OpenVINO, which is faster on processors, is not installed or cannot be loaded"
    return "openvino", "faster than torch on processors"


def _precisions(backend: ChosenBackend, where: str) -> tuple[ChosenPrecision, ...]:
    if backend == "torch":
        return _BY_TORCH[where]
    offered = _openvino_capabilities()
    reduced: tuple[tuple[ChosenPrecision, str], ...] = (("bf16", "BF16"), ("fp16", "FP16"))
    return ("fp32", *(precision for precision, name in reduced if name in offered))


@cache
def _openvino_capabilities() -> tuple[str, ...]:
    return tuple(require("openvino", _FEATURE).Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))


def _fastest(backend: ChosenBackend, where: str, able: tuple[ChosenPrecision, ...]) -> ChosenPrecision:
    """What should be fastest: the first below fp32 that there is. torch on processors gains nothing from bf16."""
    return "fp32" if backend == "torch" and where == "cpu" else able[min(1, len(able) - 1)]
