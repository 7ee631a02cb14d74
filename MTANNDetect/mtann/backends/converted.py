"""Networks converted for OpenVINO, kept in the user's cache folder: converting a large one takes seconds.

They hold a model's structure and weights, and nothing of any image.
"""

import hashlib
import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from mtann.optional import require

_MOST_KEPT = 12
_PARTS = (".xml", ".bin")


def cache_folder() -> Path:
    """The folder, by the platform's convention; it need not exist, and can be deleted at any time."""
    return user_cache_path("MTANNDetect", appauthor=False) / "openvino"


def load_converted(core: Any, key: str) -> Any | None:
    """The network that was kept under a key, or None where there is none or it is damaged."""
    folder = cache_folder() / key
    try:
        known = json.loads((folder / "sha256.json").read_text(encoding="utf-8"))
        if any(_sha256(folder / f"network{part}") != known[part] for part in _PARTS):
            return None
        os.utime(folder)
        return core.read_model(folder / "network.xml", folder / "network.bin")
    except (OSError, ValueError, KeyError, TypeError, RuntimeError):
        return None


def save_converted(model: Any, key: str) -> None:
    """Keep a network under a key; where the folder cannot be written, it is converted anew the next time."""
    openvino = require("openvino", "Keeping a converted network")
    with suppress(OSError, RuntimeError):
        root = cache_folder()
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root, prefix=".new-", ignore_cleanup_errors=True) as made:
            folder = Path(made) / key
            folder.mkdir()
            openvino.save_model(model, folder / "network.xml", compress_to_fp16=False)
            sums = {part: _sha256(folder / f"network{part}") for part in _PARTS}
            (folder / "sha256.json").write_text(json.dumps(sums), encoding="utf-8")
            _remove(root / key)
            folder.replace(root / key)
        kept = [one for one in root.iterdir() if not one.name.startswith(".")]
        for old in sorted(kept, key=lambda one: one.stat().st_mtime)[:-_MOST_KEPT]:
            _remove(old)


def _remove(folder: Path) -> None:
    for name in ("sha256.json", *(f"network{part}" for part in _PARTS)):
        (folder / name).unlink(missing_ok=True)
    if folder.exists():
        folder.rmdir()


def _sha256(path: Path) -> str:
    content = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            content.update(part)
    return content.hexdigest()
