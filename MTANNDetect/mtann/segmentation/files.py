"""Writes a segmentation in one folder: all files or none."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from mtann.output_folder import FolderKind, replace_folder
from mtann.report.page import save_png
from mtann.segmentation.measures import LabelMeasures, measure_labels
from mtann.segmentation.page import segmentation_html
from mtann.segmentation.picture import segmentation_figure
from mtann.segmentation.regions_file import write_regions
from mtann.segmentation.result import Segmentation, SegmentationUncertainty
from mtann.volume import Volume
from mtann.volume_io import write_volume

MAP_FILE, REGIONS_FILE, DOCUMENT_FILE = "segmentation.nii.gz", "segmentation.seg.nrrd", "segmentation.json"
PICTURE_FILE, REPORT_FILE = "overlay.png", "report.html"
VARIANCE_FILE, ENTROPY_FILE, UNCERTAINTY_FILE = "variance.nii.gz", "entropy.nii.gz", "uncertainty.json"
SEGMENTATION_FOLDER = FolderKind(
    "segmentation",
    DOCUMENT_FILE,
    ("schema_version", "model", "labels", "volume_mm3"),
    (
        MAP_FILE,
        REGIONS_FILE,
        DOCUMENT_FILE,
        PICTURE_FILE,
        REPORT_FILE,
        "probability_*.nii.gz",
        VARIANCE_FILE,
        ENTROPY_FILE,
        UNCERTAINTY_FILE,
    ),
)


def segmentation_document(
    result: Segmentation, research_use_notice: str, measured: Sequence[LabelMeasures] | None = None
) -> dict[str, Any]:
    """The content of ``segmentation.json``.

    Args:
        result: What was found.
        research_use_notice: What the model is meant for.
        measured: What :func:`measure_labels` said of it, if it was asked before.
    """
    measured = measure_labels(result) if measured is None else measured
    inside = np.count_nonzero(result.label_map.array) * result.label_map.geometry.voxel_volume_mm3
    overlapping = any(label.mask is not None for label in result.labels)
    document: dict[str, Any] = {
        "schema_version": 1,
        "model": {"name": result.model.name, "version": result.model.version, "sha256": result.model.sha256},
        "inputs": {entry.channel: entry.sha256 for entry in result.inputs if entry.channel != "mask"},
        "mask": next((entry.sha256 for entry in result.inputs if entry.channel == "mask"), None),
        "settings": result.settings.model_dump(mode="json"),
        "threshold": result.settings.threshold,
        "threshold_origin": result.origin,
        "computation": result.computation,
        "patches": None if result.patches is None else {"run": result.patches[0], "all": result.patches[1]},
        "labels": {
            ",".join(map(str, label.values)) if overlapping else str(label.values[0]): label.name
            for label in result.labels
        },
        "volume_mm3": float(inside),
        "volumes_mm3": {label.name: label.volume_mm3 for label in result.labels},
        "components": {label.label.name: label.components for label in measured},
        "boxes": None if result.boxes is None else [[list(ends) for ends in box] for box in result.boxes],
        "warnings": list(result.warnings),
        "research_use_notice": research_use_notice,
    }
    return document


def save_segmentation(
    result: Segmentation,
    image: Volume,
    directory: Path | str,
    research_use_notice: str,
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write label map, regions, probabilities, picture, report and document; a former segmentation there is replaced.

    Args:
        result: What was segmented.
        image: The first channel, for the picture.
        directory: Folder to write; missing parents are made.
        research_use_notice: What the model is meant for.
        more: Further entries of the document, such as what was asked for.

    Returns:
        The content of ``segmentation.json``.

    Raises:
        OutputError: The folder is not a former segmentation, cannot be written, or the disk is full.
    """
    measured = measure_labels(result)
    document = {**segmentation_document(result, research_use_notice, measured), **(more or {})}
    with replace_folder(directory, SEGMENTATION_FOLDER) as work:
        write_volume(result.label_map, work / MAP_FILE)
        if any(label.mask is not None for label in result.labels):
            write_regions(result.labels, work / REGIONS_FILE)
        for number, volume in enumerate(result.probabilities):
            name = re.sub(r"[^A-Za-z0-9-]+", "_", volume.name.rpartition(" of ")[2]).strip("_")
            write_volume(volume, work / f"probability_{number}_{name}.nii.gz")
        if result.uncertainty is not None:
            _write_uncertainty(result.uncertainty, work)
        save_png(segmentation_figure(image, result, measured), work / PICTURE_FILE)
        page = segmentation_html(result, measured, (work / PICTURE_FILE).read_bytes(), document)
        (work / REPORT_FILE).write_text(page, encoding="utf-8", newline="\n")
        _write_json(document, work / DOCUMENT_FILE)
    return document


def _write_uncertainty(uncertainty: SegmentationUncertainty, work: Path) -> None:
    write_volume(uncertainty.variance, work / VARIANCE_FILE)
    write_volume(uncertainty.entropy, work / ENTROPY_FILE)
    components = [asdict(one) for one in uncertainty.components]
    document = {"schema_version": 1, "evaluations": uncertainty.evaluations, "components": components}
    _write_json(document, work / UNCERTAINTY_FILE)


def _write_json(document: Mapping[str, Any], path: Path) -> None:
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")
