"""``mtann filter``: score any detector's candidates anew, in one case or in a list of cases; none is dropped."""

import argparse
from functools import partial
from pathlib import Path

from mtann.cases import CaseFiles
from mtann.commands.console import Console
from mtann.commands.looking import Looking, Task, add_case_arguments
from mtann.commands.options import read_values
from mtann.errors import SettingsError
from mtann.filtering import filter_candidates
from mtann.given_files import hash_given, read_given


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument(
        "--candidates",
        type=Path,
        metavar="FILE",
        help="what a detector has found: a label map, points (.mrk.json, .fcsv, CSV), or the candidates.json of a "
        "result; with --cases, the column 'candidates' names it",
    )
    parser.add_argument(
        "--candidate-values",
        default="",
        metavar="1,2,...",
        help="values of a label map that are candidates (default: all but 0)",
    )
    parser.add_argument(
        "--instances",
        action="store_true",
        help="each value of a label map is one candidate (default: each connected component)",
    )
    add_case_arguments(parser, "how the image is scanned (defaults are the model's own)")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command; returns the exit code."""
    if bool(arguments.candidates) == bool(arguments.cases):
        raise SettingsError(
            "Give the candidates of one case as --candidates, or a list --cases with a column 'candidates'."
        )
    values = read_values("--candidate-values", arguments.candidate_values)

    def open_case(case: CaseFiles) -> Task:
        path = case.candidates or arguments.candidates
        given = read_given(path, values, arguments.instances, arguments.series)
        # A folder's name may tell who the patient is.
        source = "DICOM series" if path.is_dir() else path.name
        return Task(partial(filter_candidates, candidates=given, source=source), {"candidates": hash_given(given)})

    return Looking(arguments, console, open_case, needs=("candidates",)).run()
