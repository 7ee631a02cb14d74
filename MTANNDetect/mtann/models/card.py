"""``model.json``: what a model is, what it expects, how it was made and how it did."""

from abc import abstractmethod
from typing import Literal

from pydantic import Field

from mtann.detection.calibration import Calibration
from mtann.detection.combination import Combination, SingleNetwork
from mtann.detection.operating_points import OperatingPoint
from mtann.errors import ModelError
from mtann.evaluation.overlap import SegmentationThreshold
from mtann.preprocess.hessian import hessian_names
from mtann.preprocess.prepare import Channel, InputSpecification
from mtann.preprocess.typical import TypicalInputs
from mtann.settings import DetectionSettings, NetworkSettings, Settings, Task, TrainingSettings

SCHEMA_VERSION = 1


class TrainingImage(Settings):
    """One file that the model learnt from, by hash alone."""

    role: str = Field(description="channel name, 'lesions', 'non_lesions', 'target' or 'mask'")
    sha256: str


class Card(Settings):
    """What the cards of all kinds of models tell."""

    schema_version: Literal[1] = 1
    kind: str
    name: str = Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$")
    version: str = "1.0.0"
    description: str = ""
    intended_use: str = "Research only. Not a medical device; every result must be reviewed by a qualified reader."
    licence: str = "not stated"
    body_part: str = ""
    training_data: tuple[TrainingImage, ...]
    notes: tuple[str, ...] = Field((), description="what a user of the model should know about its training")
    software: dict[str, str]
    weights_sha256: str = Field("", description="SHA-256 of weights.safetensors")

    @property
    @abstractmethod
    def channel_names(self) -> tuple[str, ...]:
        """Names of the images that it takes, in order."""

    @property
    @abstractmethod
    def dimensions(self) -> int:
        """2 for a model that works slice by slice, else 3."""

    @property
    @abstractmethod
    def described_inputs(self) -> str:
        """What it takes and what is done to it first, in words."""

    @property
    @abstractmethod
    def command(self) -> str:
        """The subcommand of ``mtann`` that uses the model."""

    @property
    @abstractmethod
    def purpose(self) -> str:
        """What the model does, in a few words."""

    @property
    @abstractmethod
    def taught_on(self) -> str:
        """What it learnt from, in words."""

    @property
    @abstractmethod
    def results(self) -> tuple[str, ...]:
        """How it did on its training data, in words."""

    @property
    @abstractmethod
    def members(self) -> tuple[tuple[str, ...], ...]:
        """What the tensors' names of each network's members begin with."""

    @property
    def earlier_members(self) -> tuple[tuple[str, ...], ...]:
        """What the tensors' names of the networks begin with whose answers the others see, first to last."""
        return ()


class MTANNCard(Card):
    """What the cards of models that consist of MTANNs tell."""

    inputs: InputSpecification
    network: NetworkSettings
    training_cases: int = Field(ge=1)
    training_patients: int = Field(ge=1)
    seed: int = Field(ge=0)

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Names of the images that it takes, in order."""
        return tuple(channel.name for channel in self.inputs.channels)

    @property
    def fold_members(self) -> tuple[str, ...]:
        """What the tensors' names of networks begin with that are asked only how sure the model is."""
        return ()

    @property
    def derived_names(self) -> tuple[str, ...]:
        """Names of what networks see beside the images that is derived from these."""
        scales = self.network.hessian_scales_mm
        return tuple(name for channel in self.channel_names for name in hessian_names(channel, scales))

    def seen_by(self, stage: int) -> int:
        """How many channels a network sees: images, what is derived and, after stage 0, the answer before."""
        return len(self.channel_names) + len(self.derived_names) + (stage > 0)

    @property
    def dimensions(self) -> int:
        """2 for a model that works slice by slice, else 3."""
        return self.inputs.dimensions

    @property
    def described_inputs(self) -> str:
        """Each channel's modality and what is done to its intensities; the grid."""
        channels = ", ".join(_described(channel) for channel in self.inputs.channels)
        scales = ", ".join(f"{scale:g}" for scale in self.network.hessian_scales_mm)
        curvature = f", with their curvature at {scales} mm" if scales else ""
        return f"Channels: {channels}{curvature}; grid {self.inputs.spacing_mm:g} mm, {self.dimensions}-D"


