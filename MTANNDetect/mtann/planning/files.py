"""The folder of a plan: ``plan.json`` and ``fingerprint.json``, laid out to be read."""

import json
from pathlib import Path
from typing import Any

from mtann.output_folder import FolderKind, replace_folder
from mtann.planning.fingerprint import Fingerprint
from mtann.planning.plan import Plan

PLAN_FILE, FINGERPRINT_FILE = "plan.json", "fingerprint.json"
PLAN_FOLDER = FolderKind(
    noun="plan",
    marker=PLAN_FILE,
    marker_keys=("schema_version", "channels", "configurations"),
    patterns=(PLAN_FILE, FINGERPRINT_FILE),
)

_WIDTH = 110


def save_plan(plan: Plan, fingerprint: Fingerprint, directory: Path | str) -> None:
    """Write a plan's folder, in place of a former one.

    Raises:
        OutputError: The place holds something else, or cannot be written.
    """
    document = plan.model_dump(mode="json")
    # The reasons stand before the numbers that they explain.
    first = {key: document.pop(key) for key in ("schema_version", "name", "reasons")}
    with replace_folder(directory, PLAN_FOLDER) as work:
        (work / PLAN_FILE).write_text(readable({**first, **document}) + "\n", encoding="utf-8")
        measured = readable(fingerprint.model_dump(mode="json"))
        (work / FINGERPRINT_FILE).write_text(measured + "\n", encoding="utf-8")


def readable(value: Any, indent: int = 0) -> str:
    """JSON in which whatever fits stands on one line."""
    line = json.dumps(value, ensure_ascii=False)
    if len(line) + indent <= _WIDTH or not isinstance(value, dict | list):
        return line
    space = " " * (indent + 2)
    if isinstance(value, dict):
        parts = [f"{json.dumps(key, ensure_ascii=False)}: {readable(part, indent + 2)}" for key, part in value.items()]
        opening, closing = "{", "}"
    else:
        parts = [readable(part, indent + 2) for part in value]
        opening, closing = "[", "]"
    return opening + "\n" + ",\n".join(space + part for part in parts) + "\n" + " " * indent + closing
