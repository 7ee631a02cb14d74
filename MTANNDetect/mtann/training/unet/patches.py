"""Drawing patches: which case, where, and how it is turned.

Every draw is a function of the seed and of the patch's number in the whole training, so that a training that was killed
goes on as if nothing had been, and several processes draw together what one would draw alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from mtann.errors import CasesError
from mtann.planning.plan import Configuration
from mtann.training.unet.augment import Turn, draw_turn, vary_intensities
from mtann.training.unet.labels import LabelTable
from mtann.training.unet.previous import as_channels, vary_previous
from mtann.training.unet.settings import UNetTrainingSettings
from mtann.training.unet.store import ANNOTATED, StoredCase
from mtann.training.unet.window import cut

Batch = tuple[torch.Tensor, torch.Tensor]
"""Images (batch, channels, ...) and label indices (batch, ...)."""

TRAIN, JUDGE = 0, 1
"""What a batch is for; each has random numbers of its own."""


@dataclass(frozen=True)
class Patches(Dataset[Batch]):
    """The batches of a training, by number: a map-style data set for torch's DataLoader.

    Attributes:
        cases: What patches are cut from.
        configuration: The plan's patch size, batch size and normalisation.
        table: What label indices mean.
        settings: How the U-Net is taught.
        purpose: ``TRAIN`` or ``JUDGE``; the latter is never varied.
        rank: This process's number.
        processes: How many processes share each batch.
    """

    cases: Sequence[StoredCase]
    configuration: Configuration
    table: LabelTable
    settings: UNetTrainingSettings
    purpose: int = TRAIN
    rank: int = 0
    processes: int = 1

    def __post_init__(self) -> None:
        if not self.cases:
            raise CasesError("There is no case to cut patches from. Add cases, or make fewer folds.")

    @property
    def batch_size(self) -> int:
        """Patches of all processes' batches together."""
        return self.settings.batch_size or self.configuration.batch_size

    def __getitem__(self, number: int) -> Batch:
        """This process's share of a batch."""
        share = self.batch_size // self.processes
        drawn = [self.patch(number, self.rank * share + place) for place in range(share)]
        images, labels = zip(*drawn, strict=True)
        return torch.stack(images), torch.stack(labels)

    def patch(self, number: int, place: int) -> tuple[torch.Tensor, torch.Tensor]:
        """One patch of a batch: its image and its label indices."""
        random = np.random.default_rng([self.settings.seed, self.purpose, number, place])
        size = self.size
        case = self.cases[int(random.integers(len(self.cases)))]
        centre = draw_centre(case, self.table, size, self.is_foreground(number, place), random)
        turn = Turn.none(size)
        vary = self.settings.augment and self.purpose == TRAIN
        if vary:
            turn = draw_turn(size, self.flat, self.configuration.dimensions, self.settings.mirror, random)
        image = cut(case.image, centre, turn, smooth=True)
        labels = cut(case.labels[None], centre, turn, smooth=False)[0].long()
        if vary:
            image = vary_intensities(image, self.configuration.normalise_in_mask, self.flat, random)
        if case.previous is not None:
            previous = as_channels(cut(case.previous[None], centre, turn, smooth=False)[0].long(), self.table)
            image = torch.cat([image, vary_previous(previous, random) if vary else previous])
        return (image[:, 0], labels[0]) if self.configuration.dimensions == 2 else (image, labels)

    @property
    def size(self) -> tuple[int, int, int]:
        """Size of a patch along three axes; a patch of a 2-D network is one voxel thick."""
        size = self.configuration.patch_size
        return (size[0], size[1], size[2]) if len(size) == 3 else (1, size[0], size[1])

    @property
    def flat(self) -> bool:
        """Whether patches are turned and scaled within slices only: 2-D, or three times as wide as they are thick."""
        return max(self.size) / self.size[0] > 3

    def is_foreground(self, number: int, place: int) -> bool:
        """Whether a patch is centred on a labelled voxel: always the last of a batch."""
        share = self.settings.foreground_share
        if self.batch_size == 1:
            return int((number + 1) * share) > int(number * share)
        return place >= round(self.batch_size * (1 - share))


def draw_centre(
    case: StoredCase, table: LabelTable, size: Sequence[int], foreground: bool, random: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Where the middle of a patch lies in a case (index, may be halved).

    A foreground patch is centred on a voxel of one of the outputs that the case has, each as often. Patches stay inside
    of the case as far as that is as large as they are.
    """
    places = case.places
    outputs = np.unique(places[:, 0][places[:, 0] != ANNOTATED]) if foreground else np.empty(0, dtype=np.int32)
    if len(outputs):
        chosen = places[places[:, 0] == random.choice(outputs)]
    elif table.ignored is not None:
        chosen = places[places[:, 0] == ANNOTATED]
    else:
        chosen = places[:0]
    shape, extent = np.array(case.labels.shape), np.array(size)
    free = np.maximum(shape - extent, 0)
    if len(chosen):
        start = np.clip(chosen[int(random.integers(len(chosen))), 1:] - extent // 2, 0, free)
    else:
        start = random.integers(free, endpoint=True)
    start = np.where(shape < extent, (shape - extent) // 2, start)
    centre: npt.NDArray[np.float64] = start + (extent - 1) / 2
    return centre
