"""``mtann train unet``: one fold of a planned U-Net, or all cases."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from mtann.backends.device import choose_device
from mtann.commands.console import Console
from mtann.commands.options import add_common, add_device, add_settings, read_settings
from mtann.data_set import LabelledCase
from mtann.models.bundle import save_bundle
from mtann.models.catalogue import open_model
from mtann.planning.plan import Plan
from mtann.progress import Run
from mtann.training.unet.log import PLOT_FILE
from mtann.training.unet.processes import Processes, joined
from mtann.training.unet.settings import UNetTrainingSettings
from mtann.unets.checked import check_case, with_checks
from mtann.unets.fold import Training, train_fold
from mtann.unets.likelihood_channel import likelihood_cases, likelihood_note, overlap_warning, with_likelihood
from mtann.unets.model import make_model, outcome_of_fold
from mtann.unets.planned import read_cases, read_plan
from mtann.unets.splits import read_fold

MODEL_FOLDER = "model"


def add_planned(parser: argparse.ArgumentParser) -> None:
    """Add what ``train unet`` and ``crossval`` share."""
    parser.add_argument(
        "--plan", required=True, type=Path, metavar="DIR", help="folder that 'mtann plan' wrote plan.json into"
    )
    parser.add_argument(
        "--cases",
        required=True,
        type=Path,
        metavar="CASES",
        help="the CSV, or nnU-Net's raw folder, that it was made for",
    )
    parser.add_argument(
        "--likelihood-from",
        metavar="MTANN",
        help="a model whose likelihood is a further input channel; it must not have learnt from these cases",
    )
    add_device(parser)
    add_common(parser)
    add_settings(parser, UNetTrainingSettings, "training")


@dataclass(frozen=True)
class Planned:
    """What is trained by: the plan, its cases, and what a model's card says of them."""

    plan: Plan
    cases: tuple[LabelledCase, ...]
    notes: tuple[str, ...] = ()


def read_planned(arguments: argparse.Namespace, output: Path, processes: Processes, console: Console) -> Planned:
    """The plan and its cases, with the likelihood as a channel if one is asked for.

    Raises:
        MTANNError: One of them is missing or cannot be used.
    """
    plan = read_plan(arguments.plan)
    cases = read_cases(arguments.cases, plan)
    if arguments.likelihood_from is None:
        return Planned(plan, cases)
    bundle = open_model(arguments.likelihood_from)
    warning = overlap_warning(cases, bundle)
    if processes.is_first:
        if warning:
            console.warn(warning)
        run = Run(console.progress)
        likelihood_cases(cases, plan.channels, bundle, output / "likelihoods", arguments.device, run.part(0.0, 0.1))
    processes.wait()  # the others find the likelihoods made
    cases = likelihood_cases(cases, plan.channels, bundle, output / "likelihoods", arguments.device)
    return Planned(with_likelihood(plan), cases, (likelihood_note(bundle), *([warning] if warning else [])))


def training_folder(plan: Path) -> Path:
    """Where folds are trained unless somebody says so: beside the plan's folder, which holds nothing else."""
    resolved = plan.resolve()
    return resolved.with_name(f"{resolved.name}.training")


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
        help="folder for all folds (default: PLAN.training); the same command again goes on from there",
    )
    add_planned(parser)


def run_unet(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command; returns the exit code."""
    settings = read_settings(arguments, UNetTrainingSettings())
    fold = read_fold(arguments.fold, settings.folds)
    output = arguments.output or training_folder(arguments.plan)
    with joined(choose_device(arguments.device)) as (processes, device):
        planned = read_planned(arguments, output, processes, console)
        plan = planned.plan
        name = arguments.configuration or _default_configuration(plan)
        training = Training(plan, planned.cases, settings, output, device, notes=planned.notes)
        validation = train_fold(training, name, fold, Run(console.progress if processes.is_first else None))
        if not processes.is_first:
            return 0
        bundle = make_model(training, outcome_of_fold(name, fold, validation), f"{plan.name} {name} fold {fold}")
        case = check_case(training.split(fold).held_out or training.cases, dict(validation.cases))
        bundle = with_checks(bundle, case, arguments.device)
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
