"""Writes what MTANN and U-Net found together in one folder: all files or none."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtann.detection.uncertainty import Uncertainty
from mtann.explanation.explanation import Explanation
from mtann.output_folder import FolderKind, replace_folder
from mtann.report.documents import csv_text
from mtann.report.save import RESULT_FOLDER, save_result
from mtann.segmentation.files import PICTURE_FILE, REPORT_FILE, SEGMENTATION_FOLDER, save_segmentation
from mtann.unets.two_stage import TwoStageResult
from mtann.volume import Volume

PROPOSALS_FILE = "proposals.csv"
_OTHER_NAMES = {PICTURE_FILE: "segmentation.png", REPORT_FILE: "segmentation.html"}
"""Of the segmentation's files that are called as the detection's are."""
TWO_STAGE_FOLDER = FolderKind(
    "detection result",
    RESULT_FOLDER.marker,
    RESULT_FOLDER.marker_keys,
    (*RESULT_FOLDER.patterns, *SEGMENTATION_FOLDER.patterns, *_OTHER_NAMES.values(), PROPOSALS_FILE),
)
"""The files of a detection (of the findings) and of a segmentation, and a table of the proposals."""


def save_two_stage(
    result: TwoStageResult,
    image: Volume,
    directory: Path | str,
    intended_use: str = "",
    *,
    explanation: Explanation | None = None,
    uncertainty: Uncertainty | None = None,
    asked: Mapping[str, Any] | None = None,
) -> None:
    """Write findings, segmentation and proposals; a former result in the same place is replaced.

    Args:
        result: What was found.
        image: The MTANN's first channel, for the picture.
        directory: Folder to write; missing parents are made.
        intended_use: What the models are meant for.
        explanation: Why findings have their scores.
        uncertainty: How sure the MTANN is of the findings.
        asked: What the result answers, kept in ``segmentation.json``.

    Raises:
        OutputError: The folder is not a former result, cannot be written, or the disk is full; nothing is changed then.
    """
    with replace_folder(directory, TWO_STAGE_FOLDER) as work:
        save_result(result.findings, image, work / "findings", intended_use, explanation, uncertainty)
        save_segmentation(result.segmentation, image, work / "segmentation", intended_use, {"asked": dict(asked or {})})
        for part in (work / "findings", work / "segmentation"):
            for path in part.iterdir():
                path.rename(work / (path.name if part.name == "findings" else _OTHER_NAMES.get(path.name, path.name)))
            shutil.rmtree(part)
        (work / PROPOSALS_FILE).write_text(csv_text(result.proposals), encoding="utf-8", newline="\n")
