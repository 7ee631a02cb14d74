"""Training on subvolumes whose answer is known."""

import numpy as np
import pytest
import torch

from mtann.errors import CancelledError, CasesError
from mtann.networks.mtann import MTANN
from mtann.progress import Run
from mtann.sampling.subvolumes import NEGATIVE, Samples
from mtann.settings import NetworkSettings, TrainingSettings
from mtann.training.mtann import fit

SHAPE = NetworkSettings(dilations=(1,), hidden=(6,))
QUICK = TrainingSettings(steps=200, batch_size=128, seed=3)


def bright_or_dark(count=400, shift=0.0, scale=1.0):
    """Bright subvolumes are lesion (target 1), dark ones are not (target 0)."""
    random = np.random.default_rng(0)
    lesion = np.arange(count) % 2 == 0
    inputs = (
        random.normal(size=(count, 1, 1, 171)).astype(np.float32) * 0.5
        + np.where(lesion, 1.0, -1.0)[:, None, None, None]
    )
    groups = np.where(lesion, np.arange(count) % 5, NEGATIVE)
    return Samples((inputs * scale + shift).astype(np.float32), lesion.astype(np.float32), groups)


def trained(samples, settings=QUICK):
    network = MTANN(SHAPE, samples.inputs.shape[1])
    fit(network, [[samples]], settings)
    return network


def answers_of(network, samples):
    with torch.inference_mode():
        return network(torch.from_numpy(samples.inputs)[None])[0].numpy()


def test_it_learns_to_answer_the_teaching_value():
    samples = bright_or_dark()
    assert np.mean((answers_of(trained(samples), samples) - samples.targets) ** 2) < 0.01


def test_the_answers_do_not_depend_on_the_inputs_scale():
    plain, scaled = bright_or_dark(), bright_or_dark(shift=500.0, scale=80.0)
    settings = QUICK.model_copy(update={"augment": False})
    first = answers_of(trained(plain, settings), plain)
    second = answers_of(trained(scaled, settings), scaled)
    np.testing.assert_allclose(first, second, atol=0.02)


def test_the_standardisation_is_measured_once_and_kept():
    samples = bright_or_dark(shift=10.0, scale=2.0)
    network = trained(samples)
    assert network.mean.item() == pytest.approx(samples.inputs.mean(), rel=1e-4)
    assert network.deviation.item() == pytest.approx(samples.inputs.std(), rel=1e-2)
    before = network.mean.clone()
    fit(network, [[bright_or_dark(shift=99.0)]], QUICK)
    torch.testing.assert_close(network.mean, before)


def test_every_lesion_counts_the_same_whatever_its_number_of_samples():
    # Ninety samples of one lesion ask for 0, ten of another for 1, on the same input: the answer is the even mean.
    inputs = np.ones((200, 1, 1, 171), dtype=np.float32)
    inputs[100:] = -1
    targets = np.r_[np.zeros(90), np.ones(10), np.zeros(100)].astype(np.float32)
    groups = np.r_[np.zeros(90), np.ones(10), np.full(100, NEGATIVE)].astype(np.int64)
    network = trained(Samples(inputs, targets, groups), QUICK.model_copy(update={"augment": False, "steps": 400}))
    with torch.inference_mode():
        assert network(torch.from_numpy(inputs[None, :1])).item() == pytest.approx(0.5, abs=0.08)


def test_without_lesions_or_without_normal_tissue_there_is_nothing_to_learn():
    samples = bright_or_dark()
    none = np.full(len(samples.groups), NEGATIVE)
    with pytest.raises(CasesError, match="no lesion at all"):
        trained(Samples(samples.inputs, samples.targets, none))
    with pytest.raises(CasesError, match="no tissue away from lesions"):
        trained(Samples(samples.inputs, samples.targets, np.zeros(len(samples.groups), dtype=np.int64)))


def test_cancelling_stops_within_a_few_steps():
    asked = iter(range(1000))
    with pytest.raises(CancelledError):
        fit(MTANN(SHAPE, 1), [[bright_or_dark()]], QUICK, run=Run(cancelled=lambda: next(asked) == 3))
    assert next(asked) == 4
