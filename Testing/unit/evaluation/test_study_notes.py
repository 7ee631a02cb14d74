"""What an evaluation says of cases that its figures leave out."""

from dataclasses import replace

import numpy as np
import pytest

from mtann.evaluation.agreement import reader_figures
from mtann.evaluation.assess import assess
from mtann.evaluation.paired import compare
from mtann.evaluation.rules import CentreRule
from unit.studies import boxed, case, found, mask_of, points

BOX, OTHER = ((2, 5), (2, 5), (2, 5)), ((2, 5), (10, 13), (10, 13))


def notes(*cases):
    return assess(cases, CentreRule(), draws=0).notes


def test_whole_masks_are_left_out_of_nothing():
    got = notes(boxed("a", [BOX], [BOX]), boxed("b", [], []))
    assert not [note for note in got if "left out" in note or "distance" in note]


def test_cases_of_points_are_counted_out_of_the_voxels():
    got = notes(boxed("a", [BOX], [BOX]), case("b", points((0, 0, 0)), found((0, 0, 0, 0.9))))
    assert any(note.startswith("In 1 of 2 cases predictions or references are points") for note in got)


def test_a_mask_missed_altogether_has_no_distance_which_is_said():
    # Of three cases one is missed altogether and one is false altogether: their Dice is 0, their distance unknown.
    cases = (boxed("a", [BOX], [BOX]), boxed("b", [], [BOX]), boxed("c", [OTHER], []))
    got = assess(cases, CentreRule(), draws=0)
    assert got.voxel["dice"].value == 1 / 3
    assert got.voxel["hd95_mm"].value == 0.0
    assert any(note.startswith("In 2 of 3 cases one mask is empty") and "flatter" in note for note in got.notes)


def test_a_column_with_gaps_says_so_and_numbers_stand_by_size():
    cases = [replace(boxed(str(n), [BOX], [BOX]), subgroups={"age": age}) for n, age in enumerate(["10", "9", "", "9"])]
    got = assess(cases, CentreRule(), draws=0)
    assert [group.value for group in got.groups["age"]] == ["9", "10"]
    assert [group.cases for group in got.groups["age"]] == [2, 1]
    assert "Column 'age' is empty in 1 case(s), which count among the others of each group." in got.notes


def test_few_cases_without_lesions_are_told():
    ill = [case(str(n), points((0, 0, 0)), found((0, 0, 0, 0.9))) for n in range(3)]
    few, enough = [case("w")], [case(f"w{n}") for n in range(5)]
    said = "Only 1 case(s) have no lesion"
    assert any(note.startswith(said) for note in notes(*ill, *few))
    assert any(note.startswith(said) for note in compare([*ill, *few], [*ill, *few], CentreRule(), draws=0).notes)
    for text in (notes(*ill, *enough), compare([*ill, *enough], [*ill, *enough], CentreRule(), draws=0).notes):
        assert not [note for note in text if note.startswith("Only")]


@pytest.mark.parametrize("silent", [0, 1])
def test_a_reader_who_marks_nothing_and_has_no_map_disagrees_about_every_voxel(silent):
    # Case a: both mark the box (Dice 1). Case b: one reader marks it, the other nothing, without a map: Dice 0.
    own, nothing = boxed("b", [], [BOX]), boxed("b", [], [])
    maps = [own, replace(nothing, lesion_map=None)]
    first, second = maps[silent], maps[1 - silent]
    figures = reader_figures(
        [boxed("a", [], [BOX]), first],
        [boxed("a", [], [BOX]).lesions, second.lesions],
        [lambda: mask_of([BOX]), second.lesion_map],
        CentreRule(),
    )
    got = {one.name: float(one.statistic(np.ones((1, 2)))[0]) for one in figures}
    assert got["dice"] == 0.5
    # Of 9600 voxels both mark 27, one alone 27: agreement 9573 / 9600, far from the 1 of case a alone.
    assert got["kappa_voxels"] == pytest.approx(2 * 27 / (2 * 27 + 27), abs=2e-3)
