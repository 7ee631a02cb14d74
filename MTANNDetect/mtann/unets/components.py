"""Which post-processing would have helped the held-out cases: keeping the largest component, dropping small ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mtann.models.unet_card import PostProcessing

_LEAST_GAIN = 0.001
"""Rise of the mean Dice below which a rule is not worth having."""
_MOST_VOLUMES = 20
"""Volumes tried as the least one."""


@dataclass(frozen=True)
class Components:
    """The connected components (26 neighbours) of one label in one case.

    Attributes:
        volumes_mm3: Of each.
        right_mm3: How much of each is right.
        true_mm3: Volume of the label in the reference.
    """

    volumes_mm3: npt.NDArray[np.float64]
    right_mm3: npt.NDArray[np.float64]
    true_mm3: float

    def dice(self, keep_largest: bool = False, min_volume_mm3: float = 0.0) -> float | None:
        """The Dice coefficient with a rule applied; None where nothing is found and nothing is there."""
        kept = self.volumes_mm3 >= min_volume_mm3
        if keep_largest and len(kept):
            kept &= np.arange(len(kept)) == int(np.argmax(self.volumes_mm3))
        size = float(self.volumes_mm3[kept].sum()) + self.true_mm3
        return 2 * float(self.right_mm3[kept].sum()) / size if size else None


def find_components(found: npt.NDArray[np.bool_], true: npt.NDArray[np.bool_], voxel_mm3: float) -> Components:
    """The components of what was found, and how right each is."""
    numbered, count = ndimage.label(found, structure=np.ones((3, 3, 3)))
    sizes = np.bincount(numbered.ravel(), minlength=count + 1)[1:]
    right = np.bincount(numbered[true].ravel(), minlength=count + 1)[1:]
    volumes, rights = (counts.astype(np.float64) * voxel_mm3 for counts in (sizes, right))
    return Components(volumes, rights, float(np.count_nonzero(true)) * voxel_mm3)


def choose_rule(label: str, cases: Sequence[Components]) -> tuple[PostProcessing | None, str]:
    """The rule for a label that raises its mean Dice most, or None where none does; and why, in words.

    Small components are dropped only below a volume that some wrong component reaches and that takes no case's Dice
    away on the whole.
    """
    plain = _mean(cases, PostProcessing(label=label))
    best, best_dice = PostProcessing(label=label), plain + _LEAST_GAIN
    for rule in (*_volume_rules(label, cases), PostProcessing(label=label, keep_largest=True)):
        dice = _mean(cases, rule)
        if dice >= best_dice:
            best, best_dice = rule, dice
    if not (best.keep_largest or best.min_volume_mm3):
        return None, f"{label}: no post-processing raises its Dice of {plain:.3f} by {_LEAST_GAIN} or more"
    what = "keeping the largest component" if best.keep_largest else f"at least {best.min_volume_mm3:.0f} mm3"
    return best, f"{label}: {what} raises its Dice from {plain:.3f} to {best_dice:.3f}"


def _volume_rules(label: str, cases: Sequence[Components]) -> list[PostProcessing]:
    """Least volumes that would drop wrong components: each just above one of theirs."""
    wrong = np.concatenate([case.volumes_mm3[case.right_mm3 == 0] for case in cases] or [np.empty(0)])
    if not len(wrong):
        return []
    volumes = np.unique(np.quantile(wrong, np.linspace(0, 1, _MOST_VOLUMES), method="higher"))
    return [PostProcessing(label=label, min_volume_mm3=float(np.nextafter(volume, np.inf))) for volume in volumes]


def _mean(cases: Sequence[Components], rule: PostProcessing) -> float:
    """The mean Dice over the cases that have the label, in the reference or by mistake.

    A case where all that was found by mistake is dropped counts as 1: the mistake is mended.
    """
    dice = []
    for case in cases:
        if case.dice() is None:
            continue
        after = case.dice(rule.keep_largest, rule.min_volume_mm3)
        dice.append(1.0 if after is None else after)
    return float(np.mean(dice)) if dice else 0.0
