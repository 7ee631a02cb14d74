"""The learning curve's cases hold what they say, and its table is counted right."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from learning_curves import read_runs, table
from learning_data import CUT_MM, Task, is_counted, phantom_case, phantom_task, with_lesions
from learning_learners import IGNORED, LESION, cut_down, planned, target
from lesions_to_learn_from import LEARNERS, OPEN_MS_COUNTS, PATIENTS, PHANTOM_COUNTS, SEEDS, outcome, runs

from mtann.cases import TrainingCase
from mtann.sampling.lesions import Lesion
from mtann.sampling.lesions import lesions_from_label_map as from_map
from unit.studies import GRID, mask_of

BOX, OTHER = ((2, 5), (2, 5), (2, 5)), ((2, 5), (14, 17), (14, 17))


def boxes_case():
    image = mask_of([((0, 12), (0, 20), (0, 20))])
    return TrainingCase("a", "p", (image,), from_map(mask_of([BOX, OTHER])))


def test_what_is_not_given_is_neither_lesion_nor_background():
    case = with_lesions(boxes_case(), [1])
    assert [lesion.centre_lps_mm for lesion in case.lesions] == [(15.0, 15.0, 3.0)]
    # The other box of 27 mm3 is a ball of radius 1.86 mm: nothing is learnt within 7.86 mm of its middle.
    reach = case.lesions[0].radius_mm + CUT_MM
    assert reach == pytest.approx(7.86, abs=0.01)
    z, y, x = np.indices(GRID.shape_zyx)
    near = (z - 3) ** 2 + (y - 3) ** 2 + (x - 3) ** 2 < reach**2
    np.testing.assert_array_equal(case.mask.array == 0, near)
    labels = target(case)
    np.testing.assert_array_equal(labels == IGNORED, near)
    assert np.count_nonzero(labels == LESION) == 27


def test_a_long_lesion_that_is_not_given_is_left_out_to_its_ends():
    # A bar of 20 mm: the ball of its volume, 1.68 mm, and 6 mm beyond end 7.7 mm from its middle at x = 9.5.
    bar = ((5, 6), (9, 10), (0, 20))
    case = replace(boxes_case(), lesions=from_map(mask_of([bar])))
    inside = with_lesions(case, []).mask.array
    assert not inside[5, 9].any()
    # And 3 mm about it, which at its end is all.
    assert not inside[5, 6:13, 19].any()
    assert inside[5, 5, 19] == inside[5, 13, 19] == 1


@pytest.mark.slow
def test_more_lesions_hold_the_fewer_and_every_count_is_exact():
    few, more = phantom_task(5, 1), phantom_task(10, 1)
    assert (few.given, more.given, len(few.training), len(more.training)) == (5, 10, 1, 2)
    assert {lesion.centre_lps_mm for lesion in few.training[0].lesions} < {
        lesion.centre_lps_mm for lesion in more.training[0].lesions
    }
    assert [case.case for case in few.unseen] == [case.case for case in phantom_task(5, 2).unseen]
    assert not {case.case for case in more.training} & {case.case for case in few.unseen}
    assert phantom_case(7100).lesions  # A phantom's lesions at 1.5 mm are there.


@pytest.mark.slow
def test_the_u_net_is_planned_for_the_cases_with_a_quarter_of_its_features():
    plan = planned(Task(("t1c",), (phantom_task(5, 0).training[0],), ()))
    full, small = (one.configuration("3d_fullres").architecture.features for one in (plan, cut_down(plan)))
    assert full[:3] == (32, 64, 128)
    assert small == tuple(number // 4 for number in full)
    assert plan.ignore_label == IGNORED


def test_every_run_stands_once_and_the_first_seed_comes_first():
    listed = list(runs())
    each = len(LEARNERS) * (len(PHANTOM_COUNTS) + len(PATIENTS) * len(OPEN_MS_COUNTS))
    assert len(listed) == len(set(listed)) == each * len(SEEDS)
    assert [run[-1] for run in listed] == sorted(run[-1] for run in listed)


def test_only_lesions_of_ten_cubic_millimetres_count_and_only_alarms_that_matter_are_kept():
    small, large = Lesion((3.0, 3.0, 3.0), 1.0), Lesion((15.0, 15.0, 3.0), 1.4)
    assert (is_counted(small), is_counted(large)) == (False, True)
    case = TrainingCase("a", "p", (mask_of([BOX]),), (small, large))
    found = [
        ((3.0, 3.0, 3.0), 0.9),
        ((15.0, 15.0, 3.0), 0.8),
        *[((90.0, 9.0 * n, 0.0), 0.5 - 0.01 * n) for n in range(20)],
    ]
    got = outcome(lambda _: found, Task((), (), (case,)))
    # One unseen case: of twenty false alarms the strongest nine decide everything up to eight a case.
    assert got["lesions"] == [[0.8]]
    assert got["alarms"] == [[round(0.5 - 0.01 * n, 5) for n in range(9)]]


def test_a_table_by_hand(tmp_path):
    # Two phantoms. Seed 0 finds both lesions before any alarm (1); seed 1 finds the first lesion alone, below an alarm
    # in each phantom, so from one alarm a case on: 0.5 at 1, 2, 4, 8 of seven rates, 2 / 7.
    file = tmp_path / "runs.json"
    kept = {
        "phantoms default 5 0": {"given": 5, "lesions": [[0.9], [0.8]], "alarms": [[], [0.1]]},
        "phantoms default 5 1": {"given": 5, "lesions": [[0.3], [None]], "alarms": [[0.9], [0.8]]},
        "open_ms patient07 default all 0": {"given": 9, "lesions": [[0.9]], "alarms": [[]]},
        "open_ms patient19 default all 0": {"given": 7, "lesions": [[None]], "alarms": [[]]},
    }
    file.write_text(json.dumps({"settings": {}, "runs": kept}), encoding="utf-8")
    row = table(read_runs(file, "phantoms"), ["default", "u-net"], [5]).splitlines()[-1]
    assert row.startswith("| 5 | 0.643 (")
    assert "seeds 0.286 to 1.000) | – |" in row
    # Of three patients as cases of their own models, the mean: one found everything, one nothing.
    row = table(read_runs(file, "open_ms"), ["default", "u-net"], [0]).splitlines()[-1]
    assert row == "| all (7 to 9) | 0.500 (2 patients; one seed) | – | – |"
