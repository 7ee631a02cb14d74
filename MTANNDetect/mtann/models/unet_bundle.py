"""The networks of a U-Net model: into a bundle, and out of it."""

from collections.abc import Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from mtann.backends.network import NamedNetwork
from mtann.errors import ModelError
from mtann.models.bundle import ModelBundle, complete_bundle
from mtann.models.unet_card import UNetCard, prefix
from mtann.networks.registry import build_network
from mtann.optional import require
from mtann.preprocess.unet import label_values

if TYPE_CHECKING:
    import torch

State = Mapping[str, "torch.Tensor"]


def make_unet_bundle(card: UNetCard, states: Mapping[tuple[str, str], State]) -> ModelBundle[UNetCard]:
    """Put trained networks and their description together.

    Args:
        card: The description.
        states: The ``state_dict`` of each network by its configuration and fold.

    Raises:
        ModelError: A weight is not a finite number: labels of such a network would be background, and look like an
            answer.
    """
    weights = {
        f"{prefix(configuration, fold)}.{key}": np.ascontiguousarray(tensor.detach().cpu().numpy(), dtype=np.float32)
        for configuration in card.stages
        for fold in card.folds
        for key, tensor in states[configuration, fold].items()
    }
    if broken := [name for name, array in weights.items() if not np.all(np.isfinite(array))]:
        raise ModelError(
            f"The weights of model '{card.name}' are not finite 32-bit numbers ('{broken[0]}'): its training has "
            "failed. Train it again, or use another fold."
        )
    return complete_bundle(card, weights)


def named_unet_network(bundle: ModelBundle[UNetCard], configuration: str, fold: str) -> NamedNetwork:
    """One trained network, built when it is needed: :func:`unet_network`."""
    # All that it is made of: the rest of the card says how it is used.
    shape = bundle.card.plan.configuration(configuration).architecture.model_dump_json()
    name = f"{bundle.card.weights_sha256} {prefix(configuration, fold)} {shape}"
    return NamedNetwork(name, cache(partial(unet_network, bundle, configuration, fold)))


def unet_network(bundle: ModelBundle[UNetCard], configuration: str, fold: str) -> "torch.nn.Module":
    """One trained network, on the CPU, for use.

    Raises:
        ModelError: The weights do not fit the described network.
        MissingPackageError: torch is not installed.
    """
    torch = require("torch", "Running a U-Net")
    card = bundle.card
    planned = card.plan.configuration(configuration)
    channels = len(card.plan.channels) + (len(label_values(card.plan)) if planned.previous is not None else 0)
    network = build_network(planned.architecture, channels, card.plan.outputs, planned.patch_size)
    start = prefix(configuration, fold) + "."
    own = {name.removeprefix(start): array for name, array in bundle.weights.items() if name.startswith(start)}
    expected = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    found = {key: array.shape for key, array in own.items()}
    if expected != found:
        key = min(key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key))
        raise ModelError(
            f"The weights of model '{card.name}' do not fit its description: "
            f"'{start}{key}' should have shape {expected.get(key)}, found {found.get(key)}. "
            "Train or export the model again."
        )
    network.load_state_dict({key: torch.from_numpy(array) for key, array in own.items()})
    return network.eval()


def check_networks(bundle: ModelBundle[Any]) -> None:
    """Make sure that the weights of a model of any kind fit its description.

    Raises:
        ModelError: They do not.
        MissingPackageError: torch is not installed.
    """
    if not isinstance(bundle.card, UNetCard):
        bundle.networks()
        return
    for configuration in bundle.card.stages:
        for fold in bundle.card.folds:
            unet_network(bundle, configuration, fold)
