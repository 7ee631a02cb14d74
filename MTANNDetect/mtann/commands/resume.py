"""Whether a case of a list is already done: the same images and other inputs, model, settings and threshold."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtann.cases import CaseFiles
from mtann.models.bundle import ModelBundle
from mtann.report.save import EXPLANATION_FILE, RESULT_FOLDER, UNCERTAINTY_FILE
from mtann.settings import DetectionSettings, ExplanationSettings
from mtann.volume_io import hash_file, read_volume

Request = dict[str, Any]


def request_of(
    bundle: ModelBundle,
    settings: DetectionSettings,
    case: CaseFiles,
    threshold: float,
    series: str | None,
    more_inputs: Mapping[str, str],
) -> Request:
    """What a result must agree with to count as done; images are compared by content, more inputs by their hashes."""
    inputs = {**more_inputs, **{name: image_hash(path, series) for name, path in case.channels.items()}}
    if case.mask:
        inputs["mask"] = image_hash(case.mask, series)
    return {
        "model": bundle.sha256,
        "inputs": inputs,
        "settings": settings.model_dump(mode="json"),
        "threshold": threshold,
    }


def is_done(directory: Path, request: Request, how: ExplanationSettings | None = None, unsure: bool = False) -> bool:
    """Whether the folder holds the complete result of this request, with its explanation and uncertainty if asked for.

    A folder is complete if it is there at all.
    """
    try:
        document = json.loads((directory / RESULT_FOLDER.marker).read_text(encoding="utf-8"))
        found = {
            "model": document["model"]["sha256"],
            "inputs": {entry["channel"]: entry["sha256"] for entry in document["inputs"]},
            "settings": document["settings"],
            "threshold": document["threshold"],
        }
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return bool(found == request) and has_extras(directory, how, unsure)


def has_extras(directory: Path, how: ExplanationSettings | None, unsure: bool) -> bool:
    """Whether the result in a folder is explained as asked, and its uncertainty measured if asked."""
    if unsure and not (directory / UNCERTAINTY_FILE).is_file():
        return False
    return how is None or bool(_explained(directory) == how.model_dump(mode="json"))


def _explained(directory: Path) -> Any:
    """How the result in a folder was explained; None if it was not."""
    try:
        return json.loads((directory / EXPLANATION_FILE).read_text(encoding="utf-8"))["settings"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def image_hash(path: Path, series: str | None) -> str:
    """The hash that an image read from a path carries; empty where there is none."""
    return read_volume(path, series).sha256 if path.is_dir() else hash_file(path) if path.exists() else ""
