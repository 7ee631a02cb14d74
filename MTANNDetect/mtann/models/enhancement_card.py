"""``model.json`` of a model that turns an image into another."""

from typing import Literal

from pydantic import Field

from mtann.evaluation.image_quality import ImageQuality
from mtann.models.card import MTANNCard
from mtann.settings import EnhancementSettings, Positive, Settings


class OutputScale(Settings):
    """Units of the target images, where these are not the input's: the line that comes closest to them, and the rest.

    A target is ``centre + slope * first channel as the network sees it + deviation * the network's answer``.
    """

    centre: float = Field(0.0, allow_inf_nan=False, description="the line's target value where the first channel is 0")
    slope: float = Field(0.0, allow_inf_nan=False, description="the line's target units a unit of the first channel")
    deviation: Positive = Field(1.0, description="what one unit of the network's answer means, in the target's units")
    outside: float = Field(0.0, allow_inf_nan=False, description="target value outside of the tissue")


class MeasuredQuality(Settings):
    """How like the targets a model's images are, as means over cases.

    For a component, images from which it was subtracted are compared. A translated image's input is brought to the
    target's units by the line that comes closest.
    """

    output: ImageQuality = Field(description="quality of the model's images")
    input: ImageQuality = Field(description="quality of the inputs, which is what one has without the model")
    cases: int = Field(ge=1, description="cases that were measured")
    measured_on: str = Field(description="which data that was")


class EnhancementCard(MTANNCard):
    """The content of ``model.json`` of a model that turns an image into another."""

    kind: Literal["mtann_enhancement"] = "mtann_enhancement"
    target_name: str = Field("target", min_length=1, description="what the model's images show, such as bone")
    training: EnhancementSettings
    output: OutputScale = OutputScale()
    single_slices: bool = Field(
        False, description="whether all training images were single slices, such as radiographs; volumes are refused"
    )
    quality: MeasuredQuality | None = None

    @property
    def command(self) -> str:
        """The subcommand of ``mtann`` that uses the model."""
        return "enhance"

    @property
    def purpose(self) -> str:
        """What the model does, in a few words."""
        return f"makes: {self.target_name} ({self.training.target})"

    @property
    def taught_on(self) -> str:
        """What it learnt from, in words."""
        return f"{self.training_cases} pairs of images of {self.training_patients} patients"

    @property
    def results(self) -> tuple[str, ...]:
        """The quality of its images, in words."""
        if self.quality is None:
            return ()
        own, without = self.quality.output, self.quality.input
        return (
            f"PSNR {own.psnr_db:.2f} dB, SSIM {own.ssim:.4f} (input: {without.psnr_db:.2f} dB, {without.ssim:.4f}); "
            f"{self.quality.cases} cases; measured on {self.quality.measured_on}",
        )

    @property
    def members(self) -> tuple[tuple[str, ...], ...]:
        """One network whose members are the resolution levels."""
        return (tuple(f"level_{level}" for level in range(self.training.levels)),)
