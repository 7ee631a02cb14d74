"""What a segmentation hands on, and how it may be asked for."""

from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field

from mtann.detection.candidate import InputReference, ModelReference
from mtann.geometry import Triple
from mtann.settings import Backend, Device, Precision, Settings
from mtann.volume import Volume


class SegmentationSettings(Settings):
    """How a segmentation is made."""

    threshold: float | None = Field(
        None, description="MTANN: least likelihood of a lesion's voxels; the model's if None"
    )
    folds: tuple[str, ...] = Field((), description="U-Net: which of the model's folds; all of them if none are given")
    mirroring: bool = Field(True, description="U-Net: whether patches are mirrored too, as far as the model allows it")
    overlap: Annotated[float, Field(ge=0, lt=1)] = Field(0.5, description="U-Net: least overlap of patches")
    probabilities: bool = Field(False, description="U-Net: whether each class's probabilities are handed on")
    uncertainty: bool = Field(
        False,
        description="U-Net: whether its folds and mirrored patches are asked one by one, to tell how far they agree",
    )
    device: Device = Field("auto", description="where to compute")
    backend: Backend = Field("auto", description="what evaluates networks")
    precision: Precision = Field("auto", description="of the numbers within networks")


IndexBox = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
"""First index, and the one behind the last, along z, y and x."""


@dataclass(frozen=True)
class SegmentedLabel:
    """A label, or a region that may overlap others.

    Attributes:
        name: What it is.
        values: Values of the label map that belong to it.
        volume_mm3: Its volume.
        mask: Its own voxels (uint8, 1 within it) where regions may overlap; else None, and the label map tells.
    """

    name: str
    values: tuple[int, ...]
    volume_mm3: float
    mask: Volume | None = field(default=None, repr=False)


@dataclass(frozen=True)
class ComponentInterval:
    """What the evaluations make of the volume of one connected part of a label: their median, and where 95 % lie.

    Attributes:
        label: Name of the label.
        number: Of the part, from 1, the largest first.
        centre_lps_mm: Its centre.
        volume_mm3: As it was segmented.
        median_mm3: Of the evaluations.
        low_mm3: 2.5th percentile.
        high_mm3: 97.5th percentile.
    """

    label: str
    number: int
    centre_lps_mm: Triple
    volume_mm3: float
    median_mm3: float
    low_mm3: float
    high_mm3: float


@dataclass(frozen=True)
class SegmentationUncertainty:
    """How far a model's networks, and mirrored patches, disagree.

    Attributes:
        evaluations: How many networks and mirrored positions were asked.
        variance: Over the evaluations, of the class or region whose probability varies most.
        entropy: In bits, of the mean probabilities: of all classes together, or of the most uncertain region.
        components: One interval for each of the largest parts.
    """

    evaluations: int
    variance: Volume = field(repr=False)
    entropy: Volume = field(repr=False)
    components: tuple[ComponentInterval, ...]


@dataclass(frozen=True)
class Segmentation:
    """Everything that a segmentation gave, on the grid of the first channel.

    Attributes:
        label_map: Label values; 0 is background.
        labels: What they mean.
        model: The model used.
        inputs: One entry a channel.
        settings: Every setting of the run.
        origin: In words, where the decision what belongs to a label comes from.
        computation: In words, what evaluated the networks.
        patches: How many patches were run of how many there are; None for MTANNs.
        probabilities: A volume a class, if asked for; for labels, of the background too.
        warnings: What the reader must know before trusting the result.
        uncertainty: How far the networks disagree, if asked for.
        boxes: The parts of the label map that were looked at; None for all of it.
    """

    label_map: Volume
    labels: tuple[SegmentedLabel, ...]
    model: ModelReference
    inputs: tuple[InputReference, ...]
    settings: SegmentationSettings
    origin: str
    computation: str = ""
    patches: tuple[int, int] | None = None
    probabilities: tuple[Volume, ...] = field(default=(), repr=False)
    warnings: tuple[str, ...] = ()
    uncertainty: SegmentationUncertainty | None = field(default=None, repr=False)
    boxes: tuple[IndexBox, ...] | None = None
