"""The result as JSON and CSV: exact names, exact numbers, and clear errors on reading."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtann.backends.computation import Computation
from mtann.detection.candidate import Candidate, InputReference
from mtann.errors import MTANNError
from mtann.report.documents import CSV_COLUMNS, csv_text, json_text, read_candidates, result_document
from mtann.report.html import html_text
from unit.report.results import OBLIQUE, make_result

_, RESULT = make_result()


def written(path: Path, **changes: object) -> Path:
    path.write_text(json.dumps({**result_document(RESULT), **changes}), encoding="utf-8")
    return path


def test_document_has_exactly_the_promised_names_and_values() -> None:
    document = result_document(RESULT)
    assert list(document) == [
        "schema_version",
        "research_use_notice",
        "model",
        "inputs",
        "geometry",
        "settings",
        "threshold",
        "threshold_origin",
        "warnings",
        "definitions",
        "computation",
        "candidates",
    ]
    assert document["schema_version"] == 1
    assert document["model"] == {"name": "brain-metastases", "version": "1.2.0", "sha256": "ab" * 32}
    assert document["inputs"] == [{"channel": "t1c", "path": "scan.nii.gz", "sha256": "cd" * 32}]
    assert document["geometry"] == {
        "shape_zyx": [60, 96, 80],
        "spacing_xyz_mm": [2.0, 2.0, 2.5],
        "origin_lps_mm": list(OBLIQUE.origin_lps_mm),
        "direction": list(OBLIQUE.direction),
    }
    assert document["settings"] == json.loads(RESULT.settings.model_dump_json())
    assert document["threshold"] == 0.5
    assert document["candidates"][5] == {
        "id": 6,
        "centroid_lps_mm": [-30.0, -20.0, 30.0],
        "peak_lps_mm": [-30.0, -20.0, 30.0],
        "score": 0.31,
        "probability": None,
        "class_name": "lesion",
        "reported": False,
        "volume_mm3": pytest.approx(113.097, abs=1e-3),
        "axial_diameter_mm": 6.0,
        "perpendicular_diameter_mm": pytest.approx(5.4),
        "max_diameter_mm": pytest.approx(6.3),
        "scoring_sigma_mm": None,
        "expert_scores": [],
        "given_id": 0,
        "given_score": None,
    }


def test_equal_results_give_equal_bytes() -> None:
    _, again = make_result()
    assert json_text(result_document(again)) == json_text(result_document(RESULT))
    assert csv_text(again) == csv_text(RESULT)


@pytest.mark.parametrize("path", ["/home/jane/DOE^JOHN/scan.nii.gz", "C:\\DOE^JOHN\\scan.nii.gz", "scan.nii.gz"])
def test_no_folder_of_an_input_gets_out(path: str) -> None:
    result = replace(RESULT, inputs=(InputReference("t1c", path, ""),))
    assert result_document(result)["inputs"][0]["path"] == "scan.nii.gz"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_json_does_not_know_are_refused(value: float) -> None:
    broken = replace(RESULT.candidates[0], score=value)
    with pytest.raises(ValueError, match="finite"):
        result_document(replace(RESULT, candidates=(broken,)))


finite = st.floats(-1e6, 1e6)
lengths = st.floats(0, 1e6)
candidates = st.builds(
    Candidate,
    id=st.integers(1, 65535),
    centroid_lps_mm=st.tuples(finite, finite, finite),
    peak_lps_mm=st.tuples(finite, finite, finite),
    score=finite,
    probability=st.none() | st.floats(0, 1),
    class_name=st.text(st.characters(exclude_categories=["Cs"])),
    reported=st.booleans(),
    volume_mm3=lengths,
    axial_diameter_mm=lengths,
    perpendicular_diameter_mm=lengths,
    max_diameter_mm=lengths,
    given_id=st.integers(0, 10**6),
    given_score=st.none() | finite,
)


@given(found=st.lists(candidates, max_size=4))
def test_candidates_come_back_exactly(found: list[Candidate], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "candidates.json"
    path.write_text(json_text(result_document(replace(RESULT, candidates=tuple(found)))), encoding="utf-8")
    assert read_candidates(path) == tuple(found)


def test_reading_says_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "candidates.json"
    with pytest.raises(MTANNError, match=r"cannot be read \(No such file"):
        read_candidates(path)
    path.write_text("{")
    with pytest.raises(MTANNError, match="is not a JSON file"):
        read_candidates(path)
    for other in ("[]", "{}", '{"schema_version": 1}', '{"schema_version": "1", "candidates": []}'):
        path.write_text(other)
        with pytest.raises(MTANNError, match="holds no candidates of ours"):
            read_candidates(path)
    with pytest.raises(MTANNError, match=r"newer version: it has schema 2, this one reads up to 1\. Update"):
        read_candidates(written(path, schema_version=2))
    with pytest.raises(MTANNError, match=r"damaged at 'schema_version'"):
        read_candidates(written(path, schema_version=0))
    first = result_document(RESULT)["candidates"][0]
    with pytest.raises(MTANNError, match=r"damaged at 'candidates\.0\.id'"):
        read_candidates(written(path, candidates=[{**first, "id": 0}]))
    with pytest.raises(MTANNError, match=r"damaged at 'candidates\.0\.centroid_lps_mm"):
        read_candidates(written(path, candidates=[{**first, "centroid_lps_mm": [1.0, 2.0]}]))


def test_csv_holds_the_same_numbers() -> None:
    rows = list(csv.DictReader(io.StringIO(csv_text(RESULT))))
    assert len(rows) == 6
    assert rows[0] == {
        "id": "1",
        "x_lps_mm": "-34.2",
        "y_lps_mm": "-12.0",
        "z_lps_mm": "45.1",
        "peak_x_lps_mm": "-34.2",
        "peak_y_lps_mm": "-12.0",
        "peak_z_lps_mm": "45.1",
        "score": "0.91",
        "probability": "",
        "class_name": "lesion",
        "reported": "true",
        "volume_mm3": "1436.75504",
        "axial_diameter_mm": "14.0",
        "perpendicular_diameter_mm": "12.6",
        "max_diameter_mm": "14.7",
        "given_id": "0",
        "given_score": "",
    }
    assert rows[5]["reported"] == "false"


def test_csv_tells_which_given_candidate_each_was() -> None:
    given = (
        replace(RESULT.candidates[0], given_id=12, given_score=-3.25),
        replace(RESULT.candidates[1], given_id=4),
    )
    rows = list(csv.DictReader(io.StringIO(csv_text(replace(RESULT, candidates=given)))))
    assert [(row["given_id"], row["given_score"]) for row in rows] == [("12", "-3.25"), ("4", "")]


def test_csv_of_no_candidate_is_its_header() -> None:
    assert csv_text(replace(RESULT, candidates=())) == ",".join(CSV_COLUMNS) + "\n"


def test_what_computed_stands_in_the_document_and_the_page() -> None:
    how = Computation("cpu", "openvino", "fp32", "faster than torch on processors")
    result = replace(RESULT, computation=how)
    assert result_document(RESULT)["computation"] is None
    assert result_document(result)["computation"] == {
        "device": "cpu",
        "backend": "openvino",
        "precision": "fp32",
        "reason": "faster than torch on processors",
    }
    assert "OpenVINO on cpu, fp32 (faster than torch on processors)" in html_text(result, b"")
    assert "Computed by" not in html_text(RESULT, b"")
