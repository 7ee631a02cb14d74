"""``mtann train``: teach a model of some kind from a list of cases."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from mtann.cases import load_training_case, read_case_list
from mtann.commands.channels import add_preprocessing, read_preprocessing
from mtann.commands.console import Console
from mtann.commands.options import add_case_list, add_common, add_device, add_settings, read_settings, read_values
from mtann.commands.train_enhancement import add_enhancement, run_enhancement
from mtann.commands.train_unet import add_unet, run_unet
from mtann.models.bundle import BUNDLE_FOLDER, TRAINING_REPORT_FILE, ModelBundle
from mtann.output_folder import check_output, recover_folder
from mtann.preprocess.choose import check_channel_names
from mtann.preprocess.mask import MaskKind
from mtann.progress import Progress
from mtann.report.training import TrainingReport
from mtann.report.words import count_words
from mtann.settings import PRESETS, DetectionSettings, NetworkSettings, TrainingSettings, preset
from mtann.teach import train


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options of every kind of model."""
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="{" + ",".join(_KINDS) + "}")
    for name, kind in _KINDS.items():
        kind.add_arguments(kinds.add_parser(name, help=kind.help, description=kind.help.capitalize() + "."))


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command; returns the exit code."""
    return _KINDS[arguments.kind].run(arguments, console)


def _add_mtann(parser: argparse.ArgumentParser) -> None:
    add_case_list(parser, "case, patient, lesions, one a channel, and optionally mask and non_lesions")
    parser.add_argument(
        "--channels",
        default="",
        metavar="A,B,...",
        help="columns that are channels (default: those that name image files)",
    )
    parser.add_argument("--name", help="name of the model (default: the output folder's name)")
    parser.add_argument("--class-name", default="lesion", help="what the lesions are (default: lesion)")
    parser.add_argument("--licence", default="not stated", help="licence of the model, written into it")
    parser.add_argument("--intended-use", metavar="TEXT", help="what the model is meant for, written into it")
    parser.add_argument(
        "--lesion-values", default="", metavar="1,2,...", help="label values that are lesions (default: all but 0)"
    )
    parser.add_argument(
        "--instances", action="store_true", help="each label value is one lesion (default: each connected component)"
    )
    parser.add_argument(
        "--spacing-mm", type=float, help="spacing of the model's grid in mm (default: from the images, 0.5 to 1)"
    )
    parser.add_argument(
        "--tissue",
        choices=get_args(MaskKind),
        help="where the model looks if no mask is given; lung is for chest CT (default: what suits most images)",
    )
    parser.add_argument(
        "--preset",
        choices=PRESETS,
        default="default",
        help="starting point of all settings below (default: default)",
    )
    parser.add_argument("--series", help="which DICOM series, by number or UID, where a folder holds several")
    parser.add_argument(
        "--learning-curve",
        action="store_true",
        help="also train on a quarter, half and three quarters of the lesions, to see whether more would help; "
        "takes about three times as long again",
    )
    add_preprocessing(parser)
    add_device(parser)
    add_common(parser)
    add_settings(parser, NetworkSettings, "network")
    add_settings(parser, TrainingSettings, "training")
    add_settings(parser, DetectionSettings, "how candidates are found")


def _run_mtann(arguments: argparse.Namespace, console: Console) -> int:
    recover_folder(arguments.output, BUNDLE_FOLDER)
    check_output(arguments.output, BUNDLE_FOLDER)
    base_network, base_training = preset(arguments.preset, 2 if arguments.dimensions == "2" else 3)
    network, training = read_settings(arguments, base_network), read_settings(arguments, base_training)
    detection = read_settings(arguments, DetectionSettings())
    preprocessing = read_preprocessing(arguments)
    channels = [name.strip() for name in arguments.channels.split(",") if name.strip()]
    values = read_values("--lesion-values", arguments.lesion_values)
    files = read_case_list(arguments.cases, channels, needs=["lesions"])
    check_channel_names(tuple(files[0].channels), preprocessing)
    console.progress(Progress("read", 0.0, "Reading cases"))
    cases = [load_training_case(case, values, arguments.instances, arguments.series) for case in files]
    card = {
        "licence": arguments.licence,
        **({"intended_use": arguments.intended_use} if arguments.intended_use else {}),
    }
    reports: list[TrainingReport] = []
    bundle = train(
        cases,
        name=arguments.name or arguments.output.resolve().name,
        channels=tuple(files[0].channels),
        class_name=arguments.class_name,
        network=network,
        training=training,
        detection=detection,
        spacing_mm=arguments.spacing_mm,
        preprocessing=preprocessing,
        tissue=arguments.tissue,
        card=card,
        output=arguments.output,
        device=arguments.device,
        learning_curve=arguments.learning_curve,
        told=reports.append,
        progress=console.progress,
    )
    (report,) = reports
    _tell(console, bundle, report, arguments.output)
    document = {"output": str(arguments.output), "sha256": bundle.sha256, **bundle.card.model_dump(mode="json")}
    console.finish({**document, "summary": report.summary, "mean_sensitivity": report.froc.mean_sensitivity})
    return 0


def _tell(console: Console, bundle: ModelBundle, report: TrainingReport, output: Path) -> None:
    """Say what came of it."""
    console.say(
        f"Model '{bundle.card.name}' learnt from {count_words(bundle.card.training_lesions, 'lesion')} "
        f"in {count_words(bundle.card.training_cases, 'case')}."
    )
    for point in bundle.card.operating_points:
        console.say(
            f"  {point.name}: threshold {point.threshold:.3f} finds {point.sensitivity:.0%} of {point.lesions} lesions "
            f"at {point.fp_per_case:.1f} false alarms a case (chosen on {point.chosen_on})"
        )
    for refusal in bundle.card.refused_points:
        console.say(f"  {refusal}")
    console.say(report.summary)
    if report.curve:
        console.say(report.curve.words)
    for note in bundle.card.notes:
        console.warn(note)
    console.say(f"Written to {output}.")
    console.say(
        f"Report: {output / TRAINING_REPORT_FILE} (it shows the training cases; delete it before passing the model on)"
    )


@dataclass(frozen=True)
class _Kind:
    """A kind of model: what it is taught, its options, and how it is taught."""

    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Console], int]


_KINDS = {
    "mtann": _Kind("teach a model to find lesions", _add_mtann, _run_mtann),
    "enhancement": _Kind("teach a model to turn an image into another", add_enhancement, run_enhancement),
    "unet": _Kind("teach a planned U-Net to segment: one fold, or all cases", add_unet, run_unet),
}
