"""The loss of a U-Net: Dice plus cross-entropy, at every resolution that the network answers in.

Dice is taken over each patch, or over the batch as if it were one image (the plan says which), and never over the
background of ordinary labels. Voxels that nobody annotated count nowhere. Over several processes, sums go over all of
them, so that the loss is that of the whole batch on one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from mtann.training.unet.labels import LabelTable

_SMOOTH = 1e-5
"""Keeps the Dice of what is neither there nor predicted at 1."""

Sum = Callable[[torch.Tensor], torch.Tensor]


def own_sum(value: torch.Tensor) -> torch.Tensor:
    """The sum over all processes where there is only one."""
    return value


@dataclass(frozen=True)
class UNetLoss:
    """The loss of a batch.

    Attributes:
        table: What label indices mean.
        batch_dice: Whether Dice is taken over the batch as one image.
        total: Sums a tensor over all processes, differentiably.
    """

    table: LabelTable
    batch_dice: bool
    total: Sum = own_sum

    def __call__(self, answers: Sequence[torch.Tensor], indices: torch.Tensor) -> torch.Tensor:
        """The loss of logits (batch, outputs, ...), finest first, against label indices (batch, ...)."""
        loss = answers[0].new_zeros(())
        for weight, logits in zip(supervision_weights(len(answers)), answers, strict=True):
            # The coarsest has no weight, but takes part: over several processes every parameter needs a gradient.
            loss = loss + weight * self.of_one(logits, shrink(indices, logits.shape[2:]))
        return loss

    def of_one(self, logits: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
        """The loss at one resolution. In single precision always: sums over a batch overflow half precision."""
        logits = logits.float()
        target = membership(self.table, indices)
        known = torch.ones_like(indices, dtype=torch.bool)
        if self.table.ignored is not None:
            known = indices != self.table.ignored
        probabilities = logits.sigmoid() if self.table.regions else logits.softmax(dim=1)
        return self._dice(probabilities, target, known[:, None]) + self._cross_entropy(logits, target, known)

    def _dice(self, probabilities: torch.Tensor, target: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        first = self.table.first_foreground
        probabilities, target = probabilities[:, first:] * known, target[:, first:]  # the target has no unknown voxels
        space = tuple(range(2, target.ndim))
        both = (probabilities * target).sum(space)
        each = probabilities.sum(space) + target.sum(space)
        if self.batch_dice:
            both, each = self.total(both.sum(0, keepdim=True)), self.total(each.sum(0, keepdim=True))
            return 1 - ((2 * both + _SMOOTH) / (each + _SMOOTH)).mean()
        dice = (2 * both + _SMOOTH) / (each + _SMOOTH)
        return 1 - self.total(dice.sum()) / self.total(dice.new_tensor(float(dice.numel())))

    def _cross_entropy(self, logits: torch.Tensor, target: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        if self.table.regions:
            each = functional.binary_cross_entropy_with_logits(logits, target, reduction="none").mean(dim=1)
        else:
            each = -(logits.log_softmax(dim=1) * target).sum(dim=1)
        count = self.total(known.sum().float())
        return self.total((each * known).sum()) / count.clamp(min=1)


def supervision_weights(resolutions: int) -> tuple[float, ...]:
    """The weight of each resolution: half that of the next finer one, nothing for the coarsest, 1 in sum."""
    weights = [0.5**number for number in range(resolutions)]
    if resolutions > 1:
        weights[-1] = 0.0
    return tuple(weight / sum(weights) for weight in weights)


def shrink(indices: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Label indices (batch, ...) at a coarser resolution: those of the nearest voxels."""
    if tuple(indices.shape[1:]) == tuple(shape):
        return indices
    return functional.interpolate(indices[:, None].float(), size=tuple(shape), mode="nearest-exact")[:, 0].long()


def membership(table: LabelTable, indices: torch.Tensor) -> torch.Tensor:
    """Which outputs each voxel belongs to: (batch, outputs, ...), 1 or 0."""
    members = torch.from_numpy(table.members).to(indices.device, torch.float32)
    return members.T[indices.long()].movedim(-1, 1)


@torch.no_grad()
def overlap_counts(table: LabelTable, logits: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
    """Voxels (3, foreground outputs) that are rightly, wrongly and not taken for each output."""
    target = membership(table, indices).bool()
    if table.regions:
        taken = logits > 0
    else:
        taken = functional.one_hot(logits.argmax(dim=1), logits.shape[1]).movedim(-1, 1).bool()
    if table.ignored is not None:
        taken = taken & (indices != table.ignored)[:, None]
    taken, target = taken[:, table.first_foreground :], target[:, table.first_foreground :]
    rest = (0, *range(2, target.ndim))
    return torch.stack([(taken & target).sum(rest), (taken & ~target).sum(rest), (~taken & target).sum(rest)]).double()
