"""The logic's calls that detect with an MTANN and outline with a U-Net."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer

from mtann.progress import CancelCheck, ProgressCallback

from .CaseNodes import VolumeNodes, imagesFromNodes, requireStillThere
from .Library import libraryModule
from .TwoStageAdapter import TwoStageNodes, nodesFromTwoStage
from .WorkerJob import Job
from .WorkerLogic import JobCallback, WorkerCalls

if TYPE_CHECKING:
    from mtann.models.bundle import ModelBundle
    from mtann.settings import DetectionSettings


class TwoStageCalls(WorkerCalls):
    """What :class:`~.Logic.DetectLogic` can do with two models."""

    def detectThenSegment(
        self,
        volumeNodes: VolumeNodes,
        model: "ModelBundle | Path | str",
        unet: "ModelBundle | Path | str",
        *,
        mask: slicer.vtkMRMLNode | None = None,
        threshold: float | None = None,
        operatingPoint: str = "balanced",
        settings: "DetectionSettings | None" = None,
        device: str = "auto",
        progress: ProgressCallback | None = None,
        cancelled: CancelCheck | None = None,
    ) -> TwoStageNodes:
        """Propose with an MTANN, outline with a U-Net, score the outlines with the MTANN, and add it all to the scene.

        Args:
            volumeNodes: As for :meth:`detect`; by channel name where the models take different images.
            model: The MTANN, as for :meth:`detect`.
            unet: The U-Net, as for :meth:`segment`.
            mask: As for :meth:`detect`.
            threshold: As for :meth:`detect`.
            operatingPoint: As for :meth:`detect`.
            settings: As for :meth:`detect`.
            device: As for :meth:`detect`.
            progress: As for :meth:`detect`.
            cancelled: As for :meth:`detect`.

        Returns:
            ``findings``, as :meth:`detect` gives them; ``segmented``, whose segmentation node has a segment a label.

        Raises:
            MTANNError: Something about the input, a model or a setting must be mended; the message says what.
            CancelledError: ``cancelled`` answered True.
        """
        images = imagesFromNodes(volumeNodes, mask)
        result = libraryModule("mtann.unets.two_stage").detect_then_segment(
            images.volumes,
            model,
            unet,
            settings,
            mask=images.mask,
            threshold=threshold,
            operating_point=operatingPoint,
            device=device,
            progress=progress,
            cancelled=cancelled,
        )
        requireStillThere(images.node)
        return nodesFromTwoStage(result, images.node)

    def detectThenSegmentInWorker(
        self,
        volumeNodes: VolumeNodes,
        model: Path | str,
        unet: Path | str,
        *,
        mask: slicer.vtkMRMLNode | None = None,
        threshold: float | None = None,
        operatingPoint: str = "balanced",
        settings: Any = None,
        device: str = "auto",
        onProgress: JobCallback | None = None,
        onDone: JobCallback | None = None,
    ) -> Job:
        """Propose and outline in the background: see :meth:`detectThenSegment`, whose result is the job's.

        Raises:
            MTANNError: A node cannot be used; whatever is wrong later is told by the job.
        """
        images = imagesFromNodes(volumeNodes, mask)
        arguments = {
            "volumes": images.volumes,
            "model": model,
            "unet": unet,
            "settings": settings,
            "mask": images.mask,
            "threshold": threshold,
            "operating_point": operatingPoint,
            "device": device,
        }
        return self._submitForNodes("then_segment", arguments, images.node, onProgress, onDone, nodesFromTwoStage)