class ModelCard(MTANNCard):
    """The content of ``model.json`` of a model that finds lesions."""

    kind: Literal["mtann"] = "mtann"
    class_name: str = Field("lesion", description="what the model finds")
    training: TrainingSettings
    detection: DetectionSettings
    combination: Combination = Field(
        SingleNetwork(), description="how the scores of the single MTANN and its experts become one"
    )
    operating_points: tuple[OperatingPoint, ...]
    segmentation: SegmentationThreshold | None = Field(
        None, description="the likelihood from which a voxel is taken as lesion; none without outlines to learn from"
    )
    training_lesions: int = Field(ge=1)
    kept_folds: int = Field(
        0, ge=0, description="networks of the cross-validation that are kept beside, to tell how sure the model is"
    )
    refused_points: tuple[str, ...] = Field(
        (), description="operating points that the training data could not support, and why"
    )
    calibration: Calibration | None = Field(
        None, description="from scores to probabilities; none without enough candidates that the networks had not seen"
    )
    typical_inputs: TypicalInputs | None = Field(
        None, description="what the training images looked like; none in models from before it was measured"
    )

    @property
    def command(self) -> str:
        """The subcommand of ``mtann`` that uses the model."""
        return "detect"

    @property
    def purpose(self) -> str:
        """What the model does, in a few words."""
        return f"finds: {self.class_name}"

    @property
    def taught_on(self) -> str:
        """What it learnt from, in words."""
        return f"{self.training_lesions} lesions in {self.training_cases} cases of {self.training_patients} patients"

    @property
    def results(self) -> tuple[str, ...]:
        """Its operating points and how it outlines lesions, in words."""
        points = tuple(map(_point_words, self.operating_points))
        if self.calibration is not None:
            own_data = self.calibration
            points = (
                *points,
                f"probabilities: {own_data.method}, learnt from {own_data.lesions} candidates on lesions and "
                f"{own_data.false_alarms} false alarms; chosen on {own_data.chosen_on}",
            )
        if self.segmentation is None:
            return points
        own = self.segmentation
        return (
            *points,
            f"segmentation: threshold {own.threshold:.2f}, Dice coefficient {own.dice:.2f} in {own.cases} cases; "
            f"chosen on {own.chosen_on}",
        )

    @property
    def members(self) -> tuple[tuple[str, ...], ...]:
        """The single MTANN and its experts; repetitions are members."""
        return tuple(
            tuple(f"expert_{expert}.repetition_{repetition}" for repetition in range(self.training.repetitions))
            for expert in range(self.combination.networks)
        )

    @property
    def earlier_members(self) -> tuple[tuple[str, ...], ...]:
        """The networks before the single MTANN in a row, first to last; repetitions are members."""
        return tuple(
            tuple(f"stage_{stage}.repetition_{repetition}" for repetition in range(self.training.repetitions))
            for stage in range(1, self.network.stages)
        )

    @property
    def fold_members(self) -> tuple[str, ...]:
        """The kept networks of the cross-validation."""
        return tuple(f"fold_{number}" for number in range(self.kept_folds))

    def calibration_for(self, task: Task) -> Calibration | None:
        """The calibration, where the model is used for what it was taught for: elsewhere lesions are rarer or not."""
        return self.calibration if self.training.task == task else None

    def operating_point(self, name: str = "balanced") -> OperatingPoint:
        """The operating point of a name.

        Raises:
            ModelError: The model has none of that name.
        """
        for point in self.operating_points:
            if point.name == name:
                return point
        known = ", ".join(point.name for point in self.operating_points) or "none"
        raise ModelError(
            f"Model '{self.name}' has no operating point '{name}' (it has: {known}). Give a threshold instead."
        )


def _point_words(point: OperatingPoint) -> str:
    between = "" if point.interval is None else " ({:.0%} to {:.0%})".format(*point.interval)
    return (
        f"{point.name}: threshold {point.threshold:.3f}, sensitivity {point.sensitivity:.0%}{between}, "
        f"{point.fp_per_case:.1f} false alarms a case, {point.lesions} lesions in {point.cases} cases; "
        f"chosen on {point.chosen_on}"
    )


def _described(channel: Channel) -> str:
    done = [*(step.kind for step in channel.steps), channel.normalisation.method]
    return f"{channel.name} ({channel.modality}; {', '.join(done)})"
