"""The commands: each calls one function of the library, which is loaded when it is first needed."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mtann.progress import CancelCheck, ProgressCallback
from mtann.worker.machine import describe_machine
from mtann.worker.protocol import ProtocolError
from mtann.worker.session import Session

Arguments = dict[str, Any]


@dataclass
class Job:
    """What a command is given.

    Attributes:
        session: What is kept between jobs.
        progress: Where to report to.
        cancelled: Whether the user asked to stop.
        warnings: What a reader of the result must know.
    """

    session: Session
    progress: ProgressCallback
    cancelled: CancelCheck
    warnings: list[str] = field(default_factory=list)

    def call(self, function: Callable[..., Any], arguments: Arguments, **more: Any) -> Any:
        """Call a library function with a request's arguments, the models' names made models.

        Raises:
            ProtocolError: An argument is unknown, or one is missing.
        """
        given = {**arguments, **more, "progress": self.progress, "cancelled": self.cancelled}
        for name in ("model", "unet"):
            if isinstance(given.get(name), str):
                given[name] = self.session.model(given[name])
        try:
            inspect.signature(function).bind(**given)
        except TypeError as error:
            raise ProtocolError(f"The arguments do not fit the command ({error}).") from error
        return function(**given)


def hello(job: Job, arguments: Arguments) -> Any:
    """Versions and devices."""
    return describe_machine()


def load(job: Job, arguments: Arguments) -> Any:
    """Load torch and a model, so that the first run starts at once."""
    from mtann import pipeline
    from mtann.inference import scan

    bundle = job.session.model(str(arguments.get("model")))
    card = getattr(bundle, "card", None)
    loaded = [part.__name__ for part in (pipeline, scan)]
    return {"name": card.name if card else str(arguments.get("model")), "loaded": loaded}


def detect(job: Job, arguments: Arguments) -> Any:
    """Find lesions: arguments and result are those of :func:`mtann.pipeline.detect`."""
    from mtann.pipeline import detect as function

    return job.call(function, arguments)


def filter_candidates(job: Job, arguments: Arguments) -> Any:
    """Score given candidates: see :func:`mtann.filtering.filter_candidates`."""
    from mtann.filtering import filter_candidates as function

    return job.call(function, arguments)


def segment(job: Job, arguments: Arguments) -> Any:
    """Outline lesions or segment labels: see :func:`mtann.segmentation.segment.segment`."""
    from mtann.segmentation.segment import segment as function

    return job.call(function, arguments)


def then_segment(job: Job, arguments: Arguments) -> Any:
    """Propose with an MTANN and outline with a U-Net: see :func:`mtann.unets.two_stage.detect_then_segment`."""
    from mtann.unets.two_stage import detect_then_segment as function

    return job.call(function, arguments)


def enhance(job: Job, arguments: Arguments) -> Any:
    """Make an image of an image: see :func:`mtann.enhancement.enhance.enhance`."""
    from mtann.enhancement.enhance import enhance as function

    return {"image": job.call(function, arguments, warn=job.warnings.append), "warnings": job.warnings}


def train(job: Job, arguments: Arguments) -> Any:
    """Teach a model: see :func:`mtann.teach.train`. ``output`` must be given; the answer tells how it went."""
    from mtann.report.training import TrainingReport
    from mtann.teach import train as function

    reports: list[TrainingReport] = []
    bundle = job.call(function, {**arguments, "output": _output(arguments)}, told=reports.append)
    (report,) = reports
    return {
        **_taught(bundle, arguments),
        "summary": report.summary,
        "mean_sensitivity": report.froc.mean_sensitivity,
        "froc": report.froc,
        "seen": report.seen,
        "operating_points": report.operating_points,
    }


def retrain(job: Job, arguments: Arguments) -> Any:
    """Teach a model more: see :func:`mtann.retrain.retrain`. ``output`` must be given."""
    from mtann.retrain import retrain as function

    return _taught(job.call(function, {**arguments, "output": _output(arguments)}), arguments)


def _output(arguments: Arguments) -> Path:
    if not isinstance(arguments.get("output"), str):
        raise ProtocolError("Training in the worker needs the folder of the model as 'output'.")
    return Path(arguments["output"])


def _taught(bundle: Any, arguments: Arguments) -> dict[str, Any]:
    card = bundle.card
    return {
        "directory": arguments["output"],
        "name": card.name,
        "version": card.version,
        "sha256": bundle.sha256,
        "notes": card.notes,
    }


TASKS: dict[str, Callable[[Job, Arguments], Any]] = {
    "hello": hello,
    "load": load,
    "detect": detect,
    "filter": filter_candidates,
    "segment": segment,
    "then_segment": then_segment,
    "enhance": enhance,
    "train": train,
    "retrain": retrain,
}
"""The commands by name."""
