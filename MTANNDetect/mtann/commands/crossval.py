"""``mtann crossval``: trains all folds, decides by cross-validation, and writes one model."""

import argparse
from pathlib import Path

from mtann.backends.device import choose_device
from mtann.commands.console import Console
from mtann.commands.options import read_settings
from mtann.commands.train_unet import add_planned, read_planned, training_folder
from mtann.models.bundle import BUNDLE_FOLDER, save_bundle
from mtann.output_folder import check_output, recover_folder
from mtann.progress import Run
from mtann.training.unet.processes import joined
from mtann.training.unet.settings import UNetTrainingSettings
from mtann.unets.checked import check_case, with_checks
from mtann.unets.crossval import cross_validate
from mtann.unets.fold import Training
from mtann.unets.model import make_model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument(
        "--output",
        required=True,
        type=Path,
        metavar="BUNDLE",
        help="folder for the model; a former model there is replaced",
    )
    parser.add_argument(
        "--configurations",
        default="",
        metavar="A,B,...",
        help="which of the plan's configurations to try (default: all)",
    )
    parser.add_argument(
        "--training",
        type=Path,
        metavar="DIR",
        help="folder of the folds (default: PLAN.training); what is trained there is not trained again",
    )
    parser.add_argument("--name", help="name of the model (default: the output folder's name)")
    parser.add_argument("--licence", default="not stated", help="licence of the model, written into it")
    parser.add_argument("--intended-use", metavar="TEXT", help="what the model is meant for, written into it")
    add_planned(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command; returns the exit code."""
    recover_folder(arguments.output, BUNDLE_FOLDER)
    check_output(arguments.output, BUNDLE_FOLDER)
    settings = read_settings(arguments, UNetTrainingSettings())
    names = [name.strip() for name in arguments.configurations.split(",") if name.strip()]
    reasons: list[str] = []
    with joined(choose_device(arguments.device)) as (processes, device):
        folder = arguments.training or training_folder(arguments.plan)
        planned = read_planned(arguments, folder, processes, console)
        training = Training(planned.plan, planned.cases, settings, folder, device, notes=planned.notes)
        run = Run(console.progress if processes.is_first else None)
        outcome = cross_validate(training, names, reasons.append, run)
        if outcome is None:
            return 0
        described = {"licence": arguments.licence}
        if arguments.intended_use:
            described["intended_use"] = arguments.intended_use
        bundle = make_model(training, outcome, arguments.name or arguments.output.resolve().name, described)
        case = check_case(training.cases, dict(outcome.cases))
        bundle = with_checks(bundle, case, arguments.device, run.part(0.99, 1.0))
        save_bundle(bundle, arguments.output)
    for line in (*reasons, *bundle.card.results):
        console.say(line)
    console.say(f"Written to {arguments.output}. Research software; review every result.")
    card = bundle.card.model_dump(mode="json")
    console.finish({"output": str(arguments.output), "sha256": bundle.sha256, "reasons": reasons, **card})
    return 0
