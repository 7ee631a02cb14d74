"""What a U-Net is taught, and what it is judged by meanwhile."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count

import torch
from torch.utils.data import DataLoader

from mtann.planning.plan import Configuration, Plan
from mtann.training.unet.labels import LabelTable
from mtann.training.unet.patches import TRAIN, Batch, Patches
from mtann.training.unet.processes import Processes
from mtann.training.unet.settings import UNetTrainingSettings
from mtann.training.unet.store import StoredCase

_MOST_WORKERS = 8


@dataclass(frozen=True)
class Lesson:
    """A plan, one of its configurations, and cases.

    Attributes:
        plan: What was decided about the data set.
        configuration: The variant to train.
        training: Cases to learn from.
        held_out: Cases to be judged by; with fold ``all``, the same ones.
    """

    plan: Plan
    configuration: Configuration
    training: Sequence[StoredCase]
    held_out: Sequence[StoredCase]

    @cached_property
    def table(self) -> LabelTable:
        """What label indices mean."""
        return LabelTable.of(self.plan)

    def batches(
        self, purpose: int, settings: UNetTrainingSettings, processes: Processes, first: int, device: torch.device
    ) -> Iterator[Batch]:
        """This process's share of the batches from a number on, without end."""
        cases = self.training if purpose == TRAIN else self.held_out
        patches = Patches(cases, self.configuration, self.table, settings, purpose, processes.rank, processes.count)
        processes.share(patches.batch_size)
        workers = settings.workers
        if workers is None:
            workers = 0 if device.type == "cpu" else min(_MOST_WORKERS, max(1, (os.cpu_count() or 2) - 1))
        # Batches are whole already, and come in order however many processes cut them.
        return iter(
            DataLoader(
                patches,
                batch_size=None,
                sampler=count(first),
                num_workers=workers,
                pin_memory=device.type == "cuda",
            )
        )

    def identity(self, settings: UNetTrainingSettings) -> str:
        """Tells trainings apart, so that none goes on from another's checkpoint."""
        cases = [[case.directory.name for case in cases] for cases in (self.training, self.held_out)]
        how = settings.model_dump_json(exclude={"workers", "folds"})
        parts = (self.configuration.model_dump_json(), repr(self.plan.labels), how, repr(cases))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()
