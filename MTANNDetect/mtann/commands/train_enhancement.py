"""``mtann train enhancement``: teach a model to turn an image into another."""

import argparse

from mtann.cases import read_case_list
from mtann.commands.channels import add_preprocessing, read_preprocessing
from mtann.commands.console import Console
from mtann.commands.options import add_case_list, add_common, add_device, add_settings, read_settings
from mtann.enhancement.pairs import load_enhancement_case
from mtann.enhancement.train import train_enhancement
from mtann.models.bundle import BUNDLE_FOLDER
from mtann.output_folder import check_output, recover_folder
from mtann.preprocess.choose import check_channel_names
from mtann.progress import Progress
from mtann.settings import ENHANCEMENT_NETWORK, EnhancementSettings


def add_enhancement(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    add_case_list(parser, "case, patient, one a channel, target, and optionally mask")
    parser.add_argument(
        "--channels",
        default="",
        metavar="A,B,...",
        help="columns that are channels; the first is turned into the target (default: those that name image files)",
    )
    parser.add_argument("--name", help="name of the model (default: the output folder's name)")
    parser.add_argument("--target-name", default="target", help="what the targets show, such as bone (default: target)")
    parser.add_argument("--licence", default="not stated", help="licence of the model, written into it")
    parser.add_argument("--intended-use", metavar="TEXT", help="what the model is meant for, written into it")
    parser.add_argument("--spacing-mm", type=float, help="spacing of the model's grid in mm (default: the images' own)")
    parser.add_argument("--series", help="which DICOM series, by number or UID, where a folder holds several")
    add_preprocessing(parser)
    add_device(parser)
    add_common(parser)
    add_settings(parser, ENHANCEMENT_NETWORK, "network of each resolution level")
    add_settings(parser, EnhancementSettings(), "training")


def run_enhancement(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command; returns the exit code."""
    recover_folder(arguments.output, BUNDLE_FOLDER)
    check_output(arguments.output, BUNDLE_FOLDER)
    network = read_settings(arguments, ENHANCEMENT_NETWORK)
    settings = read_settings(arguments, EnhancementSettings())
    preprocessing = read_preprocessing(arguments)
    channels = [name.strip() for name in arguments.channels.split(",") if name.strip()]
    files = read_case_list(arguments.cases, channels, needs=["target"])
    check_channel_names(tuple(files[0].channels), preprocessing)
    console.progress(Progress("read", 0.0, "Reading cases"))
    bundle = train_enhancement(
        [load_enhancement_case(case, arguments.series) for case in files],
        settings,
        name=arguments.name or arguments.output.resolve().name,
        target_name=arguments.target_name,
        channels=tuple(files[0].channels),
        network=network,
        spacing_mm=arguments.spacing_mm,
        preprocessing=preprocessing,
        card={
            "licence": arguments.licence,
            **({"intended_use": arguments.intended_use} if arguments.intended_use else {}),
        },
        output=arguments.output,
        device=arguments.device,
        progress=console.progress,
    )
    console.say(f"Model '{bundle.card.name}' learnt from {bundle.card.taught_on}.")
    for line in bundle.card.results:
        console.say(f"  {line}")
    console.say(f"Written to {arguments.output}.")
    console.finish({"output": str(arguments.output), "sha256": bundle.sha256, **bundle.card.model_dump(mode="json")})
    return 0
