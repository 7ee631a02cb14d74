"""``mtann detect``: find lesions in one case, or in a list of cases."""

import argparse

from mtann.cases import CaseFiles
from mtann.commands.console import Console
from mtann.commands.looking import Looking, Task, add_case_arguments
from mtann.commands.then_segment import add_then_segment, run_then_segment
from mtann.pipeline import detect


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    add_case_arguments(parser, "how candidates are found (defaults are the model's own)")
    add_then_segment(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command; returns the exit code."""
    if arguments.then_segment is not None:
        return run_then_segment(arguments, console)

    def open_case(_: CaseFiles) -> Task:
        return Task(detect, {})

    return Looking(arguments, console, open_case).run()
