"""Computes in Slicer's own process, keeping the window alive between steps."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mtann.errors import CancelledError, MTANNError
from mtann.progress import Progress

from .Jobs import Job, Listener, Taught
from .Library import libraryModule
from .Presenters.RunPresenter import ComputeDevice, Failure
from .Translation import _


class LocalRunner:
    """A :class:`~.Jobs.Runner` without a process of its own.

    Args:
        breathe: Called between steps, so that the window is drawn and buttons can be pressed.
    """

    def __init__(self, breathe: Callable[[], None]) -> None:
        self._breathe = breathe
        self._stop = False
        self._folder: Path | None = None

    def submit(self, job: Job, listener: Listener) -> None:
        """Do the job; returns when it is done."""
        self._stop = False

        def progress(step: Progress) -> None:
            listener.progressed(step)
            self._breathe()

        try:
            outcome = self._do(job, progress)
        except CancelledError:
            listener.cancelled()
        except MTANNError as error:
            listener.failed(Failure(str(error)))
        except MemoryError:
            listener.failed(
                Failure(_("Memory ran out."), _("Close other programs, or search a smaller image or fewer channels."))
            )
        except Exception as error:  # noqa: BLE001 - PythonQt drops what a slot raises, and the user would see nothing.
            listener.failed(
                Failure(
                    _("Something unexpected went wrong ({kind}: {error}).").format(
                        kind=type(error).__name__, error=error
                    ),
                    _("Please report it to the developers with Slicer's error log (menu Help)."),
                )
            )
        else:
            listener.finished(outcome)

    def cancel(self) -> None:
        """Stop at the next step."""
        self._stop = True

    def devices(self) -> tuple[ComputeDevice, ...]:
        """Nothing: asking torch would load it into Slicer."""
        return ()

    def close(self) -> None:
        """Stop, and delete a model that was neither kept nor discarded."""
        self._stop = True
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _do(self, job: Job, progress: Callable[[Progress], None]) -> Any:
        common: dict[str, Any] = {"device": job.device, "progress": progress, "cancelled": lambda: self._stop}
        if job.kind == "detect":
            return libraryModule("mtann.pipeline").detect(
                dict(job.volumes),
                job.model,
                mask=job.mask,
                threshold=job.threshold,
                operating_point=job.operatingPoint,
                **common,
            )
        if job.kind == "segment":
            return libraryModule("mtann.segmentation").segment(dict(job.volumes), job.model, mask=job.mask, **common)
        return self._teach(job, common)

    def _teach(self, job: Job, common: dict[str, Any]) -> Taught:
        self.close()
        self._stop = False
        self._folder = Path(tempfile.mkdtemp(prefix="mtann-taught-"))
        output = self._folder / "model"
        if job.kind == "retrain":
            bundle = libraryModule("mtann.retrain").retrain(
                job.model, job.cases, name=job.name or None, output=output, **common
            )
            return Taught(output, tuple(bundle.card.notes[-1:]))
        told: list[Any] = []
        bundle = libraryModule("mtann.teach").train(
            job.cases, name=job.name, channels=job.channels, output=output, told=told.append, **common
        )
        curve = told[0].froc
        return Taught(
            output,
            (told[0].summary, *bundle.card.notes),
            tuple(curve.fp_per_case.tolist()),
            tuple(curve.sensitivity.tolist()),
            told[0].seen,
        )
