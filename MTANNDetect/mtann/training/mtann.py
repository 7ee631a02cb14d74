"""Teaching an MTANN: regression of teaching values on subvolumes."""

from collections.abc import Sequence
from itertools import permutations, product

import numpy as np
import numpy.typing as npt
import torch

from mtann.errors import CasesError
from mtann.networks.mtann import MTANN
from mtann.progress import Run
from mtann.sampling.kernel import subvolume_offsets
from mtann.sampling.subvolumes import NEGATIVE, Samples
from mtann.settings import NetworkSettings, TrainingSettings

_LESION_SHARE = 0.5
"""Share of a batch from lesions' training regions; each lesion is drawn equally often, so small ones count."""
_SCALE_JITTER, _SHIFT_JITTER = 0.1, 0.1
_REPORT_EVERY = 10


def fit(
    network: MTANN,
    samples: Sequence[Samples],
    settings: TrainingSettings,
    *,
    device: torch.device | str = "cpu",
    run: Run | None = None,
) -> MTANN:
    """Train a network in place on the samples of all cases: Adam with a one-cycle learning rate, mean squared error.

    The first call also measures the standardisation; training again, as after mining, keeps it.

    Raises:
        CasesError: There is no lesion or no non-lesion sample.
        CancelledError: The user asked to stop.
    """
    run = run or Run()
    random = np.random.default_rng([settings.seed, 1])
    data = _Pool(samples)
    network.to(device).train()
    if bool(torch.all(network.deviation == 1)):
        _standardise(network, data)
    symmetries = torch.from_numpy(offset_symmetries(network.settings)).to(device)
    optimiser = torch.optim.Adam(network.parameters(), lr=settings.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.learning_rate, total_steps=settings.steps)
    for step in range(settings.steps):
        if step % _REPORT_EVERY == 0:
            run.report("train", step / settings.steps, f"Training step {step} of {settings.steps}")
        chosen = data.draw(settings.batch_size, random)
        inputs, order = data.inputs[chosen], None
        if settings.augment:
            # One symmetry a batch: the offsets form a set that flips and right-angle turns map onto itself.
            order = symmetries[int(random.integers(len(symmetries)))]
            inputs = _vary_intensity(inputs, network.deviation.cpu(), random)
        predicted = network(inputs.to(device), order)
        loss = torch.nn.functional.mse_loss(predicted, data.targets[chosen].to(device))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return network.eval()


def offset_symmetries(network: NetworkSettings) -> npt.NDArray[np.int64]:
    """Permutations (symmetries, offsets) of a subvolume's inputs by flips and right angles: 48, or 8 in a plane."""
    offsets = subvolume_offsets(network.dimensions)
    lookup = {tuple(offset): number for number, offset in enumerate(offsets.tolist())}
    axes = [(0, 1, 2), (0, 2, 1)] if network.dimensions == 2 else list(permutations(range(3)))
    signs = (
        [(1, *rest) for rest in product((1, -1), repeat=2)]
        if network.dimensions == 2
        else list(product((1, -1), repeat=3))
    )
    return np.array(
        [
            [lookup[tuple(moved)] for moved in (offsets[:, order] * np.array(sign)).tolist()]
            for order in axes
            for sign in signs
        ]
    )


class _Pool:
    """All cases' samples, drawn so that every lesion counts the same."""

    def __init__(self, samples: Sequence[Samples]) -> None:
        self.inputs = torch.from_numpy(np.concatenate([case.inputs for case in samples]))
        self.targets = torch.from_numpy(np.concatenate([case.targets for case in samples]))
        regions, start = [], 0
        negatives = []
        for case in samples:
            regions += [
                start + np.flatnonzero(case.groups == group) for group in np.unique(case.groups) if group != NEGATIVE
            ]
            negatives.append(start + np.flatnonzero(case.groups == NEGATIVE))
            start += len(case.groups)
        self.negatives = np.concatenate(negatives)
        if not regions:
            raise CasesError(
                "The training cases hold no lesion at all. Mark at least one, or check the column 'lesions'."
            )
        if not len(self.negatives):
            raise CasesError(
                "The training cases hold no tissue away from lesions to learn from. "
                "Give larger images, or a mask that covers normal tissue."
            )
        self.members = np.concatenate(regions)
        self.sizes = np.array([len(region) for region in regions])
        self.starts = np.concatenate([[0], np.cumsum(self.sizes)[:-1]])

    def draw(self, count: int, random: np.random.Generator) -> torch.Tensor:
        from_lesions = int(count * _LESION_SHARE)
        lesion = random.integers(len(self.sizes), size=from_lesions)
        within = (random.random(from_lesions) * self.sizes[lesion]).astype(np.int64)
        positive = self.members[self.starts[lesion] + within]
        negative = self.negatives[random.integers(len(self.negatives), size=count - from_lesions)]
        return torch.from_numpy(np.concatenate([positive, negative]))


def _standardise(network: MTANN, data: _Pool) -> None:
    with torch.no_grad():
        mean = data.inputs.mean(dim=(0, 3))
        deviation = data.inputs.std(dim=(0, 3)).clamp_min(1e-6)
        network.mean.copy_(mean)
        network.deviation.copy_(deviation)


def _vary_intensity(inputs: torch.Tensor, deviation: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
    """Scale and shift each sample's channels a little, the same at every level."""
    shape = (inputs.shape[0], 1, inputs.shape[2], 1)
    scale = 1 + _SCALE_JITTER * random.uniform(-1, 1, shape).astype(np.float32)
    shift = _SHIFT_JITTER * random.uniform(-1, 1, shape).astype(np.float32)
    return inputs * torch.from_numpy(scale) + torch.from_numpy(shift) * deviation[0][None, None, :, None]
