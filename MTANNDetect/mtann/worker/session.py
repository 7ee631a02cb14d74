"""What the worker keeps between jobs."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mtann.models.bundle import ModelBundle

_MOST_MODELS = 3


class Session:
    """Models that were used lately, checked and in memory.

    Args:
        folder: The exchange folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._models: dict[tuple[str, int, int], ModelBundle[Any]] = {}

    def model(self, name: str) -> "ModelBundle[Any] | Path":
        """The bundle of a model's name or folder, read anew only if its files have changed.

        A folder that holds no bundle is handed on as it is: the library says what to do with it.

        Raises:
            ModelError: There is no such model, or it is damaged.
        """
        # Loaded here, so that the worker starts, and says what is missing, where packages are not installed yet.
        from mtann.models.bundle import CARD_FILE, WEIGHTS_FILE, load_bundle
        from mtann.models.catalogue import locate_model

        directory = locate_model(name).resolve()
        card, weights = directory / CARD_FILE, directory / WEIGHTS_FILE
        if not card.is_file() or not weights.is_file():
            return directory
        key = (str(directory), card.stat().st_mtime_ns, weights.stat().st_mtime_ns)
        bundle = self._models.pop(key, None) or load_bundle(directory)
        self._models[key] = bundle
        while len(self._models) > _MOST_MODELS:
            del self._models[next(iter(self._models))]
        return bundle
