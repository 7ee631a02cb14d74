"""Reading point lists whose coordinate system is stated in the file.

A point without a stated system is refused: taking RAS for LPS moves a lesion to the other side of the head.
"""

import csv
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mtann.errors import CasesError
from mtann.geometry import FloatArray

_RAS_TO_LPS = np.array([-1.0, -1.0, 1.0])
# Slicer wrote the number of an enumeration in older versions and the name in newer ones.
_FCSV_SYSTEMS = {"0": "RAS", "RAS": "RAS", "1": "LPS", "LPS": "LPS"}


class Points(NamedTuple):
    """Marked points.

    Attributes:
        lps_mm: Where they are (n, 3).
        radii_mm: Their radii, None where not given.
        scores: What a detector made of them, None where not given.
    """

    lps_mm: FloatArray
    radii_mm: list[float | None]
    scores: list[float | None]


def read_points(path: Path) -> Points:
    """Read points and, from CSV, what its columns ``radius_mm`` and ``score`` say of them.

    Raises:
        CasesError: The file is missing or damaged, does not state a coordinate system, or marks more than points.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CasesError(
            f"The points in '{path.name}' cannot be read ({error}). Check the path and the file."
        ) from error
    name = path.name.lower()
    try:
        if name.endswith(".mrk.json"):
            return _from_markups(text, path.name)
        return _from_fcsv(text, path.name) if name.endswith(".fcsv") else _from_csv(text, path.name)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, csv.Error) as error:
        if isinstance(error, CasesError):
            raise
        raise CasesError(
            f"The points in '{path.name}' are damaged ({error!r}). "
            "Save them again from Slicer, or as CSV with x_lps_mm,y_lps_mm,z_lps_mm."
        ) from error


def _from_markups(text: str, name: str) -> Points:
    points: list[Any] = []
    for markup in json.loads(text)["markups"]:
        kind = markup.get("type")
        if kind != "Fiducial":
            raise CasesError(
                f"'{name}' holds a markup of type '{kind}'; lesions are marked as points (type 'Fiducial'). "
                "Save a point list from Slicer."
            )
        system = markup.get("coordinateSystem")
        if system not in ("LPS", "RAS"):
            raise _no_system(name)
        units = markup.get("coordinateUnits", "mm")
        # One unit, or one a coordinate.
        if units != "mm" and (not isinstance(units, list) or set(units) != {"mm"}):
            raise CasesError(f"The points in '{name}' are in {units!r}; millimetres are needed.")
        sign = _RAS_TO_LPS if system == "RAS" else np.ones(3)
        points += [
            np.array(point["position"], dtype=np.float64).reshape(3) * sign
            for point in markup.get("controlPoints", [])
            if point.get("positionStatus", "defined") == "defined"
        ]
    return _unmeasured(np.array(points, dtype=np.float64))


def _from_fcsv(text: str, name: str) -> Points:
    header = [line[1:].strip() for line in text.splitlines() if line.startswith("#")]
    facts = {key.strip(): value.strip() for key, _, value in (line.partition("=") for line in header)}
    system = _FCSV_SYSTEMS.get(facts.get("CoordinateSystem", ""))
    if system is None:
        raise _no_system(name)
    columns = facts.get("columns", "id,x,y,z").split(",")
    x, y, z = (columns.index(axis) for axis in "xyz")
    rows = list(csv.reader(line for line in text.splitlines() if line and not line.startswith("#")))
    points = np.array([[float(row[x]), float(row[y]), float(row[z])] for row in rows], dtype=np.float64).reshape(-1, 3)
    return _unmeasured(points * (_RAS_TO_LPS if system == "RAS" else 1.0))


def _from_csv(text: str, name: str) -> Points:
    reader = csv.DictReader(text.splitlines())
    columns = [column.strip() for column in reader.fieldnames or []]
    reader.fieldnames = columns
    for system in ("lps", "ras"):
        axes = [f"{axis}_{system}_mm" for axis in "xyz"]
        if set(axes) <= set(columns):
            break
    else:
        raise _no_system(name)
    rows = list(reader)
    points = np.array([[float(row[axis]) for axis in axes] for row in rows], dtype=np.float64).reshape(-1, 3)
    radii, scores = ([_number(row.get(column)) for row in rows] for column in ("radius_mm", "score"))
    return Points(points * (_RAS_TO_LPS if system == "ras" else 1.0), radii, scores)


def _unmeasured(points_lps_mm: FloatArray) -> Points:
    nothing: list[float | None] = [None] * len(points_lps_mm)
    return Points(points_lps_mm.reshape(-1, 3), nothing, nothing)


def _number(text: str | None) -> float | None:
    return float(text) if text and text.strip() else None


def _no_system(name: str) -> CasesError:
    return CasesError(
        f"The points in '{name}' do not state their coordinate system. Save them from Slicer as .mrk.json, "
        "or as CSV with the columns x_lps_mm,y_lps_mm,z_lps_mm or x_ras_mm,y_ras_mm,z_ras_mm and, if known, radius_mm."
    )
