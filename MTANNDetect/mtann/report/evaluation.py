"""An evaluation as files: ``evaluation.json``, ``cases.csv``, ``lesions.csv``, and the folder that holds them."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mtann.evaluation.assess import Evaluation
from mtann.evaluation.bootstrap import Measured
from mtann.evaluation.study import MatchedCase
from mtann.output_folder import FolderKind, replace_folder
from mtann.report.documents import RESEARCH_USE_NOTICE, json_text

DOCUMENT_FILE, CASES_FILE, LESIONS_FILE, PAGE_FILE = "evaluation.json", "cases.csv", "lesions.csv", "report.html"
EVALUATION_FOLDER = FolderKind(
    "evaluation",
    DOCUMENT_FILE,
    ("schema_version", "hit_criterion", "confusion"),
    (DOCUMENT_FILE, CASES_FILE, LESIONS_FILE, PAGE_FILE),
)


def evaluation_document(evaluation: Evaluation) -> dict[str, Any]:
    """The content of ``evaluation.json``: every figure with its interval. No case is named: names may tell who."""
    curve = evaluation.froc
    return {
        "schema_version": 1,
        "research_use_notice": RESEARCH_USE_NOTICE,
        "hit_criterion": {**evaluation.rule.model_dump(mode="json"), "words": evaluation.rule.words},
        "cases": len(evaluation.cases),
        "patients": evaluation.patients,
        "lesions": sum(len(one.case.lesions) for one in evaluation.cases),
        "intervals": "95 % bootstrap, by patient",
        "notes": list(evaluation.notes),
        "lesion": _all(evaluation.lesion),
        "sizes": {name: {"lesions": count, **_one(found)} for name, (count, found) in evaluation.sizes.items()},
        "case": _all(evaluation.case),
        "confusion": dict(zip(("tp", "fp", "fn", "tn"), evaluation.confusion, strict=True)),
        "voxel": _all(evaluation.voxel),
        "calibration": _all(evaluation.calibration),
        "reliability": [vars(one) for one in evaluation.reliability.bins] if evaluation.reliability else [],
        "readers": _all(evaluation.readers),
        "subgroups": {
            column: [
                {
                    "value": group.value,
                    "cases": group.cases,
                    "figures": _all(group.figures),
                    "differences": _all(group.differences),
                }
                for group in groups
            ]
            for column, groups in evaluation.groups.items()
        },
        "froc": None
        if curve is None
        else {
            "thresholds": curve.thresholds.tolist(),
            "sensitivity": curve.sensitivity.tolist(),
            "fp_per_case": curve.fp_per_case.tolist(),
        },
    }


def cases_csv(evaluation: Evaluation) -> str:
    """One row a case: counts, score, voxel measures."""
    names = ("dice", "iou", "surface_dice_1mm", "surface_dice_2mm", "hd95_mm", "assd_mm", "volume_mm3", "reference_mm3")
    header = ["case", "lesions", "lesions_found", "false_alarms", "candidates", "score"]
    voxels = evaluation.voxels
    columns = {name: voxels.values(name) for name in names} if voxels else {}
    lesion_wise = ("lesion_wise_dice", "lesion_wise_hd95_mm") if voxels else ()
    rows = []
    for number, one in enumerate(evaluation.cases):
        row: list[Any] = [number + 1, len(one.case.lesions), one.found, one.false_alarms, len(one.case.found)]
        row += [_number(one.score), *(_number(values[number]) for values in columns.values())]
        if voxels:
            own = voxels.measured[number]
            row += ["", ""] if own is None else [_number(own.by_lesion.mean_dice), _number(own.by_lesion.mean_hd95_mm)]
        rows.append(row)
    return _csv([*header, *columns, *lesion_wise], rows)


def lesions_csv(evaluation: Evaluation) -> str:
    """One row a lesion, then one a false alarm: where, how large, what score, whether found."""
    rows = []
    for number, one in enumerate(evaluation.cases, start=1):
        rows += _lesion_rows(number, one)
    header = ["case", "kind", "number", "x_lps_mm", "y_lps_mm", "z_lps_mm", "diameter_mm", "score", "reported"]
    return _csv(header, rows)


def _lesion_rows(number: int, one: MatchedCase) -> list[list[Any]]:
    rows: list[list[Any]] = []
    best = zip(one.case.lesions, one.match.lesion_scores, one.reported.lesion_scores, strict=True)
    for position, (lesion, score, reported) in enumerate(best, start=1):
        size = "" if lesion.radius_mm is None else _number(2 * lesion.radius_mm)
        place = map(_number, lesion.centre_lps_mm)
        rows.append([number, "lesion", position, *place, size, _number(score), _yes(bool(np.isfinite(reported)))])
    for position, (found, hit) in enumerate(zip(one.case.found, one.match.hits, strict=True), start=1):
        if hit is None:
            size = "" if found.radius_mm is None else _number(2 * found.radius_mm)
            place = map(_number, found.centre_lps_mm)
            rows.append([number, "false_alarm", position, *place, size, _number(found.score), _yes(found.reported)])
    return rows


def save_evaluation(evaluation: Evaluation, page: str, directory: Path | str) -> None:
    """Write all files of an evaluation, or none; a former evaluation in the same place is replaced.

    Raises:
        OutputError: The folder is not a former evaluation, cannot be written, or the disk is full.
    """
    files = {
        CASES_FILE: cases_csv(evaluation),
        LESIONS_FILE: lesions_csv(evaluation),
        PAGE_FILE: page,
        DOCUMENT_FILE: json_text(evaluation_document(evaluation)),
    }
    with replace_folder(directory, EVALUATION_FOLDER) as work:
        for name, text in files.items():
            (work / name).write_text(text, encoding="utf-8", newline="\n")


def _all(figures: Mapping[str, Measured]) -> dict[str, dict[str, float | None]]:
    return {name: _one(measured) for name, measured in figures.items()}


def _one(measured: Measured) -> dict[str, float | None]:
    return {"value": measured.value, "low": measured.low, "high": measured.high}


def _number(value: float) -> str:
    """A number to a millionth; nothing where there is none."""
    return repr(round(float(value), 6)) if math.isfinite(value) else ""


def _yes(value: bool) -> str:
    return "true" if value else "false"


def _csv(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return file.getvalue()
