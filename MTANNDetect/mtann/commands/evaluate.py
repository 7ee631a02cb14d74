"""``mtann evaluate``: how well predictions agree with references."""

import argparse
from dataclasses import replace
from pathlib import Path

from mtann.commands.console import Console
from mtann.commands.options import add_common, read_values
from mtann.errors import CasesError
from mtann.evaluation.agreement import reader_figures
from mtann.evaluation.assess import LEVELS, Evaluation, assess
from mtann.evaluation.bootstrap import DRAWS
from mtann.evaluation.levels import Figure
from mtann.evaluation.rules import HitRule, read_rule
from mtann.evaluation.study import StudyCase
from mtann.output_folder import check_output, recover_folder
from mtann.progress import Run
from mtann.report.evaluation import EVALUATION_FOLDER, evaluation_document, save_evaluation
from mtann.report.evaluation_page import evaluation_page, figure_words, interval_words, words_of
from mtann.study_files import Reading, read_levels, read_references, read_study


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument(
        "--predictions",
        required=True,
        type=Path,
        metavar="DIR|JSON",
        help="folder with a result folder, label map or file of points a case, named like the references; or JSON",
    )
    add_study(parser)
    parser.add_argument(
        "--second-reader", type=Path, metavar="DIR|CSV", help="references of another reader, to tell how both agree"
    )
    parser.add_argument("--levels", default=",".join(LEVELS), help="what to evaluate (default: lesion,case,voxel)")


def add_study(parser: argparse.ArgumentParser) -> None:
    """Describe the options that ``evaluate`` and ``compare`` share."""
    parser.add_argument(
        "--references",
        required=True,
        type=Path,
        metavar="DIR|CSV",
        help="folder with one label map or file of points a case, or a list with the columns case, patient, lesions "
        "(empty: none), an image for pictures, and subgroups",
    )
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="folder for the report")
    parser.add_argument(
        "--hit",
        default="centre",
        metavar="RULE",
        help="when a candidate hits a lesion: centre[:MM], luna16, iou[:SHARE] or dilated[:VOXELS] (default: centre)",
    )
    parser.add_argument(
        "--threshold", type=float, metavar="X", help="score from which candidates are reported (default: as predicted)"
    )
    parser.add_argument(
        "--lesion-values", default="", metavar="1,2,...", help="label values of references (default: all but 0)"
    )
    parser.add_argument(
        "--predicted-values", default="", metavar="1,2,...", help="label values of predictions (default: all but 0)"
    )
    parser.add_argument(
        "--instances",
        action="store_true",
        help="each label value of a reference is one lesion (default: each connected component)",
    )
    parser.add_argument("--draws", type=int, default=DRAWS, help=f"draws of the bootstrap (default: {DRAWS})")
    parser.add_argument("--seed", type=int, default=0, help="seed of the bootstrap (default: 0)")
    add_common(parser)


def reading(arguments: argparse.Namespace) -> Reading:
    """How the options say that files are read."""
    return Reading(
        values=tuple(read_values("--lesion-values", arguments.lesion_values)),
        keep_instances=arguments.instances,
        predicted_values=tuple(read_values("--predicted-values", arguments.predicted_values)),
        threshold=arguments.threshold,
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command; returns the exit code."""
    recover_folder(arguments.output, EVALUATION_FOLDER)
    check_output(arguments.output, EVALUATION_FOLDER)
    rule, how, levels = read_rule(arguments.hit), reading(arguments), read_levels(arguments.levels, LEVELS)
    cases, notes = read_study(arguments.predictions, arguments.references, how)
    readers = _second_reader(arguments.second_reader, cases, how, rule) if arguments.second_reader else []
    evaluation = assess(
        cases,
        rule,
        levels=levels,
        readers=readers,
        draws=arguments.draws,
        seed=arguments.seed,
        run=Run(console.progress),
    )
    evaluation = replace(evaluation, notes=(*notes, *evaluation.notes))
    save_evaluation(evaluation, evaluation_page(evaluation), arguments.output)
    _tell(console, evaluation)
    for note in evaluation.notes:
        console.warn(note)
    console.say(f"Written to {arguments.output}: see report.html. Research software.")
    console.finish({"output": str(arguments.output), **evaluation_document(evaluation)})
    return 0


def _second_reader(path: Path, cases: tuple[StudyCase, ...], how: Reading, rule: HitRule) -> list[Figure]:
    others = {one.case: one for one in read_references(path, how)}
    missing = [case.case for case in cases if case.case not in others]
    if missing:
        raise CasesError(
            f"{len(missing)} of {len(cases)} cases were not read by the second reader: {', '.join(missing[:5])}. "
            "Add them, or take them out of the references."
        )
    second = [others[case.case] for case in cases]
    return reader_figures(cases, [one.lesions for one in second], [one.lesion_map for one in second], rule)


def _tell(console: Console, evaluation: Evaluation) -> None:
    levels = {
        "Lesions": evaluation.lesion,
        "Cases": evaluation.case,
        "Voxels": evaluation.voxel,
        "Probabilities": evaluation.calibration,
        "Readers": evaluation.readers,
    }
    for title, figures in levels.items():
        if figures:
            console.say(f"{title}:")
        for name, measured in figures.items():
            console.say(f"  {words_of(name):<70} {figure_words(measured):>8}  ({interval_words(measured)})")
