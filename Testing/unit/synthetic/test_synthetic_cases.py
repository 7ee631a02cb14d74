"""Copies of training cases with synthetic lesions, for augmentation and as a training set of last resort."""

import numpy as np
import pytest
from grids import grid

from mtann.cases import TrainingCase
from mtann.errors import CancelledError, SettingsError
from mtann.progress import Run
from mtann.sampling.lesions import Lesion
from mtann.synthetic.cases import synthetic_cases
from unit.synthetic.backgrounds import even_scan, plain

REAL = Lesion((10.0, 0.0, 0.0), 4.0)
RECIPE = plain(count=2, radius_mm=4.0)


def case(name="a", patient="p", lesions=(REAL,)):
    return TrainingCase(name, patient, (even_scan(grid((44, 44, 44))),), lesions)


def test_each_case_gives_as_many_copies_of_the_same_patient():
    made = synthetic_cases([case("a", "p"), case("b", "q")], RECIPE, 2, seed=1)
    assert [(copy.case, copy.patient) for copy in made] == [
        ("a-synthetic-1", "p"),
        ("a-synthetic-2", "p"),
        ("b-synthetic-1", "q"),
        ("b-synthetic-2", "q"),
    ]


def test_real_lesions_stay_beside_the_new_ones():
    (copy,) = synthetic_cases([case()], RECIPE, 1, seed=1)
    assert copy.lesions[0] == REAL
    assert [lesion.radius_mm for lesion in copy.lesions[1:]] == pytest.approx([4.0, 4.0], rel=0.03)
    for lesion in copy.lesions[1:]:
        assert np.linalg.norm(np.subtract(lesion.centre_lps_mm, REAL.centre_lps_mm)) > 8.0


def test_real_lesions_can_be_kept_clear_of_only():
    (copy,) = synthetic_cases([case()], RECIPE, 1, seed=1, keep_real=False)
    assert len(copy.lesions) == 2


def test_normal_scans_become_training_cases():
    (copy,) = synthetic_cases([case(lesions=())], RECIPE, 1, seed=1)
    assert len(copy.lesions) == 2 and all(lesion.outline is not None for lesion in copy.lesions)
    index = np.round(copy.channels[0].geometry.index_from_lps(copy.lesions[0].centre_lps_mm)).astype(int)
    assert copy.channels[0].array[tuple(index)] == pytest.approx(1300, abs=1)


def test_a_copy_depends_on_seed_name_and_number_alone():
    alone = synthetic_cases([case("b")], RECIPE, 1, seed=1)[0]
    second = synthetic_cases([case("a"), case("b")], RECIPE, 2, seed=1)
    assert np.array_equal(alone.channels[0].array, second[2].channels[0].array)
    different = [second[0], second[3], synthetic_cases([case("b")], RECIPE, 1, seed=2)[0]]
    assert not any(np.array_equal(alone.channels[0].array, copy.channels[0].array) for copy in different)


def test_no_copy_is_refused():
    with pytest.raises(SettingsError, match="At least one synthetic copy"):
        synthetic_cases([case()], RECIPE, 0, seed=1)


def test_progress_is_told_and_the_user_can_stop():
    told = []
    synthetic_cases([case("a"), case("b")], RECIPE, 1, 1, Run(told.append))
    assert [report.fraction for report in told] == [0.0, 0.5]
    with pytest.raises(CancelledError):
        synthetic_cases([case()], RECIPE, 1, 1, Run(cancelled=lambda: True))
