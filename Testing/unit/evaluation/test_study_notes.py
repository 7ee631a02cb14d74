"""What an evaluation says of cases that its figures leave out."""

from dataclasses import replace

from mtann.evaluation.assess import assess
from mtann.evaluation.rules import CentreRule
from unit.studies import boxed, case, found, points

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
