"""``mtann segment``: outline whole lesions with a model that was taught on outlines."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from mtann.backends.computation import choose_for_mtann
from mtann.commands.console import Console
from mtann.commands.inputs import add_images, read_channels
from mtann.commands.options import add_backend, add_common, add_device
from mtann.models.catalogue import open_model
from mtann.output_folder import FolderKind, check_output, recover_folder, replace_folder
from mtann.segmentation import resolve_segmentation, segment
from mtann.volume_io import read_volume, write_volume

_MAP_FILE, _DOCUMENT_FILE = "segmentation.nii.gz", "segmentation.json"
SEGMENTATION_FOLDER = FolderKind(
    "segmentation",
    _DOCUMENT_FILE,
    ("schema_version", "model", "threshold", "volume_mm3"),
    (_MAP_FILE, _DOCUMENT_FILE),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    add_images(parser)
    parser.add_argument("--model", required=True, help="folder of a model bundle, or the name of a bundled model")
    parser.add_argument(
        "--output",
        required=True,
        type=Path,
        metavar="DIR",
        help="folder for the result; a former segmentation there is replaced",
    )
    parser.add_argument("--mask", type=Path, metavar="IMAGE", help="where to look: non-zero voxels")
    parser.add_argument(
        "--threshold", type=float, metavar="X", help="least likelihood of a lesion's voxels (default: the model's)"
    )
    add_device(parser)
    add_backend(parser)
    add_common(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command; returns the exit code."""
    recover_folder(arguments.output, SEGMENTATION_FOLDER)
    check_output(arguments.output, SEGMENTATION_FOLDER)
    bundle = open_model(arguments.model)
    chosen = resolve_segmentation(bundle.card, arguments.threshold)
    volumes = read_channels(arguments, bundle.card, console)
    mask = read_volume(arguments.mask, arguments.series) if arguments.mask else None
    warnings: list[str] = []
    label_map = segment(
        volumes,
        bundle,
        mask=mask,
        threshold=arguments.threshold,
        device=arguments.device,
        backend=arguments.backend,
        precision=arguments.precision,
        warn=warnings.append,
        progress=console.progress,
    )
    for warning in warnings:
        console.warn(warning)
    document: dict[str, Any] = {
        "schema_version": 1,
        "model": {"name": bundle.card.name, "version": bundle.card.version, "sha256": bundle.sha256},
        "inputs": {name: volume.sha256 for name, volume in volumes.items()},
        "mask": mask.sha256 if mask else None,
        "computation": asdict(choose_for_mtann(arguments.device, arguments.backend, arguments.precision)),
        "threshold": chosen.value,
        "threshold_origin": chosen.origin,
        "labels": {"1": bundle.card.class_name},
        "volume_mm3": float(np.count_nonzero(label_map.array) * label_map.geometry.voxel_volume_mm3),
        "warnings": warnings,
        "research_use_notice": bundle.card.intended_use,
    }
    with replace_folder(arguments.output, SEGMENTATION_FOLDER) as work:
        write_volume(label_map, work / _MAP_FILE)
        text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        (work / _DOCUMENT_FILE).write_text(text, encoding="utf-8", newline="\n")
    console.say(
        f"{bundle.card.class_name}: {document['volume_mm3']:.0f} mm3 at likelihoods from {chosen.value:.2f} "
        f"({chosen.origin})."
    )
    console.say(f"Written to {arguments.output}. Research software; review every result.")
    console.finish({"output": str(arguments.output), **document})
    return 0
