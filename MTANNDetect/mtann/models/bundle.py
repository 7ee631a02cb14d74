"""A model bundle: a folder with ``model.json`` and ``weights.safetensors``.

Nothing in it is ever executed. The checksum covers the weights and ``model.json``; it guards against damage, it is no
signature.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic

import numpy as np
import numpy.typing as npt
from typing_extensions import TypeVar  # pydantic brings it; Python's own has defaults from 3.13 on

from mtann.detection.candidate import ModelReference
from mtann.errors import ModelError
from mtann.models.card import Card, ModelCard, MTANNCard
from mtann.models.kinds import parse_card
from mtann.optional import require
from mtann.output_folder import FolderKind, replace_folder

if TYPE_CHECKING:
    from mtann.networks.mtann import MTANN

CARD_FILE, WEIGHTS_FILE, TRAINING_REPORT_FILE = "model.json", "weights.safetensors", "training_report.html"
BUNDLE_FOLDER = FolderKind(
    "model bundle",
    CARD_FILE,
    ("schema_version", "kind", "weights_sha256"),
    (CARD_FILE, WEIGHTS_FILE, TRAINING_REPORT_FILE),
)

C = TypeVar("C", bound=Card, default=ModelCard)


@dataclass(frozen=True)
class ModelBundle(Generic[C]):
    """A model, complete: description and weights.

    Attributes:
        card: The content of ``model.json``.
        weights: Arrays by tensor name.
        sha256: The bundle's checksum.
    """

    card: C
    weights: dict[str, npt.NDArray[np.float32]] = field(repr=False)
    sha256: str

    @property
    def reference(self) -> ModelReference:
        """How results name this model."""
        return ModelReference(self.card.name, self.card.version, self.sha256)

    def networks(self) -> tuple["MTANN", ...]:
        """The MTANNs that the card names, with their weights, on the CPU.

        Raises:
            ModelError: The model consists of other networks, or the weights do not fit the described ones.
            MissingPackageError: torch is not installed.
        """
        card = self._mtann_card()
        return tuple(self._network(card, members, len(card.earlier_members)) for members in card.members)

    def earlier_networks(self) -> tuple["MTANN", ...]:
        """The MTANNs before the single one in a row, first to last, on the CPU; most models have none.

        Raises:
            ModelError: The model consists of other networks, or the weights do not fit the described ones.
            MissingPackageError: torch is not installed.
        """
        card = self._mtann_card()
        return tuple(self._network(card, members, stage) for stage, members in enumerate(card.earlier_members))

    def ensemble(self) -> "MTANN":
        """The single MTANN with the kept networks of the cross-validation as further members, on the CPU.

        Raises:
            ModelError: The model consists of other networks, or the weights do not fit the described ones.
            MissingPackageError: torch is not installed.
        """
        card = self._mtann_card()
        return self._network(card, (*card.members[0], *card.fold_members), len(card.earlier_members))

    def _mtann_card(self) -> MTANNCard:
        """The card, once it is sure that the weights fit it."""
        require("torch", "Running an MTANN")
        from mtann.networks.mtann import MTANN

        card = self.card
        if not isinstance(card, MTANNCard):
            raise ModelError(f"Model '{card.name}' is of kind '{card.kind}' and has no MTANN. Give another model.")
        last = [*(prefix for members in card.members for prefix in members), *card.fold_members]
        expected = {
            f"{prefix}.{key}": tuple(tensor.shape[1:])
            for stage, prefixes in enumerate([*card.earlier_members, last])
            for key, tensor in MTANN(card.network, card.seen_by(stage)).state_dict().items()
            for prefix in prefixes
        }
        found = {name: array.shape for name, array in self.weights.items()}
        if expected != found:
            name = min(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
            raise ModelError(
                f"The weights of model '{card.name}' do not fit its description: "
                f"'{name}' should have shape {expected.get(name)}, found {found.get(name)}. "
                "Train or export the model again."
            )
        return card

    def _network(self, card: MTANNCard, members: Sequence[str], stage: int) -> "MTANN":
        """One network of the members of these names, which so many networks come before."""
        torch = require("torch", "Running an MTANN")
        from mtann.networks.mtann import MTANN

        network = MTANN(card.network, card.seen_by(stage), [0] * len(members))
        stacked = {
            key: np.stack([self.weights[f"{prefix}.{key}"] for prefix in members]) for key in network.state_dict()
        }
        network.load_state_dict({key: torch.from_numpy(array) for key, array in stacked.items()})
        return network.eval()


def make_bundle(
    card: C, networks: Sequence["MTANN"], folds: "MTANN | None" = None, earlier: Sequence["MTANN"] = ()
) -> ModelBundle[C]:
    """Put trained networks, in the order of the card's ``members``, and their description together.

    Args:
        card: The description.
        networks: The networks for use.
        folds: Those of the cross-validation, if they are to be kept beside.
        earlier: Those before the single MTANN in a row, first to last.
    """
    if isinstance(card, ModelCard):
        card = card.model_copy(update={"kept_folds": folds.members if folds is not None else 0})
    weights = {
        f"{prefix}.{key}": tensor[number].detach().cpu().numpy().astype(np.float32)
        for members, network in zip((*card.earlier_members, *card.members), (*earlier, *networks), strict=True)
        for key, tensor in network.state_dict().items()
        for number, prefix in enumerate(members)
    }
    if folds is not None:
        for key, tensor in folds.state_dict().items():
            array = tensor.detach().cpu().numpy().astype(np.float32)
            weights |= {f"fold_{number}.{key}": np.asarray(array[number]) for number in range(folds.members)}
    return complete_bundle(card, weights)


def complete_bundle(card: C, weights: dict[str, npt.NDArray[np.float32]]) -> ModelBundle[C]:
    """Put named arrays and their description together."""
    from safetensors.numpy import save

    card = card.model_copy(update={"weights_sha256": hashlib.sha256(save(weights)).hexdigest()})
    return ModelBundle(card, weights, _checksum(card.model_dump(mode="json")))


def save_bundle(bundle: ModelBundle[Any], directory: Path | str, training_report: str | None = None) -> None:
    """Write a bundle; a former bundle in the same place is replaced only once the new one is complete.

    Args:
        bundle: The model.
        directory: Folder to write; missing parents are made.
        training_report: A page to lay beside it. It is no part of the model, and the checksum does not cover it: it
            shows training cases, so whoever passes the model on may delete it.

    Raises:
        OutputError: The place is taken by something else, or cannot be written.
    """
    from safetensors.numpy import save

    with replace_folder(Path(directory), BUNDLE_FOLDER) as work:
        (work / WEIGHTS_FILE).write_bytes(save(bundle.weights))
        document = bundle.card.model_dump(mode="json")
        # Taken anew: a bundle read from an older file lacks fields that are written now with their defaults.
        document["checksum"] = _checksum(document)
        (work / CARD_FILE).write_bytes(_canonical(document).encode("utf-8"))
        if training_report is not None:
            (work / TRAINING_REPORT_FILE).write_text(training_report, encoding="utf-8", newline="\n")


def load_bundle(directory: Path | str) -> ModelBundle[Card]:
    """Read and check a bundle of any kind.

    Raises:
        ModelError: It is not a bundle, damaged, changed, or made by a newer version.
    """
    directory = Path(directory)
    card, checksum = load_card(directory)
    try:
        data = (directory / WEIGHTS_FILE).read_bytes()
    except OSError as error:
        raise ModelError(
            f"The model '{directory.name}' has no readable {WEIGHTS_FILE} ({error.strerror}). "
            "Copy the whole folder again."
        ) from error
    if hashlib.sha256(data).hexdigest() != card.weights_sha256:
        raise ModelError(
            f"The weights of model '{directory.name}' do not match their checksum: the file is damaged or was changed. "
            "Copy the model again."
        )
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        weights = load(data)
    except SafetensorError as error:
        raise ModelError(
            f"The weights of model '{directory.name}' cannot be read ({error}). Copy the model again."
        ) from error
    for name, array in weights.items():
        if array.dtype != np.float32 or not np.all(np.isfinite(array)):
            raise ModelError(
                f"The weights of model '{directory.name}' are not finite 32-bit numbers ('{name}'). "
                "Train or export the model again."
            )
    return ModelBundle(card, weights, checksum)


def load_card(directory: Path | str) -> tuple[Card, str]:
    """Read and check ``model.json`` alone: the description and the bundle's checksum.

    Raises:
        ModelError: See :func:`load_bundle`.
    """
    directory = Path(directory)
    path = directory / CARD_FILE
    if not path.is_file():
        raise ModelError(
            f"'{directory}' is not a model bundle: it has no {CARD_FILE}. "
            "Give the folder of a bundle, or the name of a bundled model."
        )
    try:
        # Line ends are forgiven: version control may turn them.
        text = path.read_bytes().decode("utf-8").replace("\r\n", "\n")
        document = json.loads(text)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"The description of model '{directory.name}' cannot be read ({error}). Copy the model again."
        ) from error
    checksum = document.pop("checksum", "") if isinstance(document, dict) else ""
    card = parse_card(document, directory.name)
    if _checksum(document) != checksum or _canonical({**document, "checksum": checksum}) != text:
        raise ModelError(
            f"The description of model '{directory.name}' does not match its checksum: "
            f"{CARD_FILE} is damaged or was changed. Copy the model again."
        )
    return card, checksum


def _canonical(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def _checksum(document: dict[str, Any]) -> str:
    return hashlib.sha256(_canonical(document).encode("utf-8")).hexdigest()
