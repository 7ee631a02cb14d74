"""Make eight model folders of nnU-Net v2 with nnunetv2 itself: tiny data sets, its planner, its trainer, a few steps.

Needs the peers' environment. The plans are nnU-Net's own, with fewer features and smaller patches, so that a volume
takes several patches and training takes seconds. ``nnunet_compare.py`` holds what the folders answer here against
nnunetv2's answers.
"""

import json
import multiprocessing
import os
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.pool import ThreadPool
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

CASES = 5
FEATURES = 8


@dataclass(frozen=True)
class Recipe:
    """A data set and what is trained on it."""

    name: str
    shape: tuple[int, int, int] = (40, 44, 36)
    spacing_zyx: tuple[float, float, float] = (1.0, 1.0, 1.0)
    channels: tuple[str, ...] = ("T1",)
    configuration: str = "3d_fullres"
    planner: str = "ExperimentPlanner"
    folds: tuple[int | str, ...] = (0,)
    regions: bool = False
    border: int = 2
    jitter: float = 0.0
    steps: int = 40

    @property
    def plans(self) -> str:
        return "nnUNetPlans" if self.planner == "ExperimentPlanner" else "nnUNetResEncUNetMPlans"


RESIDUAL = "nnUNetPlannerResEncM"
RECIPES = (
    Recipe("plain_isotropic_mr"),
    Recipe("plain_anisotropic_ct", (12, 52, 48), (4.0, 0.8, 0.8), ("CT",), jitter=0.15, steps=120),
    Recipe("plain_2d_mr", (6, 60, 56), (5.0, 0.9, 0.9), configuration="2d", jitter=0.1, steps=120),
    Recipe("residual_isotropic_mr", channels=("T1", "T2"), planner=RESIDUAL, border=9),
    Recipe("residual_2d_ct", (6, 60, 56), (5.0, 0.9, 0.9), ("CT",), "2d", RESIDUAL, steps=120),
    Recipe("regions_mr", channels=("T1", "FLAIR"), regions=True, steps=60),
    Recipe("cascade_ct", channels=("CT",), configuration="3d_cascade_fullres", folds=("all",)),
    Recipe("two_folds_transposed_mr", (44, 40, 14), (0.9, 0.9, 3.2), folds=(0, 1), jitter=0.1, steps=120),
)


