"""Training on subvolumes whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mtann.errors import CancelledError, CasesError
from mtann.networks.mtann import MTANN
from mtann.progress import Run
from mtann.sampling.lessons import SampleStore
from mtann.sampling.subvolumes import IMAGE, NEGATIVE, Samples
from mtann.settings import NetworkSettings, TrainingSettings
from mtann.training.mtann import _sources, _without_traces, fit

SHAPE = NetworkSettings(dilations=(1,), hidden=(6,))
QUICK = TrainingSettings(steps=200, batch_size=128, seed=3)
TINY = torch.finfo(torch.float32).tiny


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


def test_intensities_vary_by_a_tenth_unless_it_is_said_how_much():
    samples = bright_or_dark()

    def answers(**settings):
        return answers_of(trained(samples, QUICK.model_copy(update={"steps": 30, **settings})), samples)

    np.testing.assert_array_equal(answers(), answers(intensity_variation=0.1))
    assert np.abs(answers() - answers(intensity_variation=0.5)).max() > 1e-3
    np.testing.assert_array_equal(
        answers(augment=False, intensity_variation=0.5), answers(augment=False, intensity_variation=0.0)
    )


def test_curvature_varies_with_its_image_and_is_never_shifted():
    curved = NetworkSettings(dilations=(1,), hidden=(4,), hessian_scales_mm=(1.0, 2.0))
    for channels, images in ((5, 1), (10, 2), (11, 2)):  # the last with an answer
        sources, shifted = _sources(MTANN(curved, channels))
        derived = slice(images, 5 * images)
        assert sources[:images].tolist() == list(range(images))
        assert sources[derived].tolist() == [image for image in range(images) for _ in range(4)]
        assert sources[5 * images :].tolist() == [images] * (channels - 5 * images)
        assert torch.all(shifted[derived] == 0)
        assert torch.all(shifted[:images] > 0)
        assert torch.all(shifted[5 * images :] > 0)
    sources, shifted = _sources(MTANN(SHAPE, 3))
    assert sources.tolist() == [0, 1, 2]
    assert torch.all(shifted > 0)


def test_shifts_do_not_reach_curvature():
    """The image is blank, so that only what is derived from it tells: shifts cannot reach it."""
    curved = NetworkSettings(dilations=(1,), hidden=(4,), hessian_scales_mm=(1.0,))
    samples = bright_or_dark()
    blank, low = np.zeros_like(samples.inputs), np.full_like(samples.inputs, 1e-3)
    inputs = np.concatenate([blank, samples.inputs * 1e-3, low], axis=1)
    network = MTANN(curved, 3)
    fit(network, [[replace(samples, inputs=inputs)]], QUICK)
    assert np.mean((answers_of(network, replace(samples, inputs=inputs)) - samples.targets) ** 2) < 0.005


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


def test_with_a_share_as_much_is_drawn_from_every_lesion_as_from_round_it():
    # A small lesion of 2 in 100 voxels of its region, a large one of 60, and one whose own voxels were not sampled.
    targets = np.r_[np.ones(2), np.zeros(98), np.full(60, 0.5), np.full(40, 0.4), np.zeros(100), np.zeros(50)]
    groups = np.r_[np.zeros(100), np.ones(100), np.full(100, 2), np.full(50, NEGATIVE)].astype(np.int64)
    samples = Samples(np.zeros((350, 1, 1, 171), np.float32), targets.astype(np.float32), groups)
    rows = SampleStore([[samples]]).lesson([samples], 0.25).draw(100, 80, np.random.default_rng(0))
    drawn, inside = groups[rows], targets[rows] >= 0.5
    assert (drawn == NEGATIVE).sum(axis=1).tolist() == [40] * 100
    assert inside.sum(axis=1).tolist() == [10] * 100
    for lesion in (0, 1):
        assert ((drawn == lesion) & inside).mean() == pytest.approx(1 / 16, abs=0.01)
    for lesion in (0, 1, 2):
        assert ((drawn == lesion) & ~inside).mean() == pytest.approx(1 / 8, abs=0.01)


@pytest.mark.parametrize("share", [0.001, 0.999])
def test_however_small_a_share_is_something_is_drawn_from_both(share):
    targets, groups = np.r_[np.ones(10), np.zeros(30)].astype(np.float32), np.r_[np.zeros(20), np.full(20, NEGATIVE)]
    samples = Samples(np.zeros((40, 1, 1, 171), np.float32), targets, groups.astype(np.int64))
    rows = SampleStore([[samples]]).lesson([samples], share).draw(5, 8, np.random.default_rng(0))
    inside = ((targets[rows] == 1) & (groups[rows] == 0)).sum(axis=1)
    assert inside.tolist() == [1 if share < 0.5 else 3] * 5


def test_a_share_asks_for_nothing_that_is_not_there():
    inputs, groups = np.zeros((40, 1, 1, 171), np.float32), np.r_[np.zeros(20), np.full(20, NEGATIVE)].astype(np.int64)
    for value in (0.0, 1.0):  # all of the region round the lesion, or all of it inside
        samples = Samples(inputs, np.full(40, value, np.float32), groups)
        rows = SampleStore([[samples]]).lesson([samples], 0.3).draw(5, 10, np.random.default_rng(0))
        assert (groups[rows] == 0).sum(axis=1).tolist() == [5] * 5


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


def test_members_trained_together_learn_what_each_learns_alone():
    lessons = [[bright_or_dark()], [bright_or_dark(scale=2.0)], [bright_or_dark(), bright_or_dark(count=200)]]
    settings = QUICK.model_copy(update={"steps": 60})
    together = MTANN(SHAPE, 1, seeds=(5, 6, 7))
    losses = fit(together, lessons, settings, seeds=(5, 6, 7)).losses
    for member, (lesson, seed) in enumerate(zip(lessons, (5, 6, 7), strict=True)):
        alone = MTANN(SHAPE, 1, seeds=(seed,))
        assert fit(alone, [lesson], settings, seeds=(seed,)).losses[0] == pytest.approx(losses[member], abs=1e-4)
        for name, tensor in together.member([member]).state_dict().items():
            torch.testing.assert_close(tensor, alone.state_dict()[name], atol=1e-3, rtol=1e-3)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_training_on_the_graphics_card_agrees_with_the_processor():
    lessons = [[bright_or_dark()], [bright_or_dark(scale=2.0)]]
    settings = QUICK.model_copy(update={"steps": 60})
    networks = {device: MTANN(SHAPE, 1, seeds=(5, 6)) for device in ("cpu", "cuda")}
    losses = {
        device: fit(network, lessons, settings, seeds=(5, 6), device=device).losses
        for device, network in networks.items()
    }
    np.testing.assert_allclose(losses["cuda"], losses["cpu"], atol=1e-3)
    for name, tensor in networks["cuda"].state_dict().items():
        torch.testing.assert_close(tensor.cpu(), networks["cpu"].state_dict()[name], atol=1e-3, rtol=1e-3)


def test_known_non_lesions_and_the_rest_share_the_negatives_evenly():
    inputs = np.zeros((300, 1, 1, 171), dtype=np.float32)
    groups = np.r_[np.zeros(100), np.full(100, NEGATIVE), np.full(10, -2), np.full(90, -3)].astype(np.int64)
    samples = Samples(inputs, np.zeros(300, np.float32), groups)
    rows = SampleStore([[samples]]).lesson([samples]).draw(50, 80, np.random.default_rng(0))
    drawn = groups[rows]
    assert (drawn >= 0).sum(axis=1).tolist() == [40] * 50
    assert (drawn == NEGATIVE).sum(axis=1).tolist() == [20] * 50
    # Both known non-lesions are drawn equally often, though one has nine times the voxels.
    assert (drawn == -2).mean() == pytest.approx(0.125, abs=0.02)


def test_the_weights_of_the_step_that_did_best_on_held_out_lesions_are_kept():
    # What is held out asks for the opposite, so every step of learning does worse on it than the one before.
    samples, settings = bright_or_dark(), QUICK.model_copy(update={"steps": 150, "learning_rate": 0.003})
    opposite = Samples(-samples.inputs, samples.targets, samples.groups)
    network = MTANN(SHAPE, 1, seeds=(0, 1))
    watched = fit(network, [[samples], [samples]], settings, seeds=(0, 1), held_out=[[], [opposite]])
    assert [step for step, _ in watched.watched] == [50, 100, 150]
    assert watched.best_step == min(watched.watched, key=lambda one: one[1])[0] == 50
    shorter = MTANN(SHAPE, 1, seeds=(0, 1))
    full = fit(shorter, [[samples], [samples]], settings, seeds=(0, 1))
    assert full.best_step == 150
    assert not torch.equal(network.first_weight, shorter.first_weight)


def test_with_an_image_as_teacher_every_case_counts_the_same_and_no_lesion_is_needed():
    def case(rows, target):
        inputs = np.ones((rows, 1, 1, 171), dtype=np.float32)
        return Samples(inputs, np.full(rows, target, np.float32), np.full(rows, IMAGE))

    cases = [case(100, 0.0), case(900, 1.0)]
    rows = SampleStore([cases]).lesson(cases).draw(50, 80, np.random.default_rng(0))
    assert rows.shape == (50, 80)
    assert (rows < 100).mean() == pytest.approx(0.5, abs=0.03)
    network = MTANN(SHAPE, 1)
    fit(network, [cases], QUICK.model_copy(update={"augment": False}))
    with torch.inference_mode():
        assert network(torch.ones(1, 1, 1, 1, 171)).item() == pytest.approx(0.5, abs=0.05)


def test_units_that_answer_next_to_nothing_answer_and_learn_nothing():
    sums = torch.tensor([-90.0, -47.0, -45.0, 0.0, 90.0], requires_grad=True)
    answers = _without_traces(1 * sums).sigmoid()
    answers.sum().backward()
    expected = torch.tensor([0.0, 0.0, 2.8625e-20, 0.5, 1.0])
    torch.testing.assert_close(answers.detach(), expected, rtol=1e-4, atol=0)
    torch.testing.assert_close(sums.grad, expected * (1 - expected), rtol=1e-4, atol=0)


class Products(TorchDispatchMode):
    """Looks at all that goes into matrix products and comes out, forward and backward."""

    def __init__(self):
        super().__init__()
        self.count, self.denormal = 0, []

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        answer = operation(*args, **(kwargs or {}))
        if "mm" in str(operation):
            self.count += 1
            for tensor in [*args, answer]:
                if isinstance(tensor, torch.Tensor):
                    size = tensor.abs()
                    self.denormal += [str(operation)] * bool(((size > 0) & (size < TINY)).any())
        return answer


@pytest.mark.parametrize("hidden", [(6,), (6, 4)])
@pytest.mark.parametrize("bias", [-80.0, -86.0, -90.0])
def test_no_matrix_product_of_a_training_meets_denormal_numbers(hidden, bias):
    """They slow it a hundredfold. Units of sums about -86 answer 1e-38, and let as much through of a gradient."""
    network = MTANN(NetworkSettings(dilations=(1,), hidden=hidden), 1)
    with torch.no_grad():
        network.first_bias[:, ::2] = bias
        if network.second_bias is not None:
            network.second_bias[:, ::2] = 8.0  # Saturated as well: next to nothing gets through.
    with Products() as seen:
        fit(network, [[bright_or_dark()]], QUICK.model_copy(update={"steps": 3}))
    # At least so many, forward and backward together.
    assert seen.count >= 3 * 4 * len(hidden) and not seen.denormal
