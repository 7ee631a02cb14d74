"""``model.json`` of a U-Net that segments: a plan, and the networks trained by it."""

from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, field_serializer, field_validator, model_validator

from mtann.detection.calibration import TemperatureCalibration
from mtann.models.card import Card
from mtann.planning.plan import Configuration, Plan
from mtann.settings import Settings

Axis = Annotated[int, Field(ge=0, le=2)]
Fold = Annotated[str, Field(pattern=r"^(\d+|all)$")]

_SAME_LABELS = 0.999


class PostProcessing(Settings):
    """What is done to one label, or one region, of a finished segmentation."""

    label: str = Field(description="name in the plan's labels")
    keep_largest: bool = Field(
        False, description="whether only its largest connected component is kept (26 neighbours)"
    )
    min_volume_mm3: float = Field(
        0.0, ge=0, allow_inf_nan=False, description="components below this volume are removed"
    )


class MeasuredDice(Settings):
    """How well a label was segmented in cases that the networks had not seen."""

    label: str
    dice: float = Field(ge=0, le=1, description="mean Dice coefficient")
    cases: int = Field(ge=1)
    measured_on: str = Field(description="which data that was")


class ReducedCheck(Settings):
    """How far labels in less than fp32 are those in fp32, on one case; or why that was not measured."""

    backend: Literal["torch", "openvino"]
    precision: Literal["fp32", "bf16", "fp16"]
    dice: float | None = Field(None, ge=0, le=1, description="least Dice coefficient of a label against fp32")
    words: str = Field(description="on which case it was measured, or why it was not")

    @property
    def same_labels(self) -> bool:
        """Whether that is close enough to be chosen by itself."""
        return self.dice is not None and self.dice >= _SAME_LABELS


class UNetCard(Card):
    """The content of ``model.json`` of a model that segments with U-Nets.

    Tensors are named ``fold_<fold>.<configuration>.<tensor of the network>``.
    """

    kind: Literal["unet"] = "unet"
    plan: Plan
    configurations: tuple[str, ...] = Field(
        min_length=1,
        description="which of the plan's configurations segment; the probabilities of several are averaged",
    )
    folds: tuple[Fold, ...] = Field(min_length=1, description="the folds of each; their logits are averaged")
    mirror_axes: dict[str, tuple[Axis, ...]] = Field(
        description="of each configuration, the patch's axes that may be mirrored; its answers are averaged"
    )
    post_processing: tuple[PostProcessing, ...] = Field((), description="in this order")
    training_cases: int | None = Field(None, ge=1, description="none if unknown, as of an imported model")
    training_patients: int | None = Field(None, ge=1, description="none if unknown")
    seed: int | None = Field(None, ge=0)
    measured: tuple[MeasuredDice, ...] = ()
    reduced_dice: float | None = Field(
        None, ge=0, le=1, description="least Dice coefficient of reduced_checks; none where nothing was measured"
    )
    reduced_checks: tuple[ReducedCheck, ...] = Field(
        (), description="of each way to compute in less than fp32 that was there when the model was made"
    )
    calibration: TemperatureCalibration | None = Field(None, description="what the logits are divided by; none for 1")

    @model_validator(mode="after")
    def _parts_agree(self) -> "UNetCard":
        known = {configuration.name: configuration for configuration in self.plan.configurations}
        if missing := [name for name in self.configurations if name not in known]:
            raise ValueError(f"the plan has no configuration {', '.join(missing)}")
        for name in self.stages:
            if name not in self.mirror_axes:
                raise ValueError(f"mirror_axes do not name configuration {name}")
            if any(axis >= known[name].dimensions for axis in self.mirror_axes[name]):
                raise ValueError(f"mirror_axes {self.mirror_axes[name]} of configuration {name} exceed its dimensions")
        if unknown := [rule.label for rule in self.post_processing if rule.label not in self.plan.labels]:
            raise ValueError(f"post_processing names labels that the plan has not: {', '.join(unknown)}")
        return self

    @field_serializer("plan", mode="wrap")
    def _labels_as_list(self, plan: Plan, serialise: SerializerFunctionWrapHandler) -> Any:
        # The order of labels is that of the network's outputs; model.json is written with sorted keys.
        document = serialise(plan)
        return {**document, "labels": [[name, list(values)] for name, values in plan.labels.items()]}

    @field_validator("plan", mode="before")
    @classmethod
    def _labels_from_list(cls, document: Any) -> Any:
        if isinstance(document, dict) and isinstance(document.get("labels"), list):
            return {**document, "labels": dict(document["labels"])}
        return document

    @property
    def stages(self) -> tuple[str, ...]:
        """The configurations to run, each after the one whose segmentation it takes."""
        names: list[str] = []
        for name in self.configurations:
            chain = [name]
            while (before := self.plan.configuration(chain[0]).previous) is not None and before not in chain:
                chain.insert(0, before)
            names += [one for one in chain if one not in names]
        return tuple(names)

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Names of the images that it takes, in order."""
        return self.plan.channels

    @property
    def dimensions(self) -> int:
        """2 for a model that works slice by slice, else 3."""
        return max(self.plan.configuration(name).dimensions for name in self.configurations)

    @property
    def described_inputs(self) -> str:
        """Its channels, and of each configuration normalisation, grid and patch."""
        parts = "; ".join(_described(self.plan.configuration(name)) for name in self.stages)
        return f"Channels: {', '.join(self.plan.channels)}; {parts}"

    @property
    def command(self) -> str:
        """The subcommand of ``mtann`` that uses the model."""
        return "segment"

    @property
    def purpose(self) -> str:
        """What the model does, in a few words."""
        return f"segments: {', '.join(self.plan.labels)}"

    @property
    def taught_on(self) -> str:
        """What it learnt from, in words."""
        if self.training_cases is None:
            return "cases that are not stated"
        patients = f" of {self.training_patients} patients" if self.training_patients is not None else ""
        return f"{self.training_cases} cases{patients}"

    @property
    def results(self) -> tuple[str, ...]:
        """Its Dice coefficients, in words."""
        checks = (check for check in self.reduced_checks if check.dice is not None)
        return (
            *(
                f"{one.label}: Dice coefficient {one.dice:.3f} in {one.cases} cases; measured on {one.measured_on}"
                for one in self.measured
            ),
            *(f"In {one.precision}: Dice coefficient {one.dice:.4f} against fp32, {one.words}" for one in checks),
        )

    @property
    def members(self) -> tuple[tuple[str, ...], ...]:
        """Of each configuration to run, its folds."""
        return tuple(tuple(prefix(name, fold) for fold in self.folds) for name in self.stages)


def prefix(configuration: str, fold: str) -> str:
    """What the tensors' names of one trained network begin with."""
    return f"fold_{fold}.{configuration}"


def _described(configuration: Configuration) -> str:
    how = ", ".join(dict.fromkeys(configuration.normalisation))
    spacing = " x ".join(f"{length:g}" for length in configuration.spacing)
    patch = " x ".join(map(str, configuration.patch_size))
    return f"{configuration.name}: {how}, grid {spacing} mm, patch {patch}, {configuration.architecture.network}"
