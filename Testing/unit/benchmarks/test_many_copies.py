"""Cases that were prepared in other processes and lie in files are those that training itself would prepare."""

import sys
from pathlib import Path

import numpy as np
from small_models import NETWORK, QUICK, ball_cases

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from many_copies import OnDisk

from mtann.backends.device import choose_device
from mtann.fitting import TrainingPlan, prepare_cases
from mtann.preprocess.prepare import Channel, InputSpecification
from mtann.progress import Run
from mtann.settings import DetectionSettings


def test_cases_in_files_are_those_that_training_prepares(tmp_path):
    plan = TrainingPlan(
        InputSpecification(channels=(Channel(name="t1c"),), spacing_mm=1.0),
        NETWORK,
        QUICK,
        DetectionSettings(scales_mm=(1.6, 2.6)),
        choose_device("cpu"),
    )
    cases = ball_cases(3)
    expected = prepare_cases(cases, plan, Run())
    found = OnDisk(tmp_path).prepare_cases(cases, plan, Run())
    assert [one.case.case for one in found] == [case.case for case in cases]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.prepared.channels, other.prepared.channels)
        np.testing.assert_array_equal(one.prepared.mask, other.prepared.mask)
        np.testing.assert_array_equal(one.prepared.all_tissue, other.prepared.all_tissue)
        for own, same in zip(one.samples, other.samples, strict=True):
            np.testing.assert_array_equal(own.inputs, same.inputs)
            np.testing.assert_array_equal(own.targets, same.targets)
        assert isinstance(one.prepared.channels[0], np.memmap)
