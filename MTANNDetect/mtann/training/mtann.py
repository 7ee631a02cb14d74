"""Teaching MTANNs: regression of teaching values on subvolumes, all members of a network as one batched computation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from mtann.networks.mtann import MTANN
from mtann.preprocess.hessian import EIGENVALUES, channel_sources
from mtann.progress import Run
from mtann.sampling.lessons import ImageLesson, Lesson, SampleStore
from mtann.sampling.subvolumes import Samples
from mtann.sampling.symmetries import offset_symmetries
from mtann.settings import TrainingSettings
from mtann.training.adam import OneCycleAdam

_INTENSITY_VARIATION, _SHIFT_JITTER = 0.1, 0.1
_LEAST_SUM = -46.0
"""Where a sigmoid answers 1e-20, and lets as much through of a gradient. Errors and inputs are of the order of 1 to 10,
and the loss is a mean over the batch, so that a weight's gradient is about 1e-19 if all samples are there. Adam adds
1e-8 to the gradients' deviation: it would move the weight by some 1e-11 of the learning rate."""
_STEPS_AT_ONCE = 10
"""Batches are drawn for so many steps at a time, and cancelling is asked for between."""
_WATCH_EVERY = 50
_WATCHED = 2048


@dataclass(frozen=True)
class Fit:
    """How a training went.

    Attributes:
        losses: (members,) mean squared error over the last steps.
        watched: Out-of-fold mean squared error by step, (step, error), where members had held-out samples.
        best_step: The step whose weights were kept.
    """

    losses: npt.NDArray[np.float32]
    watched: tuple[tuple[int, float], ...]
    best_step: int


def fit(
    network: MTANN,
    lessons: Sequence[Sequence[Samples]],
    settings: TrainingSettings,
    *,
    seeds: Sequence[int] = (0,),
    held_out: Sequence[Sequence[Samples]] = (),
    device: torch.device | str = "cpu",
    run: Run | None = None,
) -> Fit:
    """Train a network's members in place, each on its own samples: Adam, one-cycle learning rate, mean squared error.

    The members share nothing: each gets the weights that it would get alone, up to rounding. The first call also
    measures the standardisation; training again, as after mining, keeps it.

    Args:
        network: The network; ``network.members`` is the number of members.
        lessons: What each member learns from; samples that several share are kept once.
        settings: How to train.
        seeds: Seed of each member's draws.
        held_out: Samples that each member must not see, or nothing. With some, the weights of the step with the least
            error on them are kept, in every member: a member without held-out samples stops when the others should.
        device: Where to compute.
        run: Progress and cancellation.

    Raises:
        CasesError: A member has no lesion or no non-lesion sample.
        CancelledError: The user asked to stop.
    """
    run = run or Run()
    store = SampleStore([*lessons, *held_out])
    drawn = [store.lesson(lesson, settings.lesion_share) for lesson in lessons]
    network.to(device).train()
    if bool(torch.all(network.deviation == 1)):
        _standardise(network, store, lessons)
    batches = _Batches(network, store, drawn, settings, seeds, device)
    watch = _Watch(network, batches, store, held_out, settings)
    optimiser = OneCycleAdam(network.parameters(), settings.learning_rate, settings.steps)
    losses = torch.zeros(network.members)
    for step in range(settings.steps):
        if step % _STEPS_AT_ONCE == 0:
            run.report("train", step / settings.steps, f"Training step {step} of {settings.steps}")
            batches.draw(min(_STEPS_AT_ONCE, settings.steps - step))
        squared = batches.errors(step % _STEPS_AT_ONCE).square().mean(dim=1)
        # The sum of the members' losses: no gradient of one depends on another.
        squared.sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses = squared.detach() if step == 0 else 0.95 * losses + 0.05 * squared.detach()
        watch.look(step + 1, step + 1 == settings.steps)
    watch.restore()
    network.eval()
    return Fit(losses.cpu().numpy(), tuple(watch.curve), watch.best_step)


