"""Which models there are: bundled with the software, and the user's own."""

from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_data_path

from mtann.errors import ModelError
from mtann.models.bundle import CARD_FILE, C, ModelBundle, load_bundle
from mtann.models.card import ModelCard

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
    """A bundle that finds lesions, from itself, its path, or its name.

    Raises:
        ModelError: There is no such model, it is damaged, or it is of another kind.
    """
    return open_bundle(model, ModelCard)


def open_bundle(model: ModelBundle[C] | Path | str, kind: type[C]) -> ModelBundle[C]:
    """A bundle with a card of some kind, from itself, its path, or its name.

    Raises:
        ModelError: There is no such model, it is damaged, or it is of another kind.
    """
    bundle = model if isinstance(model, ModelBundle) else load_bundle(locate_model(model))
    card = bundle.card
    if not isinstance(card, kind):
        wanted = kind.model_fields["kind"].default
        raise ModelError(
            f"Model '{card.name}' is of kind '{card.kind}' ({card.purpose}); here, one of kind '{wanted}' is needed. "
            f"Use it with 'mtann {card.command}', or give another model."
        )
    return ModelBundle(card, bundle.weights, bundle.sha256)
