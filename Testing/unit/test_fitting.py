"""Networks for use and for every fold, trained together."""

import numpy as np
import pytest
from small_models import NETWORK, QUICK, ball_cases

from mtann.backends.device import choose_device
from mtann.fitting import TrainingPlan, fit_networks, prepare_cases
from mtann.preprocess.prepare import Channel, InputSpecification
from mtann.progress import Run
from mtann.settings import DetectionSettings


@pytest.mark.parametrize("early_stopping", [True, False])
def test_held_out_cases_choose_the_step_only_where_they_are_asked_to(early_stopping):
    plan = TrainingPlan(
        InputSpecification(channels=(Channel(name="t1c"),), spacing_mm=1.0),
        NETWORK,
        QUICK.model_copy(update={"steps": 60, "mining_rounds": 0, "early_stopping": early_stopping}),
        DetectionSettings(scales_mm=(1.6, 2.6)),
        choose_device("cpu"),
    )
    fit = fit_networks(prepare_cases(ball_cases(2), plan, Run()), [np.array([0]), np.array([1])], plan, Run()).fit
    assert [step for step, _ in fit.watched] == ([50, 60] if early_stopping else [])
    if not early_stopping:
        assert fit.best_step == 60
