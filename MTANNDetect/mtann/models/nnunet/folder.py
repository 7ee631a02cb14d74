"""A model folder of nnU-Net v2 as a bundle: ``dataset.json``, ``plans.json``, ``fold_X/checkpoint_final.pth``."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mtann.errors import ModelError
from mtann.models.bundle import ModelBundle
from mtann.models.nnunet.checkpoint import Checkpoint, read_checkpoint
from mtann.models.nnunet.plans import read_plan
from mtann.models.nnunet.tensors import from_nnunet
from mtann.models.unet_bundle import make_unet_bundle
from mtann.models.unet_card import UNetCard
from mtann.planning.plan import Plan
from mtann.version import VERSION

PLANS_FILE, DATASET_FILE = "plans.json", "dataset.json"
FINAL, BEST = "checkpoint_final.pth", "checkpoint_best.pth"
_FOLD_FOLDER = re.compile(r"fold_(\d+|all)")


def is_nnunet_folder(path: Path | str) -> bool:
    """Whether a folder is a trained model of nnU-Net v2."""
    return all((Path(path) / name).is_file() for name in (PLANS_FILE, DATASET_FILE))


def import_folder(path: Path | str, folds: Sequence[str] = (), best: bool = False) -> ModelBundle[UNetCard]:
    """Read a model folder such as ``nnUNetTrainer__nnUNetPlans__3d_fullres``.

    A cascade's second stage needs the folder of its first one beside it.

    Args:
        path: The folder.
        folds: Which folds; all that hold a checkpoint if none are given, and ``all`` only where it is the only one.
        best: Whether to take each fold's best checkpoint instead of its final one.

    Raises:
        ModelError: A file is missing, damaged or names something unknown; the message says what.
        MissingPackageError: torch is not installed.
    """
    folder = Path(path)
    plans, dataset = _read_json(folder / PLANS_FILE), _read_json(folder / DATASET_FILE)
    checkpoints = _read_folds(folder, folds, BEST if best else FINAL)
    names = {checkpoint.configuration for checkpoint in checkpoints.values()}
    if len(names) > 1:
        raise ModelError(f"The folds of '{folder.name}' are of several configurations: {', '.join(sorted(names))}.")
    name = names.pop()
    plan = read_plan(plans, dataset, name, folder.name)
    stages = {name: checkpoints}
    before = plan.configuration(name).previous
    while before is not None:
        stages[before] = _read_folds(_stage_folder(folder, name, before), tuple(checkpoints), BEST if best else FINAL)
        before = plan.configuration(before).previous
    try:
        card = _card(folder, plan, dataset, name, stages)
    except ValidationError as error:
        first = error.errors()[0]
        raise ModelError(f"The model '{folder.name}' cannot be used: {first['msg']}. Copy the folder again.") from error
    return make_unet_bundle(card, _states(stages))


def _states(stages: dict[str, dict[str, Checkpoint]]) -> dict[tuple[str, str], Any]:
    return {
        (name, fold): from_nnunet(checkpoint.weights)
        for name, folds in stages.items()
        for fold, checkpoint in folds.items()
    }


def _card(
    folder: Path, plan: Plan, dataset: dict[str, Any], name: str, stages: dict[str, dict[str, Checkpoint]]
) -> UNetCard:
    trainers = dict.fromkeys(checkpoint.trainer for folds in stages.values() for checkpoint in folds.values())
    cases = dataset.get("numTraining")
    return UNetCard(
        name=re.sub(r"[^A-Za-z0-9 ._-]", "-", f"{plan.name} {name}").lstrip(" ._-")[:100] or "nnU-Net",
        description=f"Imported from nnU-Net v2 (trainer {', '.join(trainers)}).",
        licence=str(dataset.get("licence", dataset.get("license", "not stated"))),
        plan=plan,
        configurations=(name,),
        folds=tuple(stages[name]),
        mirror_axes={stage: _common_axes(list(folds.values())) for stage, folds in stages.items()},
        training_cases=cases if isinstance(cases, int) and cases > 0 else None,
        training_data=(),
        notes=("nnU-Net's folder does not say which images it was trained on.",),
        software={"mtann": VERSION},
    )


def _common_axes(checkpoints: Sequence[Checkpoint]) -> tuple[int, ...]:
    """The axes that every fold may mirror."""
    return tuple(axis for axis in checkpoints[0].mirror_axes if all(axis in one.mirror_axes for one in checkpoints))


def _read_folds(folder: Path, folds: Sequence[str], file: str) -> dict[str, Checkpoint]:
    there = {
        place.parent.name.removeprefix("fold_"): place
        for place in sorted(folder.glob(f"fold_*/{file}"), key=lambda place: (len(place.parent.name), place))
        if _FOLD_FOLDER.fullmatch(place.parent.name)  # not "fold_0_backup"
    }
    wanted = tuple(folds) or tuple(fold for fold in there if fold != "all") or tuple(there)
    if missing := [fold for fold in wanted if fold not in there]:
        raise ModelError(
            f"'{folder.name}' has no {file} for fold(s) {', '.join(missing)}; it has: {', '.join(there) or 'none'}. "
            "Give folds that are there, or copy the missing ones."
        )
    if not wanted:
        other = BEST if file == FINAL else FINAL
        hint = f"There is {other}; it can be converted." if any(folder.glob(f"fold_*/{other}")) else "Train it first."
        raise ModelError(f"'{folder.name}' has no trained fold: there is no fold_X/{file}. {hint}")
    return {fold: read_checkpoint(there[fold]) for fold in wanted}


def _stage_folder(folder: Path, name: str, before: str) -> Path:
    """The folder of a cascade's earlier stage, beside that of the later one."""
    other = folder.parent / folder.name.replace(f"__{name}", f"__{before}")
    if other == folder or not is_nnunet_folder(other):
        raise ModelError(
            f"'{folder.name}' is the second stage of a cascade and takes the segmentation of '{before}': put the "
            f"folder of that model, '{folder.name.replace(name, before)}', beside it."
        )
    return other


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"'{path.parent.name}/{path.name}' cannot be read ({error}). Copy the folder again."
        ) from error
    if not isinstance(document, dict):
        raise ModelError(f"'{path.parent.name}/{path.name}' is not as nnU-Net v2 writes it. Copy the folder again.")
    return document
