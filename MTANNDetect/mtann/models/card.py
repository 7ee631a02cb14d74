"""``model.json``: what a model is, what it expects, how it was made and how it did."""

from typing import Any, Literal

from pydantic import Field, ValidationError

from mtann.detection.combination import Combination, SingleNetwork
from mtann.detection.operating_points import OperatingPoint
from mtann.errors import ModelError
from mtann.preprocess.prepare import InputSpecification
from mtann.settings import DetectionSettings, NetworkSettings, Settings, TrainingSettings

SCHEMA_VERSION = 1


class TrainingImage(Settings):
    """One file that the model learnt from, by hash alone."""

    role: str = Field(description="channel name, 'lesions', 'non_lesions' or 'mask'")
    sha256: str


class ModelCard(Settings):
    """The content of ``model.json``."""

    schema_version: Literal[1] = 1
    kind: Literal["mtann"] = "mtann"
    name: str = Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$")
    version: str = "1.0.0"
    class_name: str = Field("lesion", description="what the model finds")
    description: str = ""
    intended_use: str = "Research only. Not a medical device; every result must be reviewed by a qualified reader."
    licence: str = "not stated"
    body_part: str = ""
    inputs: InputSpecification
    network: NetworkSettings
    training: TrainingSettings
    detection: DetectionSettings
    combination: Combination = Field(
        SingleNetwork(), description="how the scores of the single MTANN and its experts become one"
    )
    operating_points: tuple[OperatingPoint, ...]
    training_cases: int = Field(ge=1)
    training_patients: int = Field(ge=1)
    training_lesions: int = Field(ge=1)
    training_data: tuple[TrainingImage, ...]
    notes: tuple[str, ...] = Field((), description="what a user of the model should know about its training")
    seed: int = Field(ge=0)
    software: dict[str, str]
    weights_sha256: str = Field("", description="SHA-256 of weights.safetensors")

    def operating_point(self, name: str = "balanced") -> OperatingPoint:
        """The operating point of a name.

        Raises:
            ModelError: The model has none of that name.
        """
        for point in self.operating_points:
            if point.name == name:
                return point
        known = ", ".join(point.name for point in self.operating_points) or "none"
        raise ModelError(
            f"Model '{self.name}' has no operating point '{name}' (it has: {known}). Give a threshold instead."
        )


def parse_card(document: Any, where: str) -> ModelCard:
    """Check the content of ``model.json``, checksum removed.

    Raises:
        ModelError: It is of a newer schema, or a field is missing or wrong.
    """
    version = document.get("schema_version") if isinstance(document, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise ModelError(
            f"The model '{where}' was made by a newer version of MTANNDetect "
            f"(schema {version}; this version reads up to {SCHEMA_VERSION}). Update MTANNDetect."
        )
    try:
        return ModelCard.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise ModelError(
            f"The model '{where}' is not valid: field '{field}': {first['msg']}. Train or export it again."
        ) from error
