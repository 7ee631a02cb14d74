"""``mtann compare``: two models' predictions on the same cases."""

import argparse
from dataclasses import replace
from pathlib import Path

from mtann.commands.console import Console
from mtann.commands.evaluate import add_study, reading
from mtann.evaluation.paired import compare
from mtann.evaluation.rules import read_rule
from mtann.output_folder import check_output, recover_folder
from mtann.progress import Run
from mtann.report.comparison import (
    COMPARISON_FOLDER,
    comparison_document,
    comparison_page,
    mcnemar_lines,
    save_comparison,
)
from mtann.report.evaluation_page import figure_words, interval_words, words_of
from mtann.study_files import read_study


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    for name in ("first", "second"):
        parser.add_argument(name, type=Path, metavar={"first": "A", "second": "B"}[name], help="predictions of a model")
    add_study(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command; returns the exit code."""
    recover_folder(arguments.output, COMPARISON_FOLDER)
    check_output(arguments.output, COMPARISON_FOLDER)
    rule, how = read_rule(arguments.hit), reading(arguments)
    first, notes = read_study(arguments.first, arguments.references, how)
    second, more = read_study(arguments.second, arguments.references, how)
    comparison = compare(first, second, rule, draws=arguments.draws, seed=arguments.seed, run=Run(console.progress))
    comparison = replace(comparison, notes=(*dict.fromkeys((*notes, *more)), *comparison.notes))
    save_comparison(comparison, comparison_page(comparison), arguments.output)
    console.say(f"  {'':<80} {'A':>8} {'B':>8}  {'A − B':>8} (95 % interval)")
    for name, one in comparison.figures.items():
        console.say(
            f"  {words_of(name):<80} {figure_words(one.first):>8} {figure_words(one.second):>8}  "
            f"{figure_words(one.difference):>8} ({interval_words(one.difference)})"
        )
    for line in mcnemar_lines(comparison):
        console.say(f"  {line}")
    for note in comparison.notes:
        console.warn(note)
    console.say(f"Written to {arguments.output}: see report.html. Research software.")
    console.finish({"output": str(arguments.output), **comparison_document(comparison)})
    return 0
