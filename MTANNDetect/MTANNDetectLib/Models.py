"""The models that the user can choose from."""

from dataclasses import dataclass
from pathlib import Path

from mtann.errors import ModelError

from .Library import libraryModule


@dataclass(frozen=True)
class ModelChoice:
    """What the panel shows of a model.

    Attributes:
        name: Its name in the list; a bundled model and one of the user's may share it.
        channels: The images that it needs, in order.
        summary: What it finds and is meant for.
        directory: Its folder, which :meth:`~.Logic.DetectLogic.detect` takes as ``model``.
    """

    name: str
    channels: tuple[str, ...]
    summary: str
    directory: Path


def availableModels() -> tuple[ModelChoice, ...]:
    """The bundled models and the user's own that find lesions, damaged ones left out.

    Raises:
        MissingPackageError: A package that reading them needs is not installed.
    """
    entries = libraryModule("mtann.models.catalogue").list_models()
    loadCard = libraryModule("mtann.models.bundle").load_card
    choices = []
    for entry in entries:
        try:
            card, _checksum = loadCard(entry.directory)
        except ModelError:
            continue
        if card.kind != "mtann":
            continue
        summary = f"Finds: {card.class_name}. {card.description} {card.intended_use}"
        channels = card.channel_names
        choices.append(ModelChoice(entry.name, channels, summary, entry.directory))
    return tuple(choices)
