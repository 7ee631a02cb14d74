"""Detecting and training with nodes of the scene, from Slicer's Python console or from the panel."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer

from mtann.progress import CancelCheck, ProgressCallback

from .CaseNodes import TrainingNodes, VolumeNodes, imagesFromNodes, requireStillThere, trainingCaseFromNodes
from .LabelAdapter import SegmentedNodes, nodesFromSegmentation
from .LesionAdapter import lesionsFromNode
from .Library import libraryModule
from .Models import addFolder, availableModels, removeModel
from .Presenters.ModelsPresenter import ModelChoice
from .ResultAdapter import DetectionNodes, nodesFromResult
from .TwoStageLogic import TwoStageCalls

if TYPE_CHECKING:
    from mtann.models.bundle import ModelBundle
    from mtann.segmentation.result import SegmentationSettings
    from mtann.settings import DetectionSettings

__all__ = ["DetectLogic", "TrainingNodes", "trainingCaseFromNodes"]


class DetectLogic(TwoStageCalls):
    """Detects, filters and trains, within Slicer's own process: each call returns when everything is done.

    :class:`~.TwoStageLogic.TwoStageCalls` adds detecting and outlining with two models, and
    :class:`~.WorkerLogic.WorkerCalls` the calls that return at once and work in the background.
    """

    def models(self) -> tuple[ModelChoice, ...]:
        """The models to choose from: the bundled ones, the user's own, and folders that were added to the list."""
        return availableModels()

    def addModel(self, folder: Path | str) -> ModelChoice:
        """Put a folder with a model, a bundle or a trained nnU-Net v2 folder, on the list; nothing is copied.

        Raises:
            ModelError: The folder holds no model that can be used.
        """
        return addFolder(Path(folder))

    def removeModel(self, model: ModelChoice) -> None:
        """Delete one of the user's own models, or take an added folder off the list.

        Raises:
            ModelError: The model came with the software, or cannot be deleted.
        """
        removeModel(model)

    def detect(
        self,
        volumeNodes: VolumeNodes,
        model: "ModelBundle | Path | str",
        *,
        mask: slicer.vtkMRMLNode | None = None,
        threshold: float | None = None,
        operatingPoint: str = "balanced",
        settings: "DetectionSettings | None" = None,
        device: str = "auto",
        progress: ProgressCallback | None = None,
        cancelled: CancelCheck | None = None,
    ) -> DetectionNodes:
        """Find lesions in one patient's images and add the result to the scene.

        For example, in the Python console::

            from MTANNDetect import MTANNDetectLogic
            found = MTANNDetectLogic().detect(slicer.util.getNode("head"), model="head-phantom-t1c")
            for candidate in found.result.reported:
                print(candidate.id, candidate.score, candidate.volume_mm3)

        Parent transforms are respected: images are scanned as the slice views show them to lie, and the new nodes stand
        under the first image's parent transform, within its study in the subject hierarchy.

        Args:
            volumeNodes: One volume node, several in the model's channel order, or several by channel name.
            model: Name of a model (see :meth:`models`), the folder of a model bundle, or a bundle.
            mask: Label map or segmentation node; only inside it is looked.
            threshold: Score from which candidates are reported; that of the operating point if None.
            operatingPoint: Which of the model's thresholds to use; ``mtann models info`` lists them.
            settings: How candidates are found; the model's own settings if None.
            device: "auto", "cpu", "cuda", "mps" or "xpu".
            progress: Called with a :class:`mtann.progress.Progress` (stage, fraction, message).
            cancelled: Asked often whether to stop; when it answers True, nothing is added to the scene.

        Returns:
            The new nodes, the library's result, and what the reader must know (``warnings``).

        Raises:
            MTANNError: Something about the input, the model or a setting must be mended; the message says what.
            CancelledError: ``cancelled`` answered True.
        """
        pipeline = libraryModule("mtann.pipeline")
        images = imagesFromNodes(volumeNodes, mask)
        result = pipeline.detect(
            images.volumes,
            model,
            settings,
            mask=images.mask,
            threshold=threshold,
            operating_point=operatingPoint,
            device=device,
            progress=progress,
            cancelled=cancelled,
        )
        requireStillThere(images.node)
        return nodesFromResult(result, images.node)

    def filter(
        self,
        volumeNodes: VolumeNodes,
        candidatesNode: slicer.vtkMRMLNode,
        model: "ModelBundle | Path | str",
        *,
        keepInstances: bool = False,
        mask: slicer.vtkMRMLNode | None = None,
        threshold: float | None = None,
        operatingPoint: str = "balanced",
        device: str = "auto",
        progress: ProgressCallback | None = None,
        cancelled: CancelCheck | None = None,
    ) -> DetectionNodes:
        """Score any detector's candidates in one patient's images anew and add the result to the scene; all are kept.

        For example, in the Python console::

            marks = slicer.util.getNode("marks")
            found = MTANNDetectLogic().filter(slicer.util.getNode("head"), marks, model="head-phantom-t1c")
            for candidate in found.result.candidates:
                print(candidate.given_id, candidate.score, candidate.reported)

        Args:
            volumeNodes: As for :meth:`detect`.
            candidatesNode: A point list (one point a candidate), a label map, or a segmentation. In the result
                ``given_id`` counts its candidates from 1.
            model: As for :meth:`detect`; best one that was taught for the task "classification".
            keepInstances: Whether each label value or segment is one candidate; else each connected part is one.
            mask: Label map or segmentation node that shows where tissue is.
            threshold: As for :meth:`detect`.
            operatingPoint: As for :meth:`detect`.
            device: As for :meth:`detect`.
            progress: As for :meth:`detect`.
            cancelled: As for :meth:`detect`.

        Raises:
            MTANNError: Something about the input, the model or a setting must be mended; the message says what.
            CancelledError: ``cancelled`` answered True.
        """
        filtering = libraryModule("mtann.filtering")
        images = imagesFromNodes(volumeNodes, mask)
        places = lesionsFromNode(candidatesNode, images.node, images.geometry, keepInstances)
        result = filtering.filter_candidates(
            images.volumes,
            model,
            libraryModule("mtann.detection.given").given_from(places),
            mask=images.mask,
            threshold=threshold,
            operating_point=operatingPoint,
            source=candidatesNode.GetName(),
            device=device,
            progress=progress,
            cancelled=cancelled,
        )
        requireStillThere(images.node)
        return nodesFromResult(result, images.node)

    def segment(
        self,
        volumeNodes: VolumeNodes,
        model: "ModelBundle | Path | str",
        *,
        around: slicer.vtkMRMLNode | None = None,
        mask: slicer.vtkMRMLNode | None = None,
        settings: "SegmentationSettings | None" = None,
        progress: ProgressCallback | None = None,
        cancelled: CancelCheck | None = None,
    ) -> SegmentedNodes:
        """Segment one patient's images and add a segmentation node with one segment a label to the scene.

        For example, in the Python console, with a model folder of nnU-Net v2::

            nodes = [slicer.util.getNode(name) for name in ("FLAIR", "T1")]
            found = MTANNDetectLogic().segment(nodes, model="/path/nnUNetTrainer__nnUNetPlans__3d_fullres")
            for label in found.result.labels:
                print(label.name, label.volume_mm3)

        Regions that overlap give overlapping segments. Names that are known, such as "enhancing tumor" or "liver", get
        their standard terminology and colour.

        Args:
            volumeNodes: As for :meth:`detect`.
            model: Name or folder of a model that segments, a model folder of nnU-Net v2, or a bundle.
            around: Point list, label map or segmentation: only about these places a U-Net segments, which takes less
                time; everywhere else the result is empty.
            mask: Label map or segmentation node within which an MTANN looks.
            settings: Folds, mirroring, overlap, backend and so on; the defaults if None.
            progress: As for :meth:`detect`.
            cancelled: As for :meth:`detect`.

        Raises:
            MTANNError: Something about the input, the model or a setting must be mended; the message says what.
            CancelledError: ``cancelled`` answered True.
        """
        images = imagesFromNodes(volumeNodes, mask)
        result = libraryModule("mtann.segmentation.segment").segment(
            images.volumes,
            model,
            settings,
            mask=images.mask,
            around=None if around is None else lesionsFromNode(around, images.node, images.geometry),
            progress=progress,
            cancelled=cancelled,
        )
        requireStillThere(images.node)
        return nodesFromSegmentation(result, images.node)

    def train(
        self,
        cases: Sequence[TrainingNodes],
        *,
        name: str = "my-model",
        channels: Sequence[str] = (),
        output: Path | str | None = None,
        device: str = "auto",
        progress: ProgressCallback | None = None,
        cancelled: CancelCheck | None = None,
        **settings: Any,
    ) -> "ModelBundle":
        """Teach a model from images and lesions in the scene.

        For example, in the Python console::

            from MTANNDetect import MTANNDetectLogic
            from MTANNDetectLib.Logic import TrainingNodes
            cases = [
                TrainingNodes(slicer.util.getNode("FLAIR 1"), slicer.util.getNode("lesions 1"), patient="1"),
                TrainingNodes(slicer.util.getNode("FLAIR 2"), slicer.util.getNode("lesions 2"), patient="2"),
            ]
            bundle = MTANNDetectLogic().train(cases, name="ms-flair", channels=["flair"], output="/path/ms-flair")

        Args:
            cases: What to learn from. Lesions may be points, label maps or segmentations, under any parent transform.
            name: Name of the model.
            channels: Channel names, in the order of each case's images.
            output: Folder to write the model bundle into; not written if None.
            device: "auto", "cpu", "cuda", "mps" or "xpu".
            progress: Called with a :class:`mtann.progress.Progress` (stage, fraction, message).
            cancelled: Asked often whether to stop; when it answers True, nothing is written.
            settings: Handed on to :func:`mtann.teach.train`: ``network``, ``training``, ``detection``, ``class_name``,
                ``preprocessing``.

        Raises:
            MTANNError: Something about a case or a setting must be mended; the message says what.
            CancelledError: ``cancelled`` answered True.
        """
        teach = libraryModule("mtann.teach")
        trainingCases = [trainingCaseFromNodes(case) for case in cases]
        return teach.train(
            trainingCases,
            name=name,
            channels=tuple(channels),
            output=output,
            device=device,
            progress=progress,
            cancelled=cancelled,
            **settings,
        )
