"""Studies read from folders, lists and JSON; what is wrong with them is said."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report.results import make_result

from mtann.errors import CasesError, SettingsError
from mtann.evaluation.assess import assess
from mtann.evaluation.rules import CentreRule, DilatedRule
from mtann.report.save import save_result
from mtann.sampling.lesions import lesions_from_label_map
from mtann.study_files import Reading, predictions_in, read_levels, read_study
from mtann.volume import Volume
from mtann.volume_io import write_volume
from unit.studies import GRID, mask_of

BOX, OTHER = ((2, 5), (2, 5), (2, 5)), ((2, 5), (10, 13), (10, 13))
CENTRE = [3.0, 3.0, 3.0]


@pytest.fixture
def references(tmp_path):
    folder = tmp_path / "references"
    folder.mkdir()
    write_volume(mask_of([BOX, OTHER]), folder / "one.nii.gz")
    write_volume(mask_of([]), folder / "two.nrrd")
    return folder


def test_label_maps_by_name(references, tmp_path):
    predictions = tmp_path / "predictions"
    predictions.mkdir()
    write_volume(mask_of([BOX]), predictions / "one.nii.gz")
    write_volume(mask_of([]), predictions / "two.nii.gz")
    write_volume(mask_of([BOX]), predictions / "three.nii.gz")
    cases, notes = read_study(predictions, references)
    assert [(one.case, len(one.lesions), len(one.found)) for one in cases] == [("one", 2, 1), ("two", 0, 0)]
    assert notes == ("Predictions of cases without a reference were left out: 1.",)
    got = assess(cases, DilatedRule())
    assert got.lesion["sensitivity"].value == 0.5
    # Case one: 2 * 27 / (27 + 54); case two: both empty, so 1.
    assert got.voxel["dice"].value == pytest.approx((2 / 3 + 1) / 2)


def test_a_list_with_patients_subgroups_and_an_empty_cell_for_no_lesions(references, tmp_path):
    listed = tmp_path / "cases.csv"
    listed.write_text(
        "case,patient,lesions,scanner\none,p,references/one.nii.gz,A\nthree,p,,B\n", encoding="utf-8", newline="\n"
    )
    found = tmp_path / "found.json"
    entries = {"one": [{"centre_lps_mm": CENTRE, "score": 0.7, "probability": 0.25}], "three": []}
    found.write_text(json.dumps({"cases": entries}), encoding="utf-8")
    cases, _ = read_study(found, listed, Reading(threshold=0.8))
    assert [(one.patient, len(one.lesions), one.subgroups) for one in cases] == [
        ("p", 2, {"scanner": "A"}),
        ("p", 0, {"scanner": "B"}),
    ]
    (candidate,) = cases[0].found
    assert (candidate.score, candidate.probability, candidate.reported) == (0.7, 0.25, False)


def test_among_label_maps_a_case_without_lesions_is_an_empty_map(references, tmp_path):
    # Outlines where nothing is count as Dice 0, and nothing where nothing is as 1; neither is left out.
    predictions = tmp_path / "predictions"
    predictions.mkdir()
    for name, boxes in (("one", [BOX, OTHER]), ("well", []), ("false", [BOX])):
        write_volume(mask_of(boxes), predictions / f"{name}.nii.gz")
    listed = tmp_path / "cases.csv"
    rows = ("case,patient,lesions", "one,p,references/one.nii.gz", "well,q,", "false,r,")
    listed.write_text("\n".join(rows) + "\n", encoding="utf-8", newline="\n")
    cases, _ = read_study(predictions, listed)
    got = assess(cases, CentreRule(), draws=0)
    assert got.voxels.values("dice") == [1.0, 1.0, 0.0]
    assert got.voxels.values("reference_mm3") == [54.0, 0.0, 0.0]


def test_result_folders_of_ours_keep_what_was_reported(tmp_path):
    image, result = make_result()
    save_result(result, image, tmp_path / "results" / "one")
    reference = tmp_path / "references" / "one"
    reference.mkdir(parents=True)
    write_volume(result.candidate_map, reference / "lesions.nii.gz")
    (case,), _ = read_study(tmp_path / "results", tmp_path / "references", Reading(keep_instances=True))
    assert [one.score for one in case.found] == pytest.approx([one.score for one in result.candidates])
    assert [one.reported for one in case.found] == [one.reported for one in result.candidates]
    reported = [one.id for one in result.reported]
    np.testing.assert_array_equal(case.found_map().array != 0, np.isin(result.candidate_map.array, reported))
    got = assess([case], CentreRule())
    assert got.lesion["sensitivity"].value == pytest.approx(len(reported) / len(result.candidates))
    assert got.lesion["mean_sensitivity"].value == 1.0


def test_a_case_without_a_prediction_is_named(references, tmp_path):
    found = tmp_path / "found.json"
    found.write_text('{"cases": {"one": []}}', encoding="utf-8")
    with pytest.raises(CasesError, match="1 of 2 cases of the references have no prediction: two"):
        read_study(found, references)


def test_a_case_that_stands_twice_is_refused(references, tmp_path):
    write_volume(mask_of([BOX]), references / "one.nrrd")
    found = tmp_path / "found.json"
    found.write_text('{"cases": {"one": [], "two": []}}', encoding="utf-8")
    with pytest.raises(CasesError, match=r"Case 'one' stands twice in 'references': as 'one.nii.gz' and 'one.nrrd'"):
        read_study(found, references)
    found.write_text('{"cases": {"one": [], "one": []}}', encoding="utf-8")
    with pytest.raises(CasesError, match="holds 'one' twice"):
        predictions_in(found, Reading())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a readable JSON"),
        ("[]", "no object 'cases'"),
        ('{"cases": {"a": [{"score": 1}]}}', "Candidate 1 of case 'a'"),
        ('{"cases": {"a": [{"centre_lps_mm": [1, 2]}]}}', "Candidate 1 of case 'a'"),
        ('{"cases": {"a": [{"centre_lps_mm": [1, 2, NaN]}]}}', "finite numbers"),
        ('{"cases": {"a": [{"centre_lps_mm": [1, 2, 3], "probability": 2}]}}', "probability from 0 to 1"),
    ],
)
def test_damaged_json_is_refused(text, message, tmp_path):
    found = tmp_path / "found.json"
    found.write_text(text, encoding="utf-8")
    with pytest.raises(CasesError, match=message):
        predictions_in(found, Reading())


def test_an_empty_folder_and_unknown_levels_are_refused(tmp_path):
    with pytest.raises(CasesError, match="holds no case"):
        predictions_in(tmp_path, Reading())
    with pytest.raises(CasesError, match="There is no folder or file"):
        predictions_in(tmp_path / "nowhere", Reading())
    assert read_levels("case, voxel", ("lesion", "case", "voxel")) == ("case", "voxel")
    for text in ("", "lesions"):
        with pytest.raises(SettingsError, match="--levels takes lesion, case"):
            read_levels(text, ("lesion", "case"))


@settings(max_examples=20, deadline=None)
@given(st.permutations([1, 2, 3, 4, 7]))
def test_the_numbers_of_labels_change_nothing(numbers):
    boxes = [((2, 4), (y, y + 2), (x, x + 2)) for y, x in ((2, 2), (2, 6), (8, 8), (12, 4), (12, 14))]
    array = np.zeros(GRID.shape_zyx, np.uint8)
    for (z, y, x), value in zip(boxes, numbers, strict=True):
        array[slice(*z), slice(*y), slice(*x)] = value
    lesions = lesions_from_label_map(Volume(array, GRID), keep_instances=True)
    places = sorted(lesion.centre_lps_mm for lesion in lesions)
    assert places == sorted((x[0] + 0.5, y[0] + 0.5, z[0] + 0.5) for z, y, x in boxes)
    assert {lesion.radius_mm for lesion in lesions} == {(3 * 8 / (4 * np.pi)) ** (1 / 3)}
