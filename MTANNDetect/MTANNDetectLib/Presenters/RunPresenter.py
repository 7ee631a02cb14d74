"""A run: what may be started, what it will cost, how far it is, and what went wrong."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mtann.errors import SettingsError

from ..Translation import _
from .ModelsPresenter import BOTH, DETECT, OUTLINE, ModelChoice, Point

_DEFAULT_SECONDS = {"cpu": 4.0, "cuda": 0.4, "mps": 1.0, "xpu": 0.6, "auto": 4.0}
"""Seconds a million voxels, input and network, until a run on this machine has told better."""
_BYTES_A_VOXEL, _BASE_BYTES = 4 * 8, 0.4e9
_LEAST_TOLD_S = 3.0


@dataclass(frozen=True)
class Failure:
    """Why a run ended without a result.

    Attributes:
        cause: What happened, in words.
        remedy: What to do.
        lastLines: What the run wrote last.
    """

    cause: str
    remedy: str = ""
    lastLines: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Cause and remedy in one paragraph."""
        return f"{self.cause} {self.remedy}".strip()


@dataclass(frozen=True)
class ComputeDevice:
    """A processor that can compute.

    Attributes:
        name: As a job names it, such as "cuda".
        title: What it is, in words.
        memoryBytes: How much memory it has, if that is known.
    """

    name: str
    title: str
    memoryBytes: int | None = None


@dataclass(frozen=True)
class Expectation:
    """What a run is expected to take."""

    seconds: float
    bytes: float
    measured: bool


def taskInWords(task: str) -> str:
    """A task's line in the list."""
    return {DETECT: _("Detect"), OUTLINE: _("Outline"), BOTH: _("Detect and outline")}[task]


def pointInWords(point: Point) -> str:
    """An operating point's line in the list, such as "Balanced: 92 % found, 0.8 false a case"."""
    names = {
        "high_sensitivity": _("High sensitivity"),
        "balanced": _("Balanced"),
        "high_specificity": _("High specificity"),
    }
    name = names.get(point.name, point.name.replace("_", " "))
    return _("{name}: {share:.0f} % found, {wrong:.1f} false a case").format(
        name=name, share=100 * point.sensitivity, wrong=point.fpPerCase
    )


def pointsInOrder(points: Sequence[Point]) -> tuple[Point, ...]:
    """From the most sensitive to the most specific."""
    return tuple(sorted(points, key=lambda point: point.threshold))


def preferredPoint(points: Sequence[Point]) -> int:
    """Which operating point is chosen at first: "balanced" where there is one."""
    return next((index for index, point in enumerate(points) if point.name == "balanced"), 0)


def expectation(
    model: ModelChoice,
    sizeMm: Sequence[float],
    spacingMm: Sequence[float],
    device: str,
    measured: Mapping[str, float],
) -> Expectation:
    """What a run on an image of this extent is expected to take.

    Args:
        model: The model.
        sizeMm: The first image's extent in each direction.
        spacingMm: Its spacing, for models that work at that.
        device: Where it is to be computed.
        measured: Seconds a million voxels, input and network that former runs took, by :func:`rateKey`.
    """
    voxels = workVoxels(model, sizeMm, spacingMm)
    rate = measured.get(rateKey(model, device))
    work = voxels / 1e6 * model.inputs * max(1, model.members)
    seconds = work * (_DEFAULT_SECONDS.get(device, 4.0) if rate is None else rate)
    return Expectation(seconds, _BASE_BYTES + voxels * _BYTES_A_VOXEL * (model.inputs + 1), rate is not None)


def workVoxels(model: ModelChoice, sizeMm: Sequence[float], spacingMm: Sequence[float]) -> float:
    """How many voxels the model's grid has on an image of this extent."""
    steps = [model.spacingMm] * 3 if model.spacingMm else list(spacingMm)
    return math.prod(size / step for size, step in zip(sizeMm, steps, strict=True))


def rateKey(model: ModelChoice, device: str) -> str:
    """What a measured speed is kept under."""
    return f"{model.kind}/{model.name}/{device}"


def measuredRate(model: ModelChoice, voxels: float, seconds: float) -> float:
    """Seconds a million voxels, input and network, from a run that is done."""
    return seconds / max(voxels / 1e6 * model.inputs * max(1, model.members), 1e-9)


def expectationInWords(expected: Expectation) -> str:
    """Such as "Expected: about 25 s and 1.1 GB of memory"."""
    text = _("Expected: about {time} and {memory:.1f} GB of memory").format(
        time=durationInWords(expected.seconds), memory=expected.bytes / 1e9
    )
    return text + (_(", as measured here.") if expected.measured else _(" (a guess until the first run)."))


def deviceInWords(device: ComputeDevice) -> str:
    """Such as "cuda: NVIDIA RTX 4090, 24 GB"."""
    memory = f", {device.memoryBytes / 1e9:.0f} GB" if device.memoryBytes else ""
    return f"{device.name}: {device.title}{memory}"


def durationInWords(seconds: float) -> str:
    """Such as "25 s" or "3 min"."""
    if seconds < 90:
        return _("{seconds:.0f} s").format(seconds=max(1, 5 * round(seconds / 5) if seconds > 12 else round(seconds)))
    return _("{minutes:.0f} min").format(minutes=seconds / 60)


class Clock:
    """Tells how long a run still takes, from how far it is.

    Args:
        start: When it began, in seconds of any clock.
    """

    def __init__(self, start: float) -> None:
        self._start = start

    def remaining(self, now: float, fraction: float) -> float | None:
        """Seconds left, or None where it is too early to tell."""
        spent = now - self._start
        if fraction <= 0.02 or spent < _LEAST_TOLD_S:
            return None
        return spent * (1 - fraction) / fraction

    def inWords(self, now: float, fraction: float, message: str) -> str:
        """The message of a step with the time that is left."""
        left = self.remaining(now, fraction)
        if left is None:
            return message
        return _("{message}, about {time} left").format(message=message, time=durationInWords(left))


def thresholdFromText(text: str) -> float | None:
    """The threshold that a user typed; None where the field is blank.

    Raises:
        SettingsError: It is not a number.
    """
    if not text.strip():
        return None
    try:
        value = float(text.strip().replace(",", "."))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise SettingsError(
            _("The threshold must be a number or blank for the model's own; found '{text}'. Correct it.").format(
                text=text
            )
        )
    return value