class _Batches:
    """Draws and gathers a batch for every member, and asks the network about it."""

    def __init__(
        self,
        network: MTANN,
        store: SampleStore,
        lessons: Sequence[Lesson | ImageLesson],
        settings: TrainingSettings,
        seeds: Sequence[int],
        device: torch.device | str,
    ) -> None:
        self._network, self._settings, self._lessons, self._device = network, settings, lessons, device
        self._inputs = torch.from_numpy(store.inputs).to(device)
        self._targets = torch.from_numpy(store.targets).to(device)
        self._gathered = self._inputs.new_empty(0)
        self._given = torch.empty(0, device=device)
        self._symmetries = torch.from_numpy(offset_symmetries(network.settings)).to(device)
        varied = settings.intensity_variation
        self._scaled_by = _INTENSITY_VARIATION if varied is None else varied
        self._sources, self._shifted = (one.to(device) for one in _sources(network))
        self._random = [np.random.default_rng([seed, 1]) for seed in seeds]

    def draw(self, steps: int) -> None:
        """Draw the rows, and how to vary them, for the next steps, each member from its own random numbers."""
        settings, channels = self._settings, self._network.channels
        rows, orders, variations = [], [], []
        for lesson, random in zip(self._lessons, self._random, strict=True):
            rows.append(lesson.draw(steps, settings.batch_size, random))
            orders.append(random.integers(len(self._symmetries), size=steps))
            variations.append(random.uniform(-1, 1, (2, steps, settings.batch_size, channels)).astype(np.float32))
        self._rows = torch.from_numpy(np.stack(rows)).to(self._device)
        self._orders = torch.from_numpy(np.stack(orders)).to(self._device)
        self._variations = torch.from_numpy(np.stack(variations)).to(self._device)

    def errors(self, step: int) -> torch.Tensor:
        """Difference (members, batch) from the teaching values at one of the steps drawn."""
        inputs, targets = self.gather(self._rows[:, step])
        if not self._settings.augment:
            return self._network.finish(_without_traces(self._network.sums(inputs))) - targets
        # One symmetry a batch: the offsets form a set that flips and right-angle turns map onto itself.
        order = self._symmetries[self._orders[:, step]]
        # What is derived from an image grows with its contrast, and does not feel what is added to it.
        scale = 1 + self._scaled_by * self._variations[:, 0, step][..., self._sources]
        shift = self._shifted * self._variations[:, 1, step]
        return self._network.finish(_without_traces(self._network.sums(inputs, order, scale, shift))) - targets

    def gather(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs (members, batch, channels, levels, offsets) and teaching values (members, batch) of some rows.

        The inputs hold until the next call, which writes them into the same memory.
        """
        shape = (rows.numel(), *self._inputs.shape[1:])
        if self._gathered.shape != shape:
            self._gathered = self._inputs.new_empty(shape)
            self._given = torch.empty(shape, device=self._device)
        torch.index_select(self._inputs, 0, rows.flatten(), out=self._gathered)
        self._given.copy_(self._gathered)
        return self._given.view(*rows.shape, *shape[1:]), self._targets[rows]


def _without_traces(sums: torch.Tensor) -> torch.Tensor:
    """The first layer's sums, but -inf where a sigmoid answers next to nothing: answer and gradient are 0 there.

    Such units would put numbers below 1e-38 into the matrix products of all layers, forward and backward, which makes
    these a hundred times slower on many processors.
    """
    return torch.nn.functional.threshold(sums, _LEAST_SUM, -torch.inf)


def _sources(network: MTANN) -> tuple[torch.Tensor, torch.Tensor]:
    """The input that each channel (channels,) is derived from or is itself, and how far each may be shifted."""
    derived_of_each = len(EIGENVALUES) * len(network.settings.hessian_scales_mm)
    images, answered = divmod(network.channels, 1 + derived_of_each)
    derived = images * derived_of_each
    sources = channel_sources(images, derived, bool(answered))
    shifted = torch.full((network.channels,), _SHIFT_JITTER)
    shifted[images : images + derived] = 0
    return torch.tensor(sources), shifted


class _Watch:
    """Keeps the weights of the step with the least error on held-out samples."""

    def __init__(
        self,
        network: MTANN,
        batches: _Batches,
        store: SampleStore,
        held_out: Sequence[Sequence[Samples]],
        settings: TrainingSettings,
    ) -> None:
        self.curve: list[tuple[int, float]] = []
        self.best_step = 0
        self._network, self._batches = network, batches
        # A fold without lesions or without normal tissue among its held-out cases has nothing to say.
        groups = [
            np.concatenate([one.groups for one in samples] or [np.empty(0, dtype=np.int64)]) for samples in held_out
        ]
        self._members = [number for number, own in enumerate(groups) if (own >= 0).any() and (own < 0).any()]
        random = np.random.default_rng([settings.seed, 4])
        asked = [store.lesson(held_out[number], settings.lesion_share) for number in self._members]
        self._rows = [torch.from_numpy(one.draw(1, _WATCHED, random)[0]) for one in asked]
        self._best: dict[str, torch.Tensor] = {}

    @torch.no_grad()
    def look(self, step: int, last: bool) -> None:
        """Ask the held-out samples now and then."""
        if not self._members:
            self.best_step = step
        if not self._members or (step % _WATCH_EVERY and not last):
            return
        errors = []
        for number, rows in zip(self._members, self._rows, strict=True):
            inputs, targets = self._batches.gather(rows[None].to(self._network.first_bias.device))
            errors.append(float((self._network.member([number])(inputs) - targets).square().mean()))
        self.curve.append((step, float(np.mean(errors))))
        if self.curve[-1][1] <= min(error for _, error in self.curve):
            self.best_step = step
            self._best = {name: tensor.clone() for name, tensor in self._network.state_dict().items()}

    def restore(self) -> None:
        """Go back to the best weights."""
        if self._best:
            self._network.load_state_dict(self._best)


@torch.no_grad()
def _standardise(network: MTANN, store: SampleStore, lessons: Sequence[Sequence[Samples]]) -> None:
    for member, lesson in enumerate(lessons):
        mean, deviation = store.standardisation(lesson)
        network.mean[member] = torch.from_numpy(mean)
        network.deviation[member] = torch.from_numpy(deviation)
