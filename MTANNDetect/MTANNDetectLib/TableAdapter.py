"""Candidates, what the reader decided of them, and their table node, in both directions."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import slicer
import slicer.util
import vtk

from mtann.errors import CasesError

from .Coordinates import flipped
from .Library import libraryModule
from .Review.Findings import Finding
from .Spaces import worldFromLocal
from .Translation import _

if TYPE_CHECKING:
    from mtann.detection.candidate import Candidate

_ARRAYS = {int: vtk.vtkIntArray, float: vtk.vtkDoubleArray, str: vtk.vtkStringArray}
_YES, _NO = "yes", "no"


@dataclass(frozen=True)
class _Column:
    """One column: its name in files, its heading, its unit, what it says, and the type of its values."""

    name: str
    title: str
    unit: str
    description: str
    kind: type


_WORLD = "centroid in the world, as the data probe shows it"
_LOCAL = "LPS inside the volume's parent transform"
_COLUMNS = (
    _Column("id", "Id", "", "1 for the highest score", int),
    _Column("reported", "Reported", "", "whether the score reaches the threshold", str),
    _Column("score", "Score", "", "Gaussian-weighted likelihood, uncalibrated", float),
    _Column("probability", "Probability", "", "calibrated probability of being a lesion, or nan", float),
    *(_Column(f"world_{axis.lower()}_mm", axis, "mm", _WORLD, float) for axis in "RAS"),
    _Column("volume_mm3", "Volume", "mm3", "volume of the outline", float),
    _Column("axial_diameter_mm", "Axial diameter", "mm", "longest, in the largest axial section", float),
    _Column("perpendicular_diameter_mm", "Perpendicular diameter", "mm", "longest at right angles to it", float),
    _Column("max_diameter_mm", "3-D diameter", "mm", "longest in three dimensions", float),
    _Column("class_name", "Class", "", "what the model was taught to find", str),
    *(_Column(f"centroid_{axis}_lps_mm", f"Centroid {axis}", "mm", _LOCAL, float) for axis in "xyz"),
    *(_Column(f"peak_{axis}_lps_mm", f"Peak {axis}", "mm", _LOCAL, float) for axis in "xyz"),
)
_REVIEW_COLUMNS = (
    _Column("status", "Status", "", "what the reader decided: new, accepted, rejected or added", str),
    _Column("place", "Place", "", "where it lies, in words", str),
)


def tableNodeFromFindings(
    findings: Sequence[Finding], name: str, inputNode: slicer.vtkMRMLScalarVolumeNode
) -> slicer.vtkMRMLTableNode:
    """Add a table node with one row a finding, those below the threshold included."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", name)
    fillTable(node, findings, inputNode)
    return node


def fillTable(
    node: slicer.vtkMRMLTableNode, findings: Sequence[Finding], inputNode: slicer.vtkMRMLScalarVolumeNode
) -> None:
    """Make a table hold one row a finding, in their order, whatever it held before."""
    centres = [finding.candidate.centroid_lps_mm for finding in findings]
    world = worldFromLocal(inputNode, flipped(centres)) if findings else ()
    rows = [_rowFromFinding(finding, ras) for finding, ras in zip(findings, world, strict=True)]
    with slicer.util.NodeModify(node):
        node.RemoveAllColumns()
        for column in (*_COLUMNS, *_REVIEW_COLUMNS):
            array = _ARRAYS[column.kind]()
            array.SetName(column.name)
            for row in rows:
                array.InsertNextValue(column.kind(row[column.name]))
            node.AddColumn(array)
            node.SetColumnTitle(column.name, f"{column.title} ({column.unit})" if column.unit else column.title)
            node.SetColumnUnitLabel(column.name, column.unit)
            node.SetColumnDescription(column.name, column.description)
        node.SetUseColumnTitleAsColumnHeader(True)
        node.SetLocked(True)


def markReported(node: slicer.vtkMRMLTableNode, findings: Sequence[Finding]) -> None:
    """Write anew which findings are reported; nothing else in the table changes."""
    column = node.GetTable().GetColumnByName("reported")
    for row, finding in enumerate(findings):
        column.SetValue(row, _YES if finding.candidate.reported else _NO)
    node.GetTable().Modified()


def findingsFromTable(tableNode: slicer.vtkMRMLTableNode) -> tuple[Finding, ...]:
    """Read findings back from a table node.

    Raises:
        CasesError: The table lacks a column, so it is no candidate table.
    """
    candidates = candidatesFromTable(tableNode)
    table = tableNode.GetTable()
    columns = [table.GetColumnByName(column.name) for column in _REVIEW_COLUMNS]
    if None in columns:
        return tuple(Finding(candidate) for candidate in candidates)
    return tuple(
        Finding(candidate, *(column.GetValue(row) for column in columns)) for row, candidate in enumerate(candidates)
    )


def candidatesFromTable(tableNode: slicer.vtkMRMLTableNode) -> tuple["Candidate", ...]:
    """Read candidates back from a table node; their positions are inside the parent transform of the scanned volume.

    Raises:
        CasesError: The table lacks a column, so it is no candidate table.
    """
    table = tableNode.GetTable()
    present = {table.GetColumnName(index) for index in range(table.GetNumberOfColumns())}
    missing = [column.name for column in _COLUMNS if column.name not in present]
    if missing:
        raise CasesError(
            _("The table '{name}' lacks the column(s) {missing}. Choose a table that MTANNDetect made.").format(
                name=tableNode.GetName(), missing=", ".join(missing)
            )
        )
    return tuple(
        _candidateFromRow({c.name: c.kind(table.GetColumnByName(c.name).GetValue(row)) for c in _COLUMNS})
        for row in range(table.GetNumberOfRows())
    )


def _rowFromFinding(finding: Finding, worldRasMm: Sequence[float]) -> dict[str, Any]:
    candidate = finding.candidate
    row = {column.name: getattr(candidate, column.name) for column in _COLUMNS if hasattr(candidate, column.name)}
    row["reported"] = _YES if candidate.reported else _NO
    row["probability"] = math.nan if candidate.probability is None else candidate.probability
    row |= {f"world_{axis}_mm": value for axis, value in zip("ras", worldRasMm, strict=True)}
    row |= {f"centroid_{axis}_lps_mm": value for axis, value in zip("xyz", candidate.centroid_lps_mm, strict=True)}
    row |= {f"peak_{axis}_lps_mm": value for axis, value in zip("xyz", candidate.peak_lps_mm, strict=True)}
    row |= {"status": finding.status, "place": finding.place}
    return row


def _candidateFromRow(row: dict[str, Any]) -> "Candidate":
    candidate: Candidate = libraryModule("mtann.detection.candidate").Candidate(
        id=row["id"],
        centroid_lps_mm=_triple(row, "centroid"),
        peak_lps_mm=_triple(row, "peak"),
        score=row["score"],
        probability=None if math.isnan(row["probability"]) else row["probability"],
        class_name=row["class_name"],
        reported=row["reported"] == _YES,
        volume_mm3=row["volume_mm3"],
        axial_diameter_mm=row["axial_diameter_mm"],
        perpendicular_diameter_mm=row["perpendicular_diameter_mm"],
        max_diameter_mm=row["max_diameter_mm"],
    )
    return candidate


def _triple(row: dict[str, Any], place: str) -> tuple[float, float, float]:
    return (row[f"{place}_x_lps_mm"], row[f"{place}_y_lps_mm"], row[f"{place}_z_lps_mm"])
