"""Points come out in LPS millimetres, whatever system the file states, and are refused where it states none."""

import json
from pathlib import Path

import numpy as np
import pytest

from mtann.errors import CasesError
from mtann.sampling.points import read_points

LPS = [[10.0, -20.0, 30.0], [-1.5, 2.25, 0.0]]
RAS = [[-10.0, 20.0, 30.0], [1.5, -2.25, 0.0]]


def saved(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def markup(system: str | None, places: list[object], **more: object) -> dict[str, object]:
    points = [{"id": str(n), "position": place, "positionStatus": "defined"} for n, place in enumerate(places, 1)]
    stated = {} if system is None else {"coordinateSystem": system}
    return {"type": "Fiducial", **stated, "controlPoints": points, **more}


def markups(*lists: dict[str, object]) -> str:
    return json.dumps({"markups": list(lists)})


def fcsv(
    system: str | None, places: list[list[float]], columns: str = "id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label"
) -> str:
    rows = [f"n{n},{x},{y},{z},0,0,0,1,1,1,0,F-{n}" for n, (x, y, z) in enumerate(places, 1)]
    header = ["# Markups fiducial file version = 4.11"]
    if system is not None:
        header.append(f"# CoordinateSystem = {system}")
    return "\n".join([*header, f"# columns = {columns}", *rows, ""])


@pytest.mark.parametrize(("system", "stored"), [("LPS", LPS), ("RAS", RAS)])
def test_markups_are_read_in_the_system_that_they_state(tmp_path: Path, system: str, stored: list[object]) -> None:
    points, radii, _ = read_points(saved(tmp_path, "F.mrk.json", markups(markup(system, stored))))
    assert points.tolist() == LPS
    assert radii == [None, None]


def test_several_lists_in_one_file_each_state_their_own_system(tmp_path: Path) -> None:
    text = markups(markup("LPS", LPS[:1]), markup("RAS", RAS[1:]))
    assert read_points(saved(tmp_path, "F.mrk.json", text))[0].tolist() == LPS


@pytest.mark.parametrize("status", ["undefined", "preview", "missing"])
def test_markups_that_were_never_placed_are_skipped(tmp_path: Path, status: str) -> None:
    points = markup("LPS", LPS)
    points["controlPoints"].insert(1, {"id": "3", "position": [0.0, 0.0, 0.0], "positionStatus": status})
    assert read_points(saved(tmp_path, "F.mrk.json", markups(points)))[0].tolist() == LPS


def test_an_empty_list_has_no_points(tmp_path: Path) -> None:
    for name, text in (
        ("F.mrk.json", markups(markup("LPS", []))),
        ("F.fcsv", fcsv("LPS", [])),
        ("F.csv", "x_lps_mm,y_lps_mm,z_lps_mm\n"),
    ):
        points, radii, _ = read_points(saved(tmp_path, name, text))
        assert points.shape == (0, 3)
        assert radii == []


@pytest.mark.parametrize("kind", ["Line", "Angle", "Curve", "ClosedCurve", "Plane", "ROI", None])
def test_markups_other_than_points_are_refused(tmp_path: Path, kind: str | None) -> None:
    text = markups(markup("LPS", LPS), markup("LPS", LPS, type=kind))
    with pytest.raises(CasesError, match=f"'F.mrk.json' holds a markup of type '{kind}'"):
        read_points(saved(tmp_path, "F.mrk.json", text))


@pytest.mark.parametrize("units", ["mm", ["mm"], ["mm", "mm", "mm"]])
def test_markups_in_millimetres_are_read(tmp_path: Path, units: object) -> None:
    text = markups(markup("LPS", LPS, coordinateUnits=units))
    assert read_points(saved(tmp_path, "F.mrk.json", text))[0].tolist() == LPS


@pytest.mark.parametrize("units", ["um", ["mm", "mm", "s"], [], None])
def test_markups_in_other_units_are_refused(tmp_path: Path, units: object) -> None:
    with pytest.raises(CasesError, match="millimetres are needed"):
        read_points(saved(tmp_path, "F.mrk.json", markups(markup("LPS", LPS, coordinateUnits=units))))


@pytest.mark.parametrize(("system", "stored"), [("0", RAS), ("RAS", RAS), ("1", LPS), ("LPS", LPS)])
def test_fcsv_states_its_system_by_name_or_number(tmp_path: Path, system: str, stored: list[list[float]]) -> None:
    points, radii, _ = read_points(saved(tmp_path, "F.fcsv", fcsv(system, stored)))
    assert points.tolist() == LPS
    assert radii == [None, None]


def test_fcsv_columns_are_found_by_name(tmp_path: Path) -> None:
    text = "# CoordinateSystem = LPS\n# columns = label,z,y,x\nfirst,30,-20,10\n\nsecond,0,2.25,-1.5\n"
    assert read_points(saved(tmp_path, "F.fcsv", text))[0].tolist() == LPS


@pytest.mark.parametrize(("system", "stored"), [("lps", LPS), ("ras", RAS)])
def test_csv_states_its_system_in_the_header(tmp_path: Path, system: str, stored: list[list[float]]) -> None:
    rows = "\n".join(f"{n},{z},{y},{x}" for n, (x, y, z) in enumerate(stored))
    text = f"\ufeffname, z_{system}_mm, y_{system}_mm ,x_{system}_mm\n{rows}\n"
    points, radii, _ = read_points(saved(tmp_path, "F.CSV", text))
    assert points.tolist() == LPS
    assert radii == [None, None]


def test_csv_may_give_a_score(tmp_path: Path) -> None:
    text = "score,x_lps_mm,y_lps_mm,z_lps_mm\n0.25,10,-20,30\n ,-1.5,2.25,0\n"
    points = read_points(saved(tmp_path, "F.csv", text))
    assert points.lps_mm.tolist() == LPS
    assert points.scores == [0.25, None]


def test_csv_may_give_a_radius(tmp_path: Path) -> None:
    text = "x_ras_mm,y_ras_mm,z_ras_mm,radius_mm\n-10,20,30,4.5\n1.5,-2.25,0,\n"
    points, radii, _ = read_points(saved(tmp_path, "F.csv", text))
    assert points.tolist() == LPS
    assert radii == [4.5, None]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("F.mrk.json", markups(markup(None, LPS))),
        ("F.mrk.json", markups(markup("IJK", LPS))),
        ("F.mrk.json", markups(markup("LPS", LPS), markup(None, LPS))),
        ("F.fcsv", fcsv(None, LPS)),
        ("F.fcsv", fcsv("2", LPS)),
        ("F.csv", "x,y,z\n1,2,3\n"),
        ("F.csv", "x_mm,y_mm,z_mm\n1,2,3\n"),
        ("F.csv", "x_lps_mm,y_lps_mm,z_ras_mm\n1,2,3\n"),
        ("F.csv", "X_LPS,Y_LPS,Z_LPS\n1,2,3\n"),
        ("F.csv", ""),
    ],
)
def test_points_without_a_known_system_are_refused(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(CasesError, match=f"'{name}' do not state their coordinate system"):
        read_points(saved(tmp_path, name, text))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("F.mrk.json", "no JSON"),
        ("F.mrk.json", "[1, 2]"),
        ("F.mrk.json", '{"markups": 3}'),
        ("F.mrk.json", '{"other": []}'),
        ("F.mrk.json", markups(markup("LPS", [[1.0, 2.0]]))),
        ("F.mrk.json", markups(markup("LPS", [5.0]))),
        ("F.mrk.json", markups(markup("LPS", [[5.0]]))),
        ("F.mrk.json", markups(markup("RAS", ["abc"]))),
        ("F.fcsv", fcsv("LPS", LPS, "id,x,y")),
        ("F.fcsv", "# CoordinateSystem = LPS\n# columns = id,x,y,z\n1,2,3\n"),
        ("F.csv", "x_lps_mm,y_lps_mm,z_lps_mm\n1,two,3\n"),
        ("F.csv", "x_lps_mm,y_lps_mm,z_lps_mm\n1,2\n"),
        ("F.csv", "x_lps_mm,y_lps_mm,z_lps_mm,radius_mm\n1,2,3,big\n"),
        ("F.csv", f"x_lps_mm,y_lps_mm,z_lps_mm,note\n1,2,3,{'x' * 200_000}\n"),
    ],
)
def test_damaged_points_are_refused(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(CasesError, match=f"'{name}' are damaged"):
        read_points(saved(tmp_path, name, text))


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CasesError, match="'F.csv' cannot be read"):
        read_points(tmp_path / "F.csv")
    (tmp_path / "F.fcsv").write_bytes(np.arange(128, 256, dtype=np.uint8).tobytes())
    with pytest.raises(CasesError, match="'F.fcsv' cannot be read"):
        read_points(tmp_path / "F.fcsv")
