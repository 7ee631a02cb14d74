"""How a U-Net is taught. What is not here is as nnU-Net has it, and stands beside the code that does it."""

from pydantic import Field

from mtann.settings import Positive, Settings


class UNetTrainingSettings(Settings):
    """How a U-Net is taught; the defaults are nnU-Net's (Isensee et al., Nat Methods 18:203, 2021)."""

    epochs: int = Field(1000, ge=1, description="epochs; an epoch is a number of batches, not a pass over the cases")
    iterations: int = Field(250, ge=1, description="batches an epoch")
    validation_iterations: int = Field(50, ge=1, description="batches of held-out cases that each epoch is judged by")
    batch_size: int | None = Field(None, ge=1, description="patches a batch, over all processes; the plan's if none")
    learning_rate: Positive = Field(1e-2, description="of the first epoch; falls to 0 with the power 0.9")
    weight_decay: float = Field(3e-5, ge=0, le=1, description="pull of the weights towards 0")
    foreground_share: float = Field(
        1 / 3, ge=0, le=1, description="share of each batch that is centred on a labelled voxel"
    )
    augment: bool = Field(True, description="vary patches: turn, scale, mirror, noise, blur, contrast and so on")
    mirror: bool = Field(True, description="mirror patches, and let the model be mirrored when it is used")
    folds: int = Field(5, ge=2, le=20, description="cross-validation folds, by patient")
    workers: int | None = Field(
        None, ge=0, le=64, description="processes that cut patches; if none, 0 on the CPU, else up to 8"
    )
    seed: int = Field(0, ge=0, description="seed of every random choice")
