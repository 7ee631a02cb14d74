"""Writes a segmentation in one folder: all files or none."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mtann.output_folder import FolderKind, replace_folder
from mtann.segmentation.regions_file import write_regions
from mtann.segmentation.result import Segmentation
from mtann.volume_io import write_volume

MAP_FILE, REGIONS_FILE, DOCUMENT_FILE = "segmentation.nii.gz", "segmentation.seg.nrrd", "segmentation.json"
SEGMENTATION_FOLDER = FolderKind(
    "segmentation",
    DOCUMENT_FILE,
    ("schema_version", "model", "labels", "volume_mm3"),
    (MAP_FILE, REGIONS_FILE, DOCUMENT_FILE, "probability_*.nii.gz"),
)


def segmentation_document(result: Segmentation, research_use_notice: str) -> dict[str, Any]:
    """The content of ``segmentation.json``."""
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
        "warnings": list(result.warnings),
        "research_use_notice": research_use_notice,
    }
    return document


def save_segmentation(
    result: Segmentation, directory: Path | str, research_use_notice: str, more: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Write label map, regions, probabilities and document; a former segmentation there is replaced.

    Args:
        result: What was segmented.
        directory: Folder to write; missing parents are made.
        research_use_notice: What the model is meant for.
        more: Further entries of the document, such as what was asked for.

    Returns:
        The content of ``segmentation.json``.

    Raises:
        OutputError: The folder is not a former segmentation, cannot be written, or the disk is full.
    """
    document = {**segmentation_document(result, research_use_notice), **(more or {})}
    with replace_folder(directory, SEGMENTATION_FOLDER) as work:
        write_volume(result.label_map, work / MAP_FILE)
        if any(label.mask is not None for label in result.labels):
            write_regions(result.labels, work / REGIONS_FILE)
        for number, volume in enumerate(result.probabilities):
            name = re.sub(r"[^A-Za-z0-9-]+", "_", volume.name.rpartition(" of ")[2]).strip("_")
            write_volume(volume, work / f"probability_{number}_{name}.nii.gz")
        text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        (work / DOCUMENT_FILE).write_text(text, encoding="utf-8", newline="\n")
    return document
