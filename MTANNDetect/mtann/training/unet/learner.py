"""A network that learns: one step of gradient descent, and a look at held-out cases."""

from collections.abc import Iterable

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from mtann.training.unet.losses import UNetLoss, overlap_counts
from mtann.training.unet.patches import Batch
from mtann.training.unet.processes import current
from mtann.training.unet.settings import UNetTrainingSettings

_MOMENTUM, _CLIP = 0.99, 12.0
"""Of the gradient descent, and the largest norm of a gradient."""


class Learner:
    """A network, its optimiser and its loss.

    Args:
        network: On the device where it is to be trained.
        loss: The loss of a batch.
        settings: How to train.
    """

    def __init__(self, network: nn.Module, loss: UNetLoss, settings: UNetTrainingSettings) -> None:
        self.network, self._loss = network, loss
        self.device = next(network.parameters()).device
        self.optimiser = torch.optim.SGD(
            network.parameters(),
            lr=settings.learning_rate,
            momentum=_MOMENTUM,
            nesterov=True,
            weight_decay=settings.weight_decay,
        )
        # Half precision pays on graphics cards alone. It lacks exponents for small gradients: the scaler moves them up.
        self._half = self.device.type == "cuda"
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self._half)
        # torch averages the gradients of all processes.
        self._trained = network if current().count == 1 else DistributedDataParallel(network)

    def learn(self, batch: Batch, rate: float) -> float:
        """Take one step; returns the loss of the batch."""
        self._trained.train()
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        images, labels = self._on_device(batch)
        self.optimiser.zero_grad(set_to_none=True)
        loss = self._loss(self._answers(self._trained, images), labels)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self.scaler.unscale_(self.optimiser)
        nn.utils.clip_grad_norm_(self.network.parameters(), _CLIP)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        return float(loss.detach())

    @torch.no_grad()
    def judge(self, batches: Iterable[Batch]) -> tuple[float, dict[str, float | None]]:
        """The mean loss, at full resolution, and each label's Dice over all patches as one image.

        The Dice of a label that was neither there nor found is None.
        """
        self.network.eval()
        losses, counts = [], []
        for batch in batches:
            images, labels = self._on_device(batch)
            logits = self._answers(self.network, images)[0]
            losses.append(float(self._loss.of_one(logits, labels)))
            counts.append(self._loss.total(overlap_counts(self._loss.table, logits, labels)))
        right, wrong, missed = torch.stack(counts).sum(0).cpu()
        size = 2 * right + wrong + missed
        dice = [float(2 * a / b) if b else None for a, b in zip(right, size, strict=True)]
        return sum(losses) / len(losses), dict(zip(self._loss.table.names, dice, strict=True))

    def _answers(self, network: nn.Module, images: torch.Tensor) -> list[torch.Tensor]:
        """Logits at each resolution; at the finest alone where a network knows no others, or does not train."""
        with torch.autocast(self.device.type, enabled=self._half):
            answers = network(images)
        return [answers] if isinstance(answers, torch.Tensor) else list(answers)

    def _on_device(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        images, labels = batch
        return images.to(self.device, non_blocking=True), labels.to(self.device, non_blocking=True)
