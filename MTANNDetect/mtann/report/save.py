"""Writes a whole result, and its explanation if there is one, in one folder: all files or none."""

from collections.abc import Sequence
from pathlib import Path

from mtann.detection.candidate import DetectionResult
from mtann.detection.uncertainty import Uncertainty
from mtann.explanation.explanation import Explanation
from mtann.output_folder import FolderKind, replace_folder
from mtann.report.documents import csv_text, json_text, result_document, uncertainty_document
from mtann.report.explanation import (
    ExplainedCandidate,
    explained_candidates,
    explanation_document,
    explanation_pictures,
    explanation_volumes,
)
from mtann.report.html import html_text
from mtann.report.picture import draw_overlay
from mtann.volume import Volume
from mtann.volume_io import write_volume

EXPLANATION_FILE, UNCERTAINTY_FILE = "explanation.json", "uncertainty.json"
RESULT_FOLDER = FolderKind(
    noun="detection result",
    marker="candidates.json",
    marker_keys=("schema_version", "research_use_notice", "candidates"),
    patterns=(
        "likelihood.nii.gz",
        "candidates.nii.gz",
        "candidates.json",
        "candidates.csv",
        "overlay.png",
        "report.html",
        EXPLANATION_FILE,
        "filters.png",
        "filters_expert_[1-9].png",
        "occlusion_[1-9]*.nii.gz",
        UNCERTAINTY_FILE,
        "variance.nii.gz",
        "entropy.nii.gz",
    ),
)
"""The folder of one case; what else lies in a folder is the user's, and protects it."""


def save_result(
    result: DetectionResult,
    image: Volume,
    directory: Path | str,
    intended_use: str = "",
    explanation: Explanation | None = None,
    uncertainty: Uncertainty | None = None,
) -> None:
    """Write a result's images, tables, picture and report; a former result in the same place is replaced.

    Call ``check_output(directory, RESULT_FOLDER)`` before computing, so that nobody waits for a refusal.

    Args:
        result: What was found.
        image: The first channel, for the picture.
        directory: Folder to write; missing parents are made.
        intended_use: What the model is meant for, for the report.
        explanation: Why candidates have their scores, for the report and as files of its own.
        uncertainty: How sure the model is, for the report and as files of its own.

    Raises:
        OutputError: The folder is not a former result, cannot be written, or the disk is full; nothing is changed then.
    """
    document = json_text(result_document(result))
    with replace_folder(directory, RESULT_FOLDER) as work:
        write_volume(result.likelihood, work / "likelihood.nii.gz")
        write_volume(result.candidate_map, work / "candidates.nii.gz")
        draw_overlay(image, result, work / "overlay.png")
        _write_text(work / "candidates.csv", csv_text(result))
        explained, filters = _write_explanation(explanation, result, image, work)
        page = html_text(result, (work / "overlay.png").read_bytes(), intended_use, explained, filters, uncertainty)
        if uncertainty is not None:
            write_volume(uncertainty.variance, work / "variance.nii.gz")
            write_volume(uncertainty.entropy, work / "entropy.nii.gz")
            _write_text(work / UNCERTAINTY_FILE, json_text(uncertainty_document(uncertainty)))
        _write_text(work / "report.html", page)
        _write_text(work / "candidates.json", document)


def _write_explanation(
    explanation: Explanation | None, result: DetectionResult, image: Volume, work: Path
) -> tuple[Sequence[ExplainedCandidate], Sequence[tuple[str, bytes]]]:
    """Write an explanation's own files; returns what the report shows of it."""
    if explanation is None:
        return (), ()
    for name, volume in explanation_volumes(explanation):
        write_volume(volume, work / name)
    pictures = list(explanation_pictures(explanation))
    for name, content in pictures:
        (work / name).write_bytes(content)
    _write_text(work / EXPLANATION_FILE, json_text(explanation_document(explanation)))
    return explained_candidates(explanation, result, image), pictures


def _write_text(path: Path, text: str) -> None:
    """UTF-8 with the same line ends on every system, so that equal results are equal files."""
    path.write_text(text, encoding="utf-8", newline="\n")
