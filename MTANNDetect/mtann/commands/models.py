"""``mtann models``: list, describe, verify and check models; convert those of nnU-Net v2, and export for it."""

import argparse
from collections.abc import Callable
from pathlib import Path

from mtann.commands.console import Console
from mtann.commands.inputs import add_images, read_channels
from mtann.commands.options import add_common, add_device
from mtann.errors import MTANNError, SettingsError
from mtann.models.bundle import BUNDLE_FOLDER, load_bundle, load_card, save_bundle
from mtann.models.catalogue import list_models, locate_model, open_bundle
from mtann.models.nnunet.export import export_bundle
from mtann.models.nnunet.folder import import_folder, is_nnunet_folder
from mtann.models.precision_checks import remember_check, remembered_checks
from mtann.models.unet_bundle import check_networks
from mtann.models.unet_card import UNetCard
from mtann.output_folder import recover_folder
from mtann.progress import Run
from mtann.segmentation.precision import check_precision
from mtann.segmentation.segment import open_segmenter


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument(
        "action",
        choices=["list", "info", "verify", "check", "convert", "export"],
        help="what to do; check: measure on one case whether a U-Net, be it a folder of nnU-Net v2, gives the same "
        "labels in less than fp32, and remember it for '--precision auto'; convert: make a bundle of a model folder of "
        "nnU-Net v2; export: write a U-Net model as folders that nnU-Net v2 runs",
    )
    parser.add_argument("model", nargs="?", help="folder or name of a model; for all but list")
    add_images(parser)
    add_device(parser)
    parser.add_argument("--output", type=Path, metavar="DIR", help="convert: the bundle; export: where folders are put")
    parser.add_argument("--folds", metavar="K,K", help="convert and check: which folds, as in 0,1 (default: all)")
    parser.add_argument("--best", action="store_true", help="convert: take checkpoint_best.pth of each fold")
    add_common(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command; returns the exit code."""
    if (arguments.model is None) != (arguments.action == "list"):
        raise SettingsError(
            "Use 'mtann models list', or 'mtann models info MODEL', and so on: --help lists all actions."
        )
    if (arguments.output is None) != (arguments.action not in ("convert", "export")):
        raise SettingsError("--output DIR is for 'mtann models convert' and 'mtann models export', which need it.")
    if (arguments.images or arguments.channel) and arguments.action != "check":
        raise SettingsError("Images are for 'mtann models check'. Leave them out.")
    return _ACTIONS[arguments.action](arguments, console)


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
    for check in remembered_checks(checksum):
        console.say(f"In {check.precision}: Dice coefficient {check.dice:.4f} against fp32, {check.words}")
    console.say(f"SHA-256: {checksum}")
    console.finish({"folder": str(directory), "sha256": checksum, **card.model_dump(mode="json")})
    return 0


def _verify(arguments: argparse.Namespace, console: Console) -> int:
    directory = locate_model(arguments.model)
    bundle = load_bundle(directory)
    check_networks(bundle)
    console.say(f"{bundle.card.name} {bundle.card.version} is complete and undamaged (SHA-256 {bundle.sha256}).")
    console.finish({"folder": str(directory), "sha256": bundle.sha256, "valid": True})
    return 0


def _check(arguments: argparse.Namespace, console: Console) -> int:
    if _folds(arguments) and not is_nnunet_folder(arguments.model):
        raise SettingsError("--folds is for folders of nnU-Net v2; a bundle is checked with all of its folds.")
    bundle = open_segmenter(arguments.model, _folds(arguments))
    if not isinstance(bundle.card, UNetCard):
        raise SettingsError(f"Model '{bundle.card.name}' is no U-Net; an MTANN computes in fp32 always.")
    volumes = read_channels(arguments, bundle.card, console)
    first = volumes[bundle.card.channel_names[0]]
    words = f"on a case checked here (SHA-256 {first.sha256[:12]})"
    check = check_precision(volumes, bundle, arguments.device, "auto", words, Run(console.progress))
    document = {"sha256": bundle.sha256, **check.model_dump(mode="json"), "chosen_by_auto": check.same_labels}
    if check.dice is None:
        console.say(f"Nothing to remember, {check.words}.")
    else:
        remember_check(bundle.sha256, check)
        chosen = "'--precision auto' computes in it from now on" if check.same_labels else "'auto' stays with fp32"
        told = f"{bundle.card.name} in {check.precision}: Dice coefficient {check.dice:.4f} against fp32"
        console.say(f"{told}, {check.words}; {chosen}.")
    console.finish(document)
    return 0


def _folds(arguments: argparse.Namespace) -> list[str]:
    return [fold.strip() for fold in (arguments.folds or "").split(",") if fold.strip()]


def _convert(arguments: argparse.Namespace, console: Console) -> int:
    recover_folder(arguments.output, BUNDLE_FOLDER)
    bundle = import_folder(arguments.model, _folds(arguments), arguments.best)
    check_networks(bundle)
    save_bundle(bundle, arguments.output)
    console.say(f"{bundle.card.name}: fold(s) {', '.join(bundle.card.folds)}; {bundle.card.purpose}.")
    console.say(f"Written to {arguments.output} (SHA-256 {bundle.sha256}).")
    console.finish({"output": str(arguments.output), "sha256": bundle.sha256})
    return 0


def _export(arguments: argparse.Namespace, console: Console) -> int:
    bundle = open_bundle(arguments.model, UNetCard)
    folders = export_bundle(bundle, arguments.output)
    if bundle.card.post_processing:
        rules = ", ".join(rule.label for rule in bundle.card.post_processing)
        console.warn(f"The model's post-processing ({rules}) has no place in these folders: nnU-Net will not apply it.")
    if len(bundle.card.configurations) > 1:
        console.warn("The model averages several configurations; nnU-Net averages them by nnUNetv2_ensemble.")
    for folder in folders:
        console.say(f"Written to {folder}; run it with nnUNetv2_predict_from_modelfolder -m.")
    console.finish({"folders": [str(folder) for folder in folders]})
    return 0


_ACTIONS: dict[str, Callable[[argparse.Namespace, Console], int]] = {
    "list": _list,
    "info": _info,
    "verify": _verify,
    "check": _check,
    "convert": _convert,
    "export": _export,
}
