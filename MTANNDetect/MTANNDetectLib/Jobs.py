"""What the panel asks of whoever computes, and what it is told: so small that tests can compute by hand."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mtann.progress import Progress

from .Presenters.RunPresenter import ComputeDevice, Failure

if TYPE_CHECKING:
    from mtann.cases import TrainingCase
    from mtann.volume import Volume


@dataclass(frozen=True)
class Job:
    """One piece of work.

    Attributes:
        kind: "detect", "segment", "then_segment", "train" or "retrain".
        model: Folder of the model; the one to go on from when retraining, None for training.
        volumes: Image by channel.
        mask: Where to look.
        threshold: The user's; that of the operating point if None.
        operatingPoint: Name of one of the model's.
        device: Where to compute.
        precision: Number format.
        cases: What to learn from.
        name: Name of the new model.
        channels: Channel names of the new model.
        unet: Folder of the U-Net that outlines what the model proposes.
    """

    kind: str
    model: Path | None = None
    volumes: Mapping[str, "Volume"] = field(default_factory=dict)
    mask: "Volume | None" = None
    threshold: float | None = None
    operatingPoint: str = "balanced"
    device: str = "auto"
    precision: str = "auto"
    cases: tuple["TrainingCase", ...] = ()
    name: str = ""
    channels: tuple[str, ...] = ()
    unet: Path | None = None


@dataclass(frozen=True)
class Taught:
    """What a training brought out.

    Attributes:
        folder: Where the model lies until it is kept or discarded.
        lines: How it went, in words.
        fpPerCase: The FROC curve: false alarms a case.
        sensitivity: The FROC curve: share of lesions found, 0 to 1.
        seen: Whether the curve was taken on cases that the model had seen.
    """

    folder: Path
    lines: tuple[str, ...] = ()
    fpPerCase: tuple[float, ...] = ()
    sensitivity: tuple[float, ...] = ()
    seen: bool = False


class Listener(Protocol):
    """Who wants to know how a job goes; called on the main thread."""

    def progressed(self, progress: Progress) -> None:
        """The job is so far."""

    def finished(self, outcome: Any) -> None:
        """It is done: the library's DetectionResult, Segmentation or TwoStageResult, or what was :class:`Taught`."""

    def failed(self, failure: Failure) -> None:
        """It ended without a result."""

    def cancelled(self) -> None:
        """It was stopped as asked."""


class Runner(Protocol):
    """Who computes; one job at a time."""

    def warmUp(self, ready: Callable[[], None], failed: Callable[[Failure], None]) -> None:
        """Prepare for the first job, so that it starts at once; call one of both once that is done."""

    def load(self, model: Path) -> None:
        """Get a model ready for the next job, in place of one that still waits for that; a failure is not told."""

    def submit(self, job: Job, listener: Listener) -> None:
        """Start a job; the listener is told of everything else, perhaps before this returns."""

    def cancel(self) -> None:
        """Stop the job, if there is one."""

    def devices(self) -> tuple[ComputeDevice, ...]:
        """Where can be computed; empty where that is not known yet."""

    def close(self) -> None:
        """Stop everything and give memory back."""
