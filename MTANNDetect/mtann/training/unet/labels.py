"""Label maps as a network's targets: which voxel belongs to which of its outputs.

Label values become *indices*: 0 for background, then 1, 2 ... in ascending order of the values, and last the index of
voxels that nobody annotated. A table says which outputs each index belongs to, so that labels, overlapping regions and
ignored voxels are all one thing to the loss.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtann.errors import CasesError
from mtann.planning.plan import Plan

IndexMap = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class LabelTable:
    """How label values, their indices and the network's outputs belong together.

    Attributes:
        values: Label value of each index; background first.
        members: (outputs, indices) whether an index belongs to an output. Nobody knows where ignored voxels belong:
            their column is empty.
        names: Name of each output that is no background.
        regions: Whether outputs may overlap, each with a sigmoid of its own, and none is the background.
        ignored: Index of voxels that are not annotated, or None.
    """

    values: tuple[int, ...]
    members: npt.NDArray[np.bool_]
    names: tuple[str, ...]
    regions: bool
    ignored: int | None

    @classmethod
    def of(cls, plan: Plan) -> "LabelTable":
        """The table of a plan."""
        known = sorted({value for values in plan.labels.values() for value in values})
        values = [0, *known] + ([] if plan.ignore_label is None else [plan.ignore_label])
        rows = [[value in own for value in values] for own in plan.labels.values()]
        if not plan.has_regions:
            rows.insert(0, [value == 0 for value in values])
        ignored = None if plan.ignore_label is None else len(values) - 1
        return cls(tuple(values), np.array(rows), tuple(plan.labels), plan.has_regions, ignored)

    @property
    def first_foreground(self) -> int:
        """The first output that is no background."""
        return 0 if self.regions else 1

    def index(self, labels: npt.NDArray[np.generic], where: str) -> IndexMap:
        """A map of label values as a map of indices.

        Args:
            labels: Label values.
            where: What to call the case in messages.

        Raises:
            CasesError: A value is no label of the plan.
        """
        unknown = np.setdiff1d(labels, self.values)
        if len(unknown):
            found = ", ".join(f"{value:g}" for value in unknown[:5])
            raise CasesError(
                f"The labels of case '{where}' hold the value(s) {found}, but the plan knows "
                f"{', '.join(map(str, self.values))}. Correct the labels, or plan again with all of them."
            )
        order = np.argsort(self.values)
        return order[np.searchsorted(np.array(self.values)[order], labels)].astype(np.uint8)

    def covered(self, indices: IndexMap, output: int) -> npt.NDArray[np.bool_]:
        """Where a map of indices belongs to an output."""
        return np.asarray(self.members[output][indices])