def make_case(recipe: Recipe, seed: int) -> tuple[list[sitk.Image], sitk.Image]:
    """Noisy blobs with cores on a smooth background, zeros round about; spacing varies a little where asked for."""
    random = np.random.default_rng(seed)
    shape, spacing = recipe.shape, np.array(recipe.spacing_zyx) * (1 + recipe.jitter * random.uniform(-1, 1))
    grid = np.indices(shape).astype(float) * spacing[:, None, None, None]
    extent = np.array(shape) * spacing
    labels = np.zeros(shape, np.uint8)
    for _ in range(3):
        centre = extent * random.uniform(0.3, 0.7, 3)
        distance = np.sqrt(((grid - centre[:, None, None, None]) ** 2).sum(0))
        radius = extent.min() * random.uniform(0.14, 0.24)
        labels[(distance < radius) & (labels == 0)] = 1
        labels[distance < radius * 0.6] = 2
    inside = np.zeros(shape, bool)
    margins = [min(recipe.border, n // 6) for n in shape]
    inside[tuple(slice(m, n - m) for m, n in zip(margins, shape, strict=True))] = True
    images = []
    for number, channel in enumerate(recipe.channels):
        smooth = ndimage.gaussian_filter(random.normal(size=shape), np.array(3.0) / spacing) * 3
        signal = 10 + smooth + (labels > 0) * (3 - number) + (labels == 2) * (2 + 2 * number)
        array = signal + random.normal(0, 0.7, shape)
        array = np.where(inside, array * 40 - 300, -1000) if channel == "CT" else np.where(inside, array, 0)
        images.append(_image(array.astype(np.int16 if channel == "CT" else np.float32), spacing))
    return images, _image(labels * inside, spacing)


def _image(array: np.ndarray, spacing_zyx: Sequence[float]) -> sitk.Image:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing([float(length) for length in spacing_zyx[::-1]])
    image.SetOrigin((-12.0, 5.0, 31.0))
    return image


def dataset_name(number: int) -> str:
    return f"Dataset{number + 1:03d}_{RECIPES[number].name}"


def write_dataset(number: int, raw: Path) -> None:
    """nnU-Net's raw folder of a recipe, and one test case more."""
    recipe, folder = RECIPES[number], raw / dataset_name(number)
    for part in ("imagesTr", "labelsTr", "imagesTs"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for case in range(CASES + 1):
        images, labels = make_case(recipe, 100 * number + case)
        part = "imagesTr" if case < CASES else "imagesTs"
        for channel, image in enumerate(images):
            sitk.WriteImage(image, str(folder / part / f"case{case}_{channel:04d}.nii.gz"))
        if case < CASES:
            sitk.WriteImage(labels, str(folder / "labelsTr" / f"case{case}.nii.gz"))
    names = {"whole": [1, 2], "core": [2]} if recipe.regions else {"rim": 1, "core": 2}
    document = {
        "channel_names": {str(channel): name for channel, name in enumerate(recipe.channels)},
        "labels": {"background": 0, **names},
        "numTraining": CASES,
        "file_ending": ".nii.gz",
        **({"regions_class_order": [1, 2]} if recipe.regions else {}),
    }
    (folder / "dataset.json").write_text(json.dumps(document))


def set_up(root: Path) -> None:
    """Folders and switches that nnunetv2 reads; its pools of processes become pools of threads."""
    for name in ("raw", "preprocessed", "results"):
        (root / name).mkdir(parents=True, exist_ok=True)
        os.environ[f"nnUNet_{name}"] = str(root / name)
    os.environ["nnUNet_compile"] = "f"  # noqa: SIM112

    class Threads:
        Pool = ThreadPool

    multiprocessing.get_context = lambda method=None: Threads  # type: ignore[assignment]


def plan_dataset(number: int, root: Path) -> None:
    """Fingerprint and plan by nnunetv2, made small; then its preprocessing."""
    from nnunetv2.experiment_planning import plan_and_preprocess_api as api

    recipe = RECIPES[number]
    os.environ["nnUNet_n_proc_DA"] = "1"  # noqa: SIM112 (also the number of threads, which cannot be 0)
    api.extract_fingerprint_dataset(number + 1, num_processes=1, show_progress_bar=False)
    api.plan_experiments([number + 1], recipe.planner)
    path = root / "preprocessed" / dataset_name(number) / f"{recipe.plans}.json"
    plans = json.loads(path.read_text())
    for configuration in plans["configurations"].values():
        if "architecture" in configuration:
            _shrink(configuration)
    if recipe.configuration == "3d_cascade_fullres":
        full = plans["configurations"]["3d_fullres"]
        low = {**full, "spacing": [2 * length for length in full["spacing"]], "data_identifier": "low"}
        plans["configurations"]["3d_lowres"] = {**low, "next_stage": "3d_cascade_fullres"}
        plans["configurations"]["3d_cascade_fullres"] = {"inherits_from": "3d_fullres", "previous_stage": "3d_lowres"}
    path.write_text(json.dumps(plans))
    for name in _stages(recipe):
        kept = name if "inherits_from" not in plans["configurations"][name] else "3d_fullres"
        api.preprocess_dataset(number + 1, recipe.plans, [kept], num_processes=[1], show_progress_bar=False)


def _shrink(configuration: dict) -> None:
    kwargs = configuration["architecture"]["arch_kwargs"]
    stages = min(4, kwargs["n_stages"])
    for key in ("kernel_sizes", "strides", "n_conv_per_stage", "n_blocks_per_stage"):
        if key in kwargs:
            kwargs[key] = kwargs[key][:stages]
    if "n_blocks_per_stage" in kwargs:
        kwargs["n_blocks_per_stage"] = [1, 2, 2, 2][:stages]
    kwargs["n_conv_per_stage_decoder"] = kwargs["n_conv_per_stage_decoder"][: stages - 1]
    kwargs["n_stages"], kwargs["features_per_stage"] = stages, [FEATURES * 2**stage for stage in range(stages)]
    least = np.prod(kwargs["strides"], axis=0)
    patch = np.array(configuration["patch_size"])
    configuration["patch_size"] = [
        int(max(2, 0.6 * n // s) * s) if n > 12 else int(n) for n, s in zip(patch, least, strict=True)
    ]
    configuration["batch_size"] = 2


def _stages(recipe: Recipe) -> tuple[str, ...]:
    cascade = recipe.configuration == "3d_cascade_fullres"
    return ("3d_lowres", "3d_cascade_fullres") if cascade else (recipe.configuration,)


def train_dataset(number: int, root: Path) -> Path:
    """Train each stage and fold a little with nnUNetTrainer; returns the model folder."""
    import torch
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    recipe = RECIPES[number]
    os.environ["nnUNet_n_proc_DA"] = "0"  # noqa: SIM112 (no further process)
    base = root / "preprocessed" / dataset_name(number)
    for name in _stages(recipe):
        for fold in recipe.folds:
            plans = json.loads((base / f"{recipe.plans}.json").read_text())
            dataset = json.loads((base / "dataset.json").read_text())
            torch.manual_seed(number)
            np.random.seed(number)  # noqa: NPY002 (nnunetv2 draws from numpy's global generator)
            trainer = nnUNetTrainer(
                {**plans, "continue_training": False}, name, fold, dataset, device=torch.device("cpu")
            )
            trainer.num_epochs, trainer.num_iterations_per_epoch, trainer.num_val_iterations_per_epoch = (
                1,
                recipe.steps,
                1,
            )
            trainer.run_training()
            if recipe.configuration == "3d_cascade_fullres" and name == "3d_lowres":
                trainer.perform_actual_validation(False)
    return root / "results" / dataset_name(number) / f"nnUNetTrainer__{recipe.plans}__{recipe.configuration}"


def make_folder(number: int, root: Path) -> Path:
    """A trained folder of one recipe; made once, then found again."""
    recipe = RECIPES[number]
    folder = root / "results" / dataset_name(number) / f"nnUNetTrainer__{recipe.plans}__{recipe.configuration}"
    if not all((folder / f"fold_{fold}" / "checkpoint_final.pth").exists() for fold in recipe.folds):
        write_dataset(number, root / "raw")
        plan_dataset(number, root)
        train_dataset(number, root)
    return folder
