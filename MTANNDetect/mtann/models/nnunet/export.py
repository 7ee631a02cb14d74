"""A bundle as a model folder that ``nnUNetv2_predict`` runs."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mtann.errors import ModelError, OutputError
from mtann.models.bundle import ModelBundle
from mtann.models.nnunet.architecture import write_architecture
from mtann.models.nnunet.folder import DATASET_FILE, FINAL, PLANS_FILE
from mtann.models.nnunet.plans import NORMALISATIONS, RESAMPLING, RESAMPLINGS
from mtann.models.nnunet.tensors import to_nnunet
from mtann.models.unet_bundle import unet_network
from mtann.models.unet_card import UNetCard
from mtann.optional import require
from mtann.planning.plan import Configuration, Plan

TRAINER, PLANS_NAME = "nnUNetTrainer", "nnUNetPlans"


def export_bundle(bundle: ModelBundle[UNetCard], directory: Path | str) -> tuple[Path, ...]:
    """Write a folder a configuration, named as nnU-Net names them, such as ``nnUNetTrainer__nnUNetPlans__3d_fullres``.

    Args:
        bundle: The model.
        directory: Where the folders are put; missing parents are made.

    Returns:
        The folders: of a cascade the earlier stage first.

    Raises:
        ModelError: nnU-Net has no such network, or the weights do not fit the description.
        OutputError: A folder is there already, or cannot be written.
    """
    card = bundle.card
    plans, dataset = plans_document(card.plan), dataset_document(card)
    folders = [Path(directory) / f"{TRAINER}__{PLANS_NAME}__{name}" for name in card.stages]
    for folder in folders:
        if folder.exists():
            raise OutputError(f"There is a folder '{folder}' already; it is not overwritten. Choose another place.")
    for name, folder in zip(card.stages, folders, strict=True):
        with _new_folder(folder) as work:
            for file, document in ((PLANS_FILE, plans), (DATASET_FILE, dataset)):
                text = json.dumps(document, indent=4, ensure_ascii=False) + "\n"
                (work / file).write_text(text, encoding="utf-8", newline="\n")
            for fold in card.folds:
                (work / f"fold_{fold}").mkdir()
                _write_checkpoint(bundle, name, fold, plans, dataset, work / f"fold_{fold}" / FINAL)
    return tuple(folders)


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """A folder that is there whole, or not at all."""
    work = folder.with_name(f".{folder.name}.partial-{os.getpid()}")
    try:
        work.mkdir(parents=True)
        yield work
        work.rename(folder)
    except OSError as error:
        raise OutputError(
            f"'{folder}' could not be written ({error.strerror}). Check free disk space and permissions."
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def plans_document(plan: Plan) -> dict[str, Any]:
    """The content of ``plans.json``."""
    finest = max(plan.configurations, key=lambda one: (one.dimensions, -sum(one.spacing)))
    spacing, size = ([1.0, *finest.spacing][-3:], [1, *finest.median_size][-3:])
    return {
        "dataset_name": plan.name,
        "plans_name": PLANS_NAME,
        "original_median_spacing_after_transp": spacing,
        "original_median_shape_after_transp": size,
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": list(plan.transpose_forward),
        "transpose_backward": list(plan.transpose_backward),
        "configurations": {one.name: _configuration(one) for one in plan.configurations},
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {
            str(number): {
                "mean": one.mean,
                "std": one.std,
                "median": one.median,
                "percentile_00_5": one.percentile_00_5,
                "percentile_99_5": one.percentile_99_5,
                "min": one.minimum,
                "max": one.maximum,
            }
            for number, one in enumerate(plan.intensities)
        },
    }


def dataset_document(card: UNetCard) -> dict[str, Any]:
    """The content of ``dataset.json``."""
    plan = card.plan
    labels: dict[str, Any] = {"background": 0}
    labels.update({name: list(own) if plan.has_regions else own[0] for name, own in plan.labels.items()})
    if plan.ignore_label is not None:
        labels["ignore"] = plan.ignore_label
    document: dict[str, Any] = {
        "channel_names": {str(number): name for number, name in enumerate(plan.channels)},
        "labels": labels,
        "numTraining": card.training_cases or 0,
        "file_ending": ".nii.gz",
        "licence": card.licence,
        "description": f"{card.name}, exported from MTANNDetect",
    }
    if plan.has_regions:
        document["regions_class_order"] = list(plan.region_order)
    else:
        values = [value for own in plan.labels.values() for value in own]
        if values != list(range(1, len(values) + 1)):
            raise ModelError(
                f"nnU-Net takes a network's outputs for the labels 1, 2, 3 and so on; model '{card.name}' has "
                f"{', '.join(map(str, values))}. Train it with consecutive labels to export it."
            )
    return document


def _configuration(one: Configuration) -> dict[str, Any]:
    names = {ours: theirs for theirs, ours in NORMALISATIONS.items()}
    document: dict[str, Any] = {
        "data_identifier": f"{PLANS_NAME}_{one.name}",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": one.batch_size,
        "patch_size": list(one.patch_size),
        "median_image_size_in_voxels": [float(n) for n in one.median_size],
        "spacing": list(one.spacing),
        "normalization_schemes": [names[scheme] for scheme in one.normalisation],
        "use_mask_for_norm": list(one.normalise_in_mask),
        "architecture": write_architecture(one.architecture, one.dimensions),
        "batch_dice": one.batch_dice,
    }
    for what, options in RESAMPLINGS.items():
        document[f"resampling_fn_{what}"] = RESAMPLING
        document[f"resampling_fn_{what}_kwargs"] = options
    if one.previous is not None:
        document["previous_stage"] = one.previous
    return document


def _write_checkpoint(
    bundle: ModelBundle[UNetCard], name: str, fold: str, plans: dict[str, Any], dataset: dict[str, Any], path: Path
) -> None:
    torch = require("torch", "Writing an nnU-Net checkpoint")
    weights = to_nnunet(unet_network(bundle, name, fold).state_dict())
    axes = bundle.card.mirror_axes[name]
    checkpoint = {
        "network_weights": {key: weights[key].clone() for key in sorted(weights)},
        "init_args": {"plans": plans, "configuration": name, "fold": fold, "dataset_json": dataset},
        "trainer_name": TRAINER,
        "inference_allowed_mirroring_axes": axes or None,
    }
    torch.save(checkpoint, path)
