"""How far a U-Net model's folds, and mirrored patches, disagree: variance, entropy, and intervals of volumes."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mtann.detection.uncertainty import entropy_of
from mtann.inference.labels import Block, label_type, labels_of, probabilities_of, regions_of
from mtann.planning.plan import Plan
from mtann.preprocess.unet import CroppedCase
from mtann.progress import Run
from mtann.segmentation.large import large_array
from mtann.segmentation.parts import Box, Part, parts_of
from mtann.segmentation.result import ComponentInterval, SegmentationUncertainty
from mtann.segmentation.stage import Stage
from mtann.volume import Volume

LabelArray = npt.NDArray[np.unsignedinteger]
BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Labelled:
    """Labels of the cropped case: values, or a mask a region where regions may overlap."""

    values: LabelArray = field(repr=False)
    masks: BoolArray | None = field(repr=False)
    plan: Plan

    @classmethod
    def empty(cls, size: Sequence[int], plan: Plan) -> "Labelled":
        """Background everywhere."""
        masks = np.zeros((plan.outputs, *size), dtype=np.bool_) if plan.has_regions else None
        return cls(np.zeros(tuple(size), dtype=label_type(plan)), masks, plan)

    def inside(self, label: int, box: Box) -> BoolArray:
        """Which voxels of a box are of a label, by its number."""
        if self.masks is not None:
            found: BoolArray = self.masks[label][box]
            return found
        (value, *_) = list(self.plan.labels.values())[label]
        return np.asarray(self.values[box] == value)

    def take(self, block: Block) -> None:
        """Decide a block of probabilities."""
        if self.masks is None:
            self.values[block.box] = labels_of(block, self.plan, probabilities=True)
        else:
            self.masks[(slice(None), *block.box)] = regions_of(block, probabilities=True)


def measure_disagreement(
    stages: Sequence[Stage], case: CroppedCase, found: Labelled, first: Volume, temperature: float, run: Run
) -> SegmentationUncertainty:
    """Ask every network in every mirrored position by itself, one in memory at a time.

    Args:
        stages: The configurations that segment.
        case: The case.
        found: Its labels as they were segmented, cropped.
        first: The first channel.
        temperature: Of the model's calibration.
        run: Progress and cancellation.

    Raises:
        CancelledError: The user asked to stop.
    """
    plan, size = case.plan, case.cropped_size
    members = [member for stage in stages for member in stage.members]
    parts = parts_of(found.inside, len(plan.labels), size)
    total, squares = (large_array((plan.outputs, *size)) for _ in range(2))
    counts = []
    for number, member in enumerate(members):
        own = Labelled.empty(size, plan)
        part = run.part(number / len(members), (number + 1) / len(members))
        for whole in member.blocks(part):
            for block in probabilities_of(whole, plan, temperature).parts_within(member.wanted):
                total[(slice(None), *block.box)] += block.values
                squares[(slice(None), *block.box)] += block.values**2
                own.take(block)
        counts.append([one.count(own.inside(one.label, one.box)) for one in parts])
    variance, entropy = _summarised(total, squares, len(members), plan)

    def restored(array: FloatArray, what: str) -> Volume:
        whole = np.zeros(case.size, dtype=np.float32)
        whole[case.box] = array
        return first.with_array(np.ascontiguousarray(case.uncut(whole)), f"{first.name} {what}")

    return SegmentationUncertainty(
        len(members),
        restored(variance, "variance"),
        restored(entropy, "entropy"),
        _intervals(parts, np.array(counts, dtype=np.float64).reshape(len(members), len(parts)), case, first),
    )


def _summarised(total: FloatArray, squares: FloatArray, count: int, plan: Plan) -> tuple[FloatArray, FloatArray]:
    variance, entropy = (np.zeros(total.shape[1:], dtype=np.float32) for _ in range(2))
    for row in range(total.shape[1]):
        mean = total[:, row].astype(np.float64) / count
        variance[row] = np.maximum(squares[:, row] / count - mean**2, 0).max(axis=0)
        if plan.has_regions:
            entropy[row] = entropy_of(mean).max(axis=0)
        else:
            logs = np.log2(mean, out=np.zeros_like(mean), where=mean > 0)
            entropy[row] = np.maximum(-(mean * logs).sum(axis=0), 0)
    return variance, entropy


def _intervals(
    parts: Sequence[Part], counts: npt.NDArray[np.float64], case: CroppedCase, first: Volume
) -> tuple[ComponentInterval, ...]:
    if not parts:
        return ()
    voxel, names = first.geometry.voxel_volume_mm3, list(case.plan.labels)
    lows, medians, highs = np.percentile(counts * voxel, [2.5, 50, 97.5], axis=0)
    intervals = []
    for part, low, median, high in zip(parts, lows.tolist(), medians.tolist(), highs.tolist(), strict=True):
        index = np.array([centre + cut.start for centre, cut in zip(part.centre, case.box, strict=True)])
        x, y, z = first.geometry.lps_from_index(index[list(case.plan.transpose_backward)]).tolist()
        volume = part.voxels * voxel
        intervals.append(ComponentInterval(names[part.label], part.number, (x, y, z), volume, median, low, high))
    return tuple(intervals)
