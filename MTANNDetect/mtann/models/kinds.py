"""The kinds of models that there are, and reading the description of any of them."""

from typing import Any

from pydantic import ValidationError

from mtann.errors import ModelError
from mtann.models.card import SCHEMA_VERSION, Card, ModelCard
from mtann.models.enhancement_card import EnhancementCard
from mtann.models.unet_card import UNetCard

CARDS: dict[str, type[Card]] = {"mtann": ModelCard, "mtann_enhancement": EnhancementCard, "unet": UNetCard}
"""The class of ``model.json`` by its field ``kind``."""


def parse_card(document: Any, where: str) -> Card:
    """Check the content of ``model.json``, checksum removed.

    Raises:
        ModelError: It is of a newer schema or an unknown kind, or a field is missing or wrong.
    """
    version = document.get("schema_version") if isinstance(document, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise ModelError(
            f"The model '{where}' was made by a newer version of MTANNDetect "
            f"(schema {version}; this version reads up to {SCHEMA_VERSION}). Update MTANNDetect."
        )
    kind = document.get("kind", "mtann") if isinstance(document, dict) else "mtann"
    if kind not in CARDS:
        raise ModelError(
            f"The model '{where}' is of kind '{kind}', which this version does not know (known: {', '.join(CARDS)}). "
            "Update MTANNDetect."
        )
    try:
        return CARDS[kind].model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise ModelError(
            f"The model '{where}' is not valid: field '{field}': {first['msg']}. Train or export it again."
        ) from error
