"""Small files that are whole or not there."""

import json
import secrets
from pathlib import Path
from typing import Any

from mtann.errors import OutputError


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Write a document in place of the former one.

    Raises:
        OutputError: The disk is full or cannot be written.
    """
    work = path.with_name(f".{path.name}.partial-{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        work.write_text(text, encoding="utf-8", newline="\n")
        work.replace(path)
    except OSError as error:
        work.unlink(missing_ok=True)
        raise OutputError(
            f"'{path}' cannot be written ({error.strerror or error}). Free space or check permissions, and run again."
        ) from error


def read_json(path: Path) -> dict[str, Any]:
    """A document that :func:`write_json` wrote; empty if there is none or it is damaged, as a half-done one is done."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}
