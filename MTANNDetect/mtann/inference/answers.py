"""What U-Nets answer to one patch: mirrored patches and folds averaged, constant patches asked about once."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch

from mtann.errors import MTANNError

Network = Callable[[torch.Tensor], torch.Tensor]
"""Logits (patch, output, *patch size) for patches (patch, channel, *patch size)."""

_REMEMBERED = 8
"""Most constant patches whose answers are kept: more is rare, and each takes memory."""


@dataclass
class Answers:
    """Logits of patches.

    Attributes:
        networks: One a fold; their logits are averaged.
        dimensions: 2 for networks that take slices: patches have a first axis of one voxel then.
        mirror_axes: Axes of a patch, as the networks see it, that may be mirrored; the answers are averaged.
        batch: Most patches that a network is given at once.
        positions: Sets of axes to mirror along, one at a time, in place of all of ``mirror_axes``; their answers alone
            are averaged then.
        evaluated: How many patches the networks were given in all.
        asked: Called before each batch; may raise to stop.
    """

    networks: Sequence[Network]
    dimensions: int = 3
    mirror_axes: tuple[int, ...] = ()
    batch: int = 1
    asked: Callable[[], None] = lambda: None
    positions: tuple[tuple[int, ...], ...] | None = None
    evaluated: int = 0
    _constant: dict[tuple[float, ...], torch.Tensor] = field(default_factory=dict, repr=False)

    def logits(self, patches: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Logits (output, z, y, x) of each patch (channel, z, y, x)."""
        keys = [_constant_values(patch) for patch in patches]
        fresh = [
            number
            for number, key in enumerate(keys)
            if key is None or (key not in self._constant and keys.index(key) == number)
        ]
        found = dict(zip(fresh, self._ask([patches[number] for number in fresh]), strict=True))
        known = {**self._constant, **{key: found[number] for number in fresh if (key := keys[number]) is not None}}
        self._constant = dict(list(known.items())[-_REMEMBERED:])
        return [found[number] if key is None else known[key] for number, key in enumerate(keys)]

    def _ask(self, patches: list[torch.Tensor]) -> list[torch.Tensor]:
        flips = mirrorings(self.mirror_axes) if self.positions is None else self.positions
        # Mirrored patches stand in the network's own axes behind patch and channel.
        inputs = [
            (number, tuple(axis + 1 for axis in axes), patch[:, 0] if self.dimensions == 2 else patch)
            for number, patch in enumerate(patches)
            for axes in flips
        ]
        totals: list[torch.Tensor | None] = [None] * len(patches)
        for start in range(0, len(inputs), self.batch):
            part = inputs[start : start + self.batch]
            for network in self.networks:
                self.asked()
                answers = network(
                    torch.stack([torch.flip(patch, axes) if axes else patch for _, axes, patch in part])
                ).float()
                if not bool(torch.isfinite(answers).all()):
                    # Labels of such answers would be background, and look like one.
                    raise MTANNError(
                        "A network's answer is not a finite number everywhere. If it was computed in fp16 or bf16, use "
                        "--precision fp32; else the model, or an intensity of the image, is beyond all bounds."
                    )
                self.evaluated += len(part)
                for (number, axes, _), answer in zip(part, answers, strict=True):
                    answer = torch.flip(answer, axes) if axes else answer
                    total = totals[number]
                    totals[number] = answer.clone() if total is None else total.add_(answer)
        share = len(flips) * len(self.networks)
        done = [total / share for total in totals if total is not None]
        return [total[:, None] for total in done] if self.dimensions == 2 else done


def mirrorings(axes: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """Every set of axes to mirror along, none among them."""
    return tuple(one for count in range(len(axes) + 1) for one in itertools.combinations(axes, count))


def _constant_values(patch: torch.Tensor) -> tuple[float, ...] | None:
    """Each channel's value, if each channel holds but one."""
    flat = patch.reshape(len(patch), -1)
    # Patches with an image in them differ soon: most are told by their corners and middle.
    if bool((flat[:, :: max(1, flat.shape[1] // 64)] != flat[:, :1]).any()) or bool((flat != flat[:, :1]).any()):
        return None
    return tuple(flat[:, 0].tolist())
