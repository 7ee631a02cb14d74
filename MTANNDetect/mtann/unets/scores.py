"""How well label maps agree with the reference: Dice of each label or region, and its mean over cases."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtann.planning.plan import Plan

LabelArray = npt.NDArray[np.generic]


@dataclass(frozen=True)
class Agreement:
    """Voxels of one label in one case.

    Attributes:
        found: In the model's label map.
        true: In the reference.
        both: In both.
    """

    found: int
    true: int
    both: int

    @property
    def dice(self) -> float | None:
        """Dice coefficient; None where the label is in neither."""
        return 2 * self.both / (self.found + self.true) if self.found + self.true else None


Agreements = dict[str, Agreement]
"""By name of the label."""


def compare(found: LabelArray, true: LabelArray, plan: Plan) -> Agreements:
    """Compare two label maps of one case; voxels that are not annotated count nowhere."""
    known = annotated(true, plan)
    agreements = {}
    for name, values in plan.labels.items():
        a, b = np.isin(found, values) & known, np.isin(true, values) & known
        counts = (int(np.count_nonzero(one)) for one in (a, b, a & b))
        agreements[name] = Agreement(*counts)
    return agreements


def annotated(true: LabelArray, plan: Plan) -> npt.NDArray[np.bool_]:
    """Where a reference says anything."""
    return np.ones(true.shape, dtype=bool) if plan.ignore_label is None else np.asarray(true != plan.ignore_label)


def mean_dice(cases: Sequence[Mapping[str, Agreement]]) -> dict[str, float]:
    """Each label's mean over the cases that have it, in the reference or by mistake; labels of no case are left out."""
    names = dict.fromkeys(name for case in cases for name in case)
    means = {}
    for name in names:
        known = [dice for case in cases if name in case and (dice := case[name].dice) is not None]
        if known:
            means[name] = float(np.mean(known))
    return means


def overall(means: Mapping[str, float]) -> float:
    """The mean over labels; 0 where no case has any."""
    return float(np.mean(list(means.values()))) if means else 0.0
