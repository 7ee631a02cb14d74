"""A comparison of two models as files: ``comparison.json``, ``differences.csv`` and ``report.html``."""

import csv
import io
from pathlib import Path
from typing import Any

from mtann.evaluation.bootstrap import Measured
from mtann.evaluation.paired import Comparison, McNemar
from mtann.output_folder import FolderKind, replace_folder
from mtann.report.diverging import png_bytes
from mtann.report.documents import RESEARCH_USE_NOTICE, json_text
from mtann.report.evaluation_page import figure_words, interval_words, words_of
from mtann.report.evaluation_plots import difference_figure
from mtann.report.html import software_versions, template
from mtann.report.words import count_words, p_words

_DOCUMENT, _TABLE, _PAGE = "comparison.json", "differences.csv", "report.html"
COMPARISON_FOLDER = FolderKind(
    "comparison", _DOCUMENT, ("schema_version", "hit_criterion", "differences"), (_DOCUMENT, _TABLE, _PAGE)
)
_PLOTTED = (
    "lesion.sensitivity",
    "lesion.precision",
    "lesion.mean_sensitivity",
    "lesion.average_precision",
    "lesion.figure_of_merit",
    "lesion.figure_of_merit_all",
    "case.auroc",
    "voxel.dice",
    "voxel.lesion_wise_dice",
)


def comparison_document(comparison: Comparison) -> dict[str, Any]:
    """The content of ``comparison.json``."""
    return {
        "schema_version": 1,
        "research_use_notice": RESEARCH_USE_NOTICE,
        "hit_criterion": {**comparison.rule.model_dump(mode="json"), "words": comparison.rule.words},
        "cases": comparison.count,
        "patients": comparison.patients,
        "intervals": "95 % bootstrap, by patient, the same draws for both models",
        "notes": list(comparison.notes),
        "differences": {
            name: {"a": vars(one.first), "b": vars(one.second), "a_less_b": vars(one.difference)}
            for name, one in comparison.figures.items()
        },
        "mcnemar_lesions": _mcnemar(comparison.lesions),
        "mcnemar_cases": _mcnemar(comparison.cases),
    }


def comparison_page(comparison: Comparison, names: tuple[str, str] = ("A", "B")) -> str:
    """The content of ``report.html``: no link, no script, nothing to load from elsewhere."""
    plotted = [name for name in _PLOTTED if name in comparison.figures]
    rows = [(words_of(name), _ends(comparison.figures[name].difference)) for name in plotted]
    known = [(name, ends) for name, ends in rows if ends is not None]
    figure = difference_figure([name for name, _ in known], [ends for _, ends in known])
    return template("comparison.html").render(
        comparison=comparison,
        names=names,
        plot=png_bytes(figure, "white") if known else b"",
        notice=RESEARCH_USE_NOTICE,
        software=software_versions(),
        words=words_of,
        value=figure_words,
        interval=interval_words,
        count=count_words,
        p_words=p_words,
    )


def mcnemar_lines(comparison: Comparison) -> tuple[str, ...]:
    """What one model alone got right, a line for lesions and one for cases."""
    both = (("Lesions found", comparison.lesions), ("Cases called rightly", comparison.cases))
    return tuple(
        f"{what} by A alone: {test.first_only}, by B alone: {test.second_only}; McNemar's exact p {p_words(test.p)}"
        for what, test in both
    )


def save_comparison(comparison: Comparison, page: str, directory: Path | str) -> None:
    """Write all files of a comparison, or none; a former one in the same place is replaced.

    Raises:
        OutputError: The folder is not a former comparison, cannot be written, or the disk is full.
    """
    files = {_TABLE: differences_csv(comparison), _PAGE: page, _DOCUMENT: json_text(comparison_document(comparison))}
    with replace_folder(directory, COMPARISON_FOLDER) as work:
        for name, text in files.items():
            (work / name).write_text(text, encoding="utf-8", newline="\n")


def differences_csv(comparison: Comparison) -> str:
    """One row a figure, then what one model alone got right, with McNemar's p."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["figure", "a", "b", "a_less_b", "low", "high", "mcnemar_p"])
    for name, one in comparison.figures.items():
        values = (one.first.value, one.second.value, one.difference.value, one.difference.low, one.difference.high)
        writer.writerow([name, *("" if value is None else repr(round(value, 6)) for value in values), ""])
    for name, test in (
        ("lesion.found_by_one_alone", comparison.lesions),
        ("case.right_by_one_alone", comparison.cases),
    ):
        counts = (test.first_only, test.second_only, test.first_only - test.second_only)
        writer.writerow([name, *counts, "", "", repr(float(f"{test.p:.6g}"))])
    return file.getvalue()


def _ends(measured: Measured) -> tuple[float, float, float] | None:
    if measured.value is None or measured.low is None or measured.high is None:
        return None
    return measured.value, measured.low, measured.high


def _mcnemar(test: McNemar) -> dict[str, float]:
    return {"a_only": test.first_only, "b_only": test.second_only, "p": test.p}
