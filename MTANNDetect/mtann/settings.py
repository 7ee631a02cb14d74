"""Every knob, with its unit and its range.

Settings are frozen; cross-checks run when they are made. They are saved whole in model bundles and results. Lengths are
in millimetres or, where the name says so, in voxels of the model's isotropic grid.
"""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from mtann.errors import SettingsError

Device = Literal["auto", "cpu", "cuda", "mps", "xpu"]
Backend = Literal["auto", "torch", "openvino"]
Precision = Literal["auto", "fp32", "bf16", "fp16"]
Task = Literal["detection", "classification"]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def _ascending(scales_mm: tuple[float, ...]) -> tuple[float, ...]:
    if list(scales_mm) != sorted(set(scales_mm)):
        raise ValueError(f"scales must ascend without repetition, found {scales_mm}")
    return scales_mm


Scales = Annotated[tuple[Positive, ...], AfterValidator(_ascending)]
HessianScales = Annotated[tuple[Annotated[float, Field(ge=0.1, le=20)], ...], AfterValidator(_ascending)]


class Settings(BaseModel):
    """Base of all settings: frozen, and refusing unknown names."""

    model_config = ConfigDict(frozen=True, extra="forbid")


S = TypeVar("S", bound=Settings)


def make_settings(kind: type[S], /, **values: Any) -> S:
    """Build settings from values that a user gave.

    Raises:
        SettingsError: A value is out of range, of the wrong type or unknown; the message names it.
    """
    try:
        return kind(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or kind.__name__
        message = first["msg"].removeprefix("Value error, ")
        raise SettingsError(f"Setting '{name}' cannot be {first['input']!r}: {message}.") from error


class NetworkSettings(Settings):
    """Shape of an MTANN: its subvolume at each resolution level, and its hidden layers."""

    dimensions: Literal[2, 3] = Field(3, description="3 for subvolumes, 2 for 9x9 subregions of each slice")
    subvolume: Literal["sphere", "planes"] = Field(
        "sphere",
        description="in three dimensions: a sphere in 7x7x7 grid points, or three orthogonal 9x9 planes (2.5-D)",
    )
    dilations: tuple[Annotated[int, Field(ge=1, le=16)], ...] = Field(
        (1, 2, 4),
        max_length=4,
        description="spacing of the input grid at each resolution level, in voxels; "
        "if none are given, training chooses them by its lesions' radii",
    )
    hidden: tuple[Annotated[int, Field(ge=1, le=512)], ...] = Field(
        (48, 24),
        min_length=1,
        max_length=2,
        description="units in each hidden layer; the first is sigmoid, the second tanh",
    )
    hessian_scales_mm: HessianScales = Field(
        (),
        max_length=4,
        description="scales in mm at which networks also see the curvature of each image: the two largest eigenvalues "
        "of its Hessian matrix, in which blobs, tubes and sheets that are brighter than what is round them differ "
        "whichever way they lie",
    )
    stages: int = Field(
        1,
        ge=1,
        le=3,
        description="networks in a row; each but the first also sees, as one more channel, what the one before it "
        "answered in the whole image (auto-context)",
    )


class TrainingSettings(Settings):
    """How an MTANN is taught."""

    task: Task = Field(
        "detection",
        description="detection: find lesions in whole images; "
        "classification: tell lesions from non-lesions among given candidates",
    )
    teacher: Literal["auto", "gaussian", "soft_mask"] = Field(
        "auto",
        description=(
            "teaching volume: soft lesion mask, or a Gaussian at each lesion; "
            "auto takes the mask where outlines are given"
        ),
    )
    teaching_sigma_factor: Positive = Field(
        0.7, description="width of the Gaussian teacher, as a fraction of the lesion's radius"
    )
    min_teaching_sigma_voxels: Positive = Field(1.5, description="least width of the Gaussian teacher, in voxels")
    fixed_teaching_sigma_voxels: Positive | None = Field(
        None, description="one Gaussian width for all lesions, in voxels"
    )
    region_factor: Positive = Field(1.7, description="half-width of a training region, in teaching sigmas")
    point_radius_mm: Positive | None = Field(
        None, description="radius of lesions given as points without one, in mm; estimated from the images if none"
    )
    voxels_per_lesion: int = Field(
        4096,
        ge=64,
        description="most voxels that are learnt from in one lesion's training region; larger ones give a random part",
    )
    lesion_share: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="of what is learnt in lesions' training regions, the share that comes from inside the lesions, "
        "where a half or more is to be answered; if none is given, all voxels count alike, which makes it a twentieth "
        "for small lesions and a third for large ones",
    )
    negatives_per_case: int = Field(
        5000,
        ge=0,
        description="non-lesion voxels drawn from each case, half at random, half among the bright; "
        "for classification a fifth of it",
    )
    steps: int = Field(1000, ge=1, description="gradient steps before mining, and again in each mining round")
    mining_rounds: int = Field(
        1,
        ge=0,
        le=5,
        description="times that the strongest false responses are added as negatives; none for classification",
    )
    mined_cases: int = Field(12, ge=1, description="most scans searched in a mining round, drawn at random if more")
    mining_stride: int = Field(
        1, ge=1, le=4, description="only each so manieth voxel along an axis is searched: 2 is eight times as fast"
    )
    batch_size: int = Field(1024, ge=2, description="subvolumes a gradient step")
    learning_rate: Positive = Field(1e-2, description="peak of the one-cycle learning rate (Adam)")
    early_stopping: bool = Field(
        True,
        description="keep the weights of the step with the least error on the held-out cases of the cross-validation, "
        "not the last step's; that error knows nothing of mined negatives, so with many cases the last step's may be "
        "better. Without folds, and in retraining, it is always the last step's",
    )
    augment: bool = Field(True, description="flip, rotate by right angles, and vary intensity during training")
    intensity_variation: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="augmentation multiplies intensities by 1 plus or minus up to this; "
        "if none is given 0.1, or 0.5 for classification by few lesions",
    )
    turned_per_region: int | None = Field(
        None,
        ge=0,
        le=4096,
        description="subvolumes turned by any angle and scaled at random that augmentation adds round each lesion and "
        "given non-lesion; if none is given many for classification by few lesions, else 0",
    )
    folds: int = Field(
        5, ge=0, description="cross-validation folds, by patient, to choose the operating points on; 0 for none"
    )
    repetitions: int = Field(
        1, ge=1, le=32, description="networks trained from different seeds, whose likelihoods are averaged"
    )
    max_experts: int = Field(
        0,
        ge=0,
        le=8,
        description="most experts added to the single network, one a type of its false alarms; 0 for none",
    )
    expert_rounds: int = Field(
        2, ge=1, le=3, description="times that false alarms are sorted into types and experts are trained on them"
    )
    target_sensitivity: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(
        (), description="shares of lesions, such as 0.9, for which operating points are chosen besides the usual ones"
    )
    target_fp_per_case: tuple[Positive, ...] = Field(
        (), description="false alarms a case for which operating points are chosen besides the usual ones"
    )
    seed: int = Field(0, ge=0, description="seed of every random choice")

    @property
    def negatives_drawn(self) -> int:
        """Non-lesion voxels drawn from each case: few for classification, since what matters is given there."""
        return self.negatives_per_case // (5 if self.task == "classification" else 1)


