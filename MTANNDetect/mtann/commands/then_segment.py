"""``mtann detect --then-segment``: an MTANN proposes and judges, a U-Net outlines."""

import argparse
from typing import Any

from mtann.commands.console import Console
from mtann.commands.options import read_settings
from mtann.commands.table import candidate_table
from mtann.errors import SettingsError
from mtann.models.bundle import ModelBundle
from mtann.models.catalogue import open_model
from mtann.models.unet_card import UNetCard
from mtann.output_folder import check_output, recover_folder
from mtann.progress import Progress
from mtann.report.documents import result_document
from mtann.unets.likelihood_channel import LIKELIHOOD_CHANNEL, likelihood_warning
from mtann.unets.two_stage import detect_then_segment, open_unet
from mtann.unets.two_stage_files import TWO_STAGE_FOLDER, save_two_stage
from mtann.volume import Volume
from mtann.volume_io import read_volume


def add_then_segment(parser: argparse.ArgumentParser) -> None:
    """Describe the option."""
    parser.add_argument(
        "--then-segment",
        metavar="UNET",
        help="a U-Net that outlines what is proposed at a sensitive threshold; its findings are scored anew and "
        "reported instead (one case; where the models take different channels, give all as --channel NAME=IMAGE)",
    )


def run_then_segment(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command; returns the exit code."""
    if arguments.cases or arguments.explain is not None:
        raise SettingsError("--then-segment takes one case, without --cases and --explain. Leave these out.")
    recover_folder(arguments.output, TWO_STAGE_FOLDER)
    check_output(arguments.output, TWO_STAGE_FOLDER)
    bundle, unet = open_model(arguments.model), open_unet(arguments.then_segment)
    settings = read_settings(arguments, bundle.card.detection)
    console.progress(Progress("read", 0.0, "Reading images"))
    volumes = _read(arguments, bundle, unet)
    result = detect_then_segment(
        volumes,
        bundle,
        unet,
        settings,
        mask=read_volume(arguments.mask, arguments.series) if arguments.mask else None,
        threshold=arguments.threshold,
        operating_point=arguments.operating_point,
        device=arguments.device,
        progress=console.progress,
    )
    warnings = (*result.findings.warnings, *result.segmentation.warnings, *likelihood_warning(bundle, unet))
    for warning in dict.fromkeys(warnings):
        console.warn(warning)
    save_two_stage(result, _first(volumes, bundle), arguments.output, bundle.card.intended_use)
    findings = result.findings
    console.say(candidate_table(findings.candidates))
    run, of_all = result.segmentation.patches or (0, 0)
    console.say(
        f"{len(result.proposals.reported)} proposals (threshold {result.proposals.threshold:.3f}), "
        f"{run} of {of_all} tiles segmented, {len(findings.candidates)} findings, "
        f"{len(findings.reported)} of which reach {findings.threshold:.3f} ({findings.threshold_origin})."
    )
    console.say(f"Written to {arguments.output}: see report.html. Research software; review every result.")
    console.finish({"output": str(arguments.output), **result_document(findings)})
    return 0


def _read(arguments: argparse.Namespace, bundle: ModelBundle, unet: ModelBundle[UNetCard]) -> dict[str, Volume]:
    """The images of both models, by channel name."""
    if arguments.images and arguments.channel:
        raise SettingsError("Give the images either in the models' order or all as --channel NAME=IMAGE, not both.")
    if arguments.channel:
        named = dict(text.split("=", 1) if "=" in text else (text, "") for text in arguments.channel)
    else:
        named = dict(zip(bundle.card.channel_names, arguments.images, strict=False))
    wanted = {*bundle.card.channel_names, *(unet.card.channel_names if arguments.channel else ())} - {
        LIKELIHOOD_CHANNEL
    }
    given = len(arguments.channel or arguments.images)
    if set(named) != wanted or given != len(wanted) or not all(named.values()):
        raise SettingsError(
            f"The models need the channel(s) {', '.join(sorted(wanted))}; given were {given} image(s)"
            f"{' for ' + ', '.join(named) if arguments.channel else ''}. Give each once, as --channel NAME=IMAGE."
        )
    return {name: read_volume(path, arguments.series) for name, path in named.items()}


def _first(volumes: dict[str, Any], bundle: ModelBundle) -> Volume:
    first: Volume = volumes[bundle.card.channel_names[0]]
    return first
