"""How fast runs went on this machine, kept from session to session, so that the next one's time can be told."""

import json
import math
import os
from collections.abc import Iterator, MutableMapping
from contextlib import suppress
from pathlib import Path

_FILE = "speeds.json"


class Speeds(MutableMapping[str, float]):
    """Seconds by key, in a small file; where that cannot be read or written, for this session alone.

    Args:
        file: The file; by default in the platform's folder for caches, once the package that knows it is installed.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = _defaultFile() if file is None else file
        self._known = {} if self._file is None else _read(self._file)

    def __getitem__(self, key: str) -> float:
        return self._known[key]

    def __setitem__(self, key: str, value: float) -> None:
        self._known[key] = value
        self._write()

    def __delitem__(self, key: str) -> None:
        del self._known[key]
        self._write()

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def _write(self) -> None:
        if self._file is None:
            return
        partial = self._file.with_name(f"{self._file.name}.{os.getpid()}")
        with suppress(OSError):  # A speed that is not kept is measured again.
            self._file.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(json.dumps(self._known, indent=1, sort_keys=True), encoding="utf-8")
            partial.replace(self._file)


def _defaultFile() -> Path | None:
    try:
        from platformdirs import user_cache_path
    except ImportError:
        return None
    return Path(user_cache_path("MTANNDetect", appauthor=False)) / _FILE


def _read(file: Path) -> dict[str, float]:
    """What the file holds; whatever in it is no speed is left out."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {key: float(value) for key, value in found.items() if _isSpeed(value)}


def _isSpeed(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value > 0