class EnhancementSettings(Settings):
    """How an MTANN is taught to turn an image into another."""

    target: Literal["enhanced", "component", "translated"] = Field(
        "enhanced",
        description="what the target images are; enhanced: the input in its own units, but better, as without noise; "
        "component: a part of the input, as bone of a radiograph; translated: an image in other units",
    )
    levels: int = Field(3, ge=1, le=6, description="resolution levels, each with its own network, each half as fine")
    voxels_per_case: int = Field(10_000, ge=1, description="voxels that are drawn from each case at each level")
    steps: int = Field(1500, ge=1, description="gradient steps")
    batch_size: int = Field(1024, ge=2, description="subvolumes a gradient step")
    learning_rate: Positive = Field(1e-2, description="peak of the one-cycle learning rate (Adam)")
    folds: int = Field(5, ge=0, description="cross-validation folds, by patient, to measure the quality on; 0 for none")
    seed: int = Field(0, ge=0, description="seed of every random choice")


ENHANCEMENT_NETWORK = NetworkSettings(dimensions=2, dilations=(1,), hidden=(48, 24))
"""Each level's network. The paper's 81-20-1 (``hidden=(20,)``; Suzuki et al., IEEE Trans Med Imaging 25:406, 2006)
denoises as well, but takes more of the nodules away with the ribs."""


