"""``mtann models``: list, describe and verify models."""

import argparse

from mtann.commands.console import Console
from mtann.commands.options import add_common
from mtann.errors import MTANNError, SettingsError
from mtann.models.bundle import load_bundle, load_card
from mtann.models.catalogue import list_models, locate_model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument("action", choices=["list", "info", "verify"], help="what to do")
    parser.add_argument("model", nargs="?", help="folder or name of a model, for info and verify")
    add_common(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command; returns the exit code."""
    if (arguments.model is None) != (arguments.action == "list"):
        raise SettingsError("Use 'mtann models list', 'mtann models info MODEL' or 'mtann models verify MODEL'.")
    return {"list": _list, "info": _info, "verify": _verify}[arguments.action](arguments, console)


def _list(arguments: argparse.Namespace, console: Console) -> int:
    rows = []
    for entry in list_models():
        row = {"name": entry.name, "origin": "bundled" if entry.bundled else "user", "folder": str(entry.directory)}
        try:
            card, checksum = load_card(entry.directory)
        except MTANNError as error:
            console.warn(str(error))
            rows.append({**row, "error": str(error)})
            continue
        channels = ", ".join(card.channel_names)
        rows.append(
            {
                **row,
                "version": card.version,
                "kind": card.kind,
                "channels": channels,
                "licence": card.licence,
                "sha256": checksum,
            }
        )
        console.say(
            f"{entry.name}  {card.version}  {card.kind}, {card.dimensions}-D, channels: {channels}; "
            f"{card.purpose} ({row['origin']})"
        )
    if not rows:
        console.say("No model is installed. Train one with 'mtann train mtann'.")
    console.finish({"models": rows})
    return 0


def _info(arguments: argparse.Namespace, console: Console) -> int:
    directory = locate_model(arguments.model)
    card, checksum = load_card(directory)
    console.say(f"{card.name} {card.version} ({card.kind}); {card.purpose}")
    if card.description:
        console.say(card.description)
    console.say(f"Intended use: {card.intended_use}")
    console.say(f"Licence: {card.licence}")
    console.say(card.described_inputs)
    console.say(f"Taught on {card.taught_on}")
    for line in card.results:
        console.say(line)
    console.say(f"SHA-256: {checksum}")
    console.finish({"folder": str(directory), "sha256": checksum, **card.model_dump(mode="json")})
    return 0


def _verify(arguments: argparse.Namespace, console: Console) -> int:
    directory = locate_model(arguments.model)
    bundle = load_bundle(directory)
    bundle.networks()
    console.say(f"{bundle.card.name} {bundle.card.version} is complete and undamaged (SHA-256 {bundle.sha256}).")
    console.finish({"folder": str(directory), "sha256": bundle.sha256, "valid": True})
    return 0
