"""Which models there are: bundled with the software, and the user's own."""

from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_data_path

from mtann.errors import ModelError
from mtann.models.bundle import CARD_FILE, ModelBundle, load_bundle

BUNDLED = Path(__file__).parent / "bundled"


@dataclass(frozen=True)
class Entry:
    """A model's name, place, and whether it came with the software."""

    name: str
    directory: Path
    bundled: bool


def user_models() -> Path:
    """The folder for the user's own models, by the platform's convention; it need not exist."""
    return user_data_path("MTANNDetect", appauthor=False) / "models"


def list_models() -> tuple[Entry, ...]:
    """All models, bundled ones first, by name."""
    entries = []
    for root, bundled in ((BUNDLED, True), (user_models(), False)):
        if root.is_dir():
            entries += [
                Entry(folder.name, folder, bundled)
                for folder in sorted(root.iterdir())
                if (folder / CARD_FILE).is_file()
            ]
    return tuple(entries)


def locate_model(name: Path | str) -> Path:
    """The folder of a model given by path, or by the name of a bundled model or one of the user's.

    Text that names a model means that model, even where a folder is called the same; ``./name`` means the folder.

    Raises:
        ModelError: There is no such model; the message lists the known ones.
    """
    entries = list_models()
    for entry in entries:
        if entry.name == name:
            return entry.directory
    if Path(name).is_dir():
        return Path(name)
    known = ", ".join(entry.name for entry in entries) or "none"
    raise ModelError(f"There is no model '{name}'. Give the folder of a model bundle, or one of: {known}.")


def open_model(model: ModelBundle | Path | str) -> ModelBundle:
    """A bundle, from itself, its path, or its name.

    Raises:
        ModelError: There is no such model, or it is damaged.
    """
    return model if isinstance(model, ModelBundle) else load_bundle(locate_model(model))
