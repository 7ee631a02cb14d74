"""``mtann train unet``: one fold of a planned U-Net, or all cases."""

import argparse
from pathlib import Path

from mtann.backends.device import choose_device
from mtann.commands.console import Console
from mtann.commands.options import add_common, add_device, add_settings, read_settings
from mtann.models.bundle import save_bundle
from mtann.planning.plan import Plan
from mtann.progress import Run
from mtann.training.unet.log import PLOT_FILE
from mtann.training.unet.processes import joined
from mtann.training.unet.settings import UNetTrainingSettings
from mtann.unets.fold import Training, train_fold
from mtann.unets.model import make_model, outcome_of_fold
from mtann.unets.planned import PlannedCase, read_cases, read_plan
from mtann.unets.splits import read_fold

MODEL_FOLDER, TRAINING_FOLDER = "model", "training"


def add_planned(parser: argparse.ArgumentParser) -> None:
    """Add what ``train unet`` and ``crossval`` share."""
    parser.add_argument(
        "--plan", required=True, type=Path, metavar="DIR", help="folder that 'mtann plan' wrote plan.json into"
    )
    parser.add_argument("--cases", required=True, type=Path, metavar="CSV", help="the cases that the plan was made for")
    add_device(parser)
    add_common(parser)
    add_settings(parser, UNetTrainingSettings, "training")


def read_planned(arguments: argparse.Namespace) -> tuple[Plan, tuple[PlannedCase, ...]]:
    """The plan and its cases.

    Raises:
        MTANNError: One of them is missing or cannot be used.
    """
    plan = read_plan(arguments.plan)
    return plan, read_cases(arguments.cases, plan)


def add_unet(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument("--fold", required=True, metavar="K", help="which fold, from 0; 'all' learns from every case")
    parser.add_argument(
        "--configuration", metavar="NAME", help="which of the plan's (default: 3d_fullres, or else its first)"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="folder for all folds (default: 'training' in the plan's); the same command again goes on from there",
    )
    add_planned(parser)


def run_unet(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command; returns the exit code."""
    settings = read_settings(arguments, UNetTrainingSettings())
    fold = read_fold(arguments.fold, settings.folds)
    plan, cases = read_planned(arguments)
    name = arguments.configuration or _default_configuration(plan)
    output = arguments.output or arguments.plan / TRAINING_FOLDER
    with joined(choose_device(arguments.device)) as (processes, device):
        training = Training(plan, cases, settings, output, device)
        validation = train_fold(training, name, fold, Run(console.progress if processes.is_first else None))
        if not processes.is_first:
            return 0
        bundle = make_model(training, outcome_of_fold(name, fold, validation), f"{plan.name} {name} fold {fold}")
        directory = training.folder(name, fold)
        save_bundle(bundle, directory / MODEL_FOLDER)
    for line in bundle.card.results:
        console.say(line)
    for note in bundle.card.notes:
        console.say(note)
    console.say(f"Written to {directory}: see {PLOT_FILE} and validation; the model is in {MODEL_FOLDER}.")
    console.finish(
        {
            "output": str(directory),
            "model": str(directory / MODEL_FOLDER),
            "configuration": name,
            "fold": fold,
            "dice": validation.means,
        }
    )
    return 0


def _default_configuration(plan: Plan) -> str:
    names = [configuration.name for configuration in plan.configurations]
    return "3d_fullres" if "3d_fullres" in names else names[0]
