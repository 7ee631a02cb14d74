"""Folds: by patient, kept, and checked against the cases."""

import json
from pathlib import Path

import pytest

from mtann.data_set import LabelledCase
from mtann.errors import CasesError, SettingsError
from mtann.unets.splits import SPLITS_FILE, make_splits, read_fold, read_splits, split_of


def cases(patients: str) -> list[LabelledCase]:
    return [LabelledCase(f"c{number}", patient, (Path("i"),), Path("l")) for number, patient in enumerate(patients)]


def test_every_case_is_held_out_once_and_no_patient_twice():
    made = cases("aabbccddeeff")
    splits = make_splits(made, 3, seed=0)
    assert sorted(name for names in splits for name in names) == sorted(case.case for case in made)
    patient = {case.case: case.patient for case in made}
    for names in splits:
        assert len(names) == 4
        for other in splits:
            if other is not names:
                assert not {patient[name] for name in names} & {patient[name] for name in other}


def test_too_few_patients_are_told_with_what_to_do():
    with pytest.raises(CasesError, match="5 folds need at least 5 patients, but the cases are of 3. Give --folds a"):
        make_splits(cases("aabbc"), 5, seed=0)


def test_splits_are_kept_and_may_be_edited(tmp_path):
    made = cases("abcd")
    splits = read_splits(tmp_path, made, 2, seed=0)
    assert read_splits(tmp_path, made, 2, seed=99) == splits
    (tmp_path / SPLITS_FILE).write_text(json.dumps({"held_out": [["c0", "c3"], ["c2", "c1"]]}))
    assert read_splits(tmp_path, made, 2, seed=0) == (("c0", "c3"), ("c2", "c1"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "cannot be read"),
        ('{"held_out": [["c0"], ["c1"]]}', "splits 2 cases into 2 folds; planned are 4 cases"),
        ('{"held_out": [["c0", "c1"], ["c1", "c2", "c3"]]}', "splits 5 cases"),
        ('{"held_out": [["c0", "c1", "c2", "c3"]]}', "into 1 folds"),
    ],
)
def test_splits_that_do_not_fit_are_refused(tmp_path, text, said):
    (tmp_path / SPLITS_FILE).write_text(text)
    with pytest.raises(CasesError, match=said):
        read_splits(tmp_path, cases("abcd"), 2, seed=0)


@pytest.mark.parametrize(
    ("held_out", "said"),
    [
        ([["c0", "c2"], ["c1", "c3"]], "cases of patient 'a' in folds 0 and 1"),
        ([[], ["c0", "c1", "c2", "c3"]], "a fold 0 that holds out no case"),
    ],
)
def test_edited_splits_that_would_flatter_are_refused(tmp_path, held_out, said):
    (tmp_path / SPLITS_FILE).write_text(json.dumps({"held_out": held_out}))
    with pytest.raises(CasesError, match=said):
        read_splits(tmp_path, cases("aabb"), 2, seed=0)


@pytest.mark.parametrize("text", ["5", "-1", "first", ""])
def test_unknown_folds_are_refused(text):
    with pytest.raises(SettingsError, match="a number from 0 to 4, or 'all'"):
        read_fold(text, 5)


def test_known_folds():
    assert [read_fold(text, 5) for text in ("0", "4", "04", "all")] == ["0", "4", "4", "all"]


def test_all_learns_from_every_case():
    made = cases("abc")
    split = split_of(made, (), "all")
    assert split.training == split.held_out == tuple(made)
    split = split_of(made, [("c1",), ("c0", "c2")], "0")
    assert [case.case for case in split.training] == ["c0", "c2"]
    assert [case.case for case in split.held_out] == ["c1"]
