"""Our optimiser computes what torch's does, without what torch's loads."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mtann.training.adam import OneCycleAdam, one_cycle

LIBRARY = Path(__file__).resolve().parents[3] / "MTANNDetect"


@pytest.mark.parametrize("steps", [1, 2, 7, 40])
def test_it_takes_torchs_steps(steps):
    random = torch.Generator().manual_seed(0)
    target = torch.randn(6, 5, generator=random)
    theirs, ours = torch.zeros(6, 5, requires_grad=True), torch.zeros(6, 5, requires_grad=True)
    unused = torch.zeros(3, requires_grad=True)
    optimiser = torch.optim.Adam([theirs], lr=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, total_steps=steps)
    own = OneCycleAdam([ours, unused], 1e-2, steps)
    for step in range(steps):
        rate, momentum = one_cycle(step, steps, 1e-2)
        assert rate == pytest.approx(schedule.get_last_lr()[0], rel=1e-9)
        assert momentum == pytest.approx(optimiser.param_groups[0]["betas"][0], rel=1e-9)
        optimiser.zero_grad()
        for one in (theirs, ours):
            (one - target).pow(4).sum().backward()
        optimiser.step()
        schedule.step()
        own.step()
        np.testing.assert_allclose(ours.detach(), theirs.detach(), rtol=1e-6, atol=1e-9)
        assert ours.grad is None
    assert not unused.any()


def test_moments_of_weights_without_a_gradient_become_nothing_and_the_steps_stay_torchs():
    steps, least = 1500, torch.finfo(torch.float32).tiny
    gradients = torch.tensor([1.0, 1e-6, 3e-19, 0.0])
    theirs, ours = torch.zeros(4, requires_grad=True), torch.zeros(4, requires_grad=True)
    optimiser = torch.optim.Adam([theirs], lr=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, total_steps=steps)
    own = OneCycleAdam([ours], 1e-2, steps)
    for step in range(steps):
        for one in (theirs, ours):
            one.grad = gradients * (step < 10)
            one.grad[3] = step % 3
        optimiser.step()
        schedule.step()
        own.step()
    np.testing.assert_allclose(ours.detach(), theirs.detach(), rtol=1e-6)
    assert not own._mean[0][:3].any() and own._square[0].tolist()[2] == 0.0
    moments = torch.cat([own._mean[0], own._square[0]])
    assert moments[moments != 0].abs().min() >= least


def test_training_does_not_wait_for_torchs_compiler():
    code = (
        "import numpy as np, sys\n"
        "from mtann.networks.mtann import MTANN\n"
        "from mtann.sampling.subvolumes import Samples\n"
        "from mtann.settings import NetworkSettings, TrainingSettings\n"
        "from mtann.training.mtann import fit\n"
        "shape = NetworkSettings(dilations=(1,), hidden=(2,))\n"
        "inputs = np.random.default_rng(0).normal(size=(8, 1, 1, 171)).astype(np.float32)\n"
        "samples = Samples(inputs, np.ones(8, np.float32), np.array([0] * 4 + [-1] * 4))\n"
        "fit(MTANN(shape, 1), [[samples]], TrainingSettings(steps=3, batch_size=4))\n"
        "print('torch._dynamo' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(LIBRARY)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == "False", done.stderr
