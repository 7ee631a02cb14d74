"""``mtann retrain``: teach a model lesions that it missed, and candidates that were rejected."""

import argparse

from mtann.cases import load_training_case, read_case_list
from mtann.commands.console import Console
from mtann.commands.options import add_case_list, add_common, add_device, add_settings, read_settings
from mtann.models.bundle import BUNDLE_FOLDER
from mtann.models.catalogue import open_model
from mtann.output_folder import check_output, recover_folder
from mtann.progress import Progress
from mtann.retrain import retrain, retraining_settings
from mtann.settings import TrainingSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument("--model", required=True, help="the model to go on from: its folder, or a bundled model's name")
    add_case_list(parser, "case, patient, one a channel, and lesions or non_lesions to add (points or label maps)")
    parser.add_argument("--name", help="name of the new model (default: the same)")
    parser.add_argument(
        "--instances", action="store_true", help="each label value is one lesion (default: each connected component)"
    )
    parser.add_argument("--series", help="which DICOM series, by number or UID, where a folder holds several")
    add_device(parser)
    add_common(parser)
    add_settings(parser, TrainingSettings, "training (defaults: the model's own, with fewer and smaller steps)")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command; returns the exit code."""
    recover_folder(arguments.output, BUNDLE_FOLDER)
    check_output(arguments.output, BUNDLE_FOLDER)
    start = open_model(arguments.model)
    training = read_settings(arguments, retraining_settings(start.card))
    files = read_case_list(arguments.cases, [channel.name for channel in start.card.inputs.channels])
    console.progress(Progress("read", 0.0, "Reading cases"))
    cases = [load_training_case(case, (), arguments.instances, arguments.series) for case in files]
    bundle = retrain(
        start,
        cases,
        name=arguments.name,
        training=training,
        output=arguments.output,
        device=arguments.device,
        progress=console.progress,
    )
    console.say(f"{bundle.card.notes[-1]}")
    console.say(f"Model '{bundle.card.name}' {bundle.card.version} written to {arguments.output}.")
    console.finish({"output": str(arguments.output), "sha256": bundle.sha256, **bundle.card.model_dump(mode="json")})
    return 0