DEFAULT_SCALES_MM = (1.0, 1.6, 2.6, 4.1, 6.6, 10.5)
"""Scoring sigmas for lesions of 3 to 40 mm, where no training lesions are known."""


class DetectionSettings(Settings):
    """How candidates are found in a likelihood volume."""

    scales_mm: Scales = Field(
        (),
        description="scoring sigmas at which peaks are sought, ascending, in mm; "
        "if none are given, training chooses them by its lesions' radii",
    )
    outline_fraction: float = Field(
        0.5, gt=0, lt=1, description="an outline is where the likelihood exceeds this fraction of its peak"
    )
    join_fraction: float = Field(
        1.0,
        gt=0,
        le=1,
        description="candidates that lie round a common middle, as pieces of a rim do, become one where the likelihood "
        "between them stays above this fraction of the weaker one's peak; 1 joins nothing",
    )
    max_candidates: int = Field(100, ge=1, le=10000, description="most candidates kept a case")
    score_floor: float = Field(0.05, allow_inf_nan=False, description="candidates below this score are not kept at all")
    tile_voxels: int = Field(64, ge=8, le=1024, description="edge of the tiles that the scan runs in, in voxels")


class ExplanationSettings(Settings):
    """How candidates are explained."""

    most_candidates: int = Field(3, ge=1, le=100, description="how many of the best candidates are explained")
    cube_mm: Positive | None = Field(
        None,
        description="edge of the cube of input that is replaced, in mm; twice the candidate's scoring sigma if None",
    )
    reach_sigmas: float = Field(
        4.0, gt=0, le=10, description="how far from the candidate cubes are replaced, in scoring sigmas"
    )


_HISTORIC: dict[int, tuple[float, float]] = {3: (4.5, 1.7), 2: (5.0, 1.9)}
"""Sigma in voxels and region half-width in sigmas: regions of 15^3 and 19^2."""

PRESETS = ("default", "historic")


def preset(name: str, dimensions: Literal[2, 3] = 3) -> tuple[NetworkSettings, TrainingSettings]:
    """Settings by name.

    ``historic`` is frozen: 171 inputs, 25 hidden units, sigma 4.5 voxels (Suzuki et al., Med Phys 33:3814, 2006), or in
    two dimensions 81 inputs, 25 hidden units, sigma 5 pixels (Med Phys 30:1602, 2003).

    Raises:
        SettingsError: There is no preset of this name.
    """
    if name == "default":
        return NetworkSettings(dimensions=dimensions, dilations=()), TrainingSettings()
    if name == "historic":
        sigma, region = _HISTORIC[dimensions]
        return (
            NetworkSettings(dimensions=dimensions, dilations=(1,), hidden=(25,)),
            TrainingSettings(
                teacher="gaussian",
                fixed_teaching_sigma_voxels=sigma,
                region_factor=region,
                mining_rounds=0,
                augment=False,
            ),
        )
    raise SettingsError(f"There is no preset '{name}'. Use one of: {', '.join(PRESETS)}.")
