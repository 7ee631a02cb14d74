"""Several processes that train one network together, as ``torchrun`` starts them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import distributed

from mtann.errors import SettingsError

_PATIENCE = timedelta(hours=6)
"""How long a process waits for others: one of them may be preprocessing a large data set."""


@dataclass(frozen=True)
class Processes:
    """How many processes there are, and which of them this is."""

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0

    def total(self, value: torch.Tensor) -> torch.Tensor:
        """The sum over all processes, through which gradients pass."""
        return value if self.count == 1 else _Total.apply(value)  # type: ignore[no-untyped-call]

    def share(self, batch_size: int) -> int:
        """How many patches of a batch are this process's.

        Raises:
            SettingsError: They cannot be dealt out evenly.
        """
        if batch_size % self.count:
            raise SettingsError(
                f"A batch of {batch_size} cannot be dealt out to {self.count} processes evenly. "
                f"Give --batch-size a multiple of {self.count}, or start fewer processes."
            )
        return batch_size // self.count

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.count > 1:
            distributed.barrier()


@contextmanager
def joined(device: torch.device) -> Iterator[tuple[Processes, torch.device]]:
    """Join the processes that ``torchrun`` started, if it did; yields them and this one's device."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1 or distributed.is_initialized():
        yield current(), device
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=_PATIENCE)
    try:
        yield current(), device
    finally:
        distributed.destroy_process_group()


def current() -> Processes:
    """The processes that were joined, or this one alone."""
    if distributed.is_available() and distributed.is_initialized():
        return Processes(distributed.get_rank(), distributed.get_world_size())
    return Processes()


class _Total(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, value: torch.Tensor) -> torch.Tensor:
        total = value.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> torch.Tensor:
        total = gradients[0].clone().contiguous()
        distributed.all_reduce(total)
        return total
