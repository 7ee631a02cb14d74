"""The models that the user can choose from: bundled, the user's own, and folders that were added to the list."""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mtann.errors import ModelError, MTANNError

from .Library import libraryModule
from .Presenters.ModelsPresenter import ADDED_FOLDER, BUNDLED, OWN, ModelChoice, Point
from .Translation import _

_LIST_FILE = "added-models.json"
_NNUNET_FILES = ("dataset.json", "plans.json")


def availableModels() -> tuple[ModelChoice, ...]:
    """The models that find or outline lesions, damaged ones left out.

    Raises:
        MissingPackageError: A package that reading them needs is not installed.
    """
    catalogue = libraryModule("mtann.models.catalogue")
    places = [(entry.directory, BUNDLED if entry.bundled else OWN) for entry in catalogue.list_models()]
    places += [(folder, ADDED_FOLDER) for folder in _addedFolders()]
    choices = []
    for folder, origin in places:
        try:
            choice = modelIn(folder, origin)
        except MTANNError:
            continue
        if choice.canDetect or choice.canOutline:
            choices.append(choice)
    return tuple(choices)


def modelIn(folder: Path, origin: str = ADDED_FOLDER) -> ModelChoice:
    """The model in a folder: a bundle, or a trained nnU-Net v2 folder.

    Raises:
        ModelError: It is neither, or damaged.
    """
    if all((folder / name).is_file() for name in _NNUNET_FILES):
        return _nnunetIn(folder, origin)
    card, _checksum = libraryModule("mtann.models.bundle").load_card(folder)
    return _choiceFromCard(card, folder, origin)


def addFolder(folder: Path) -> ModelChoice:
    """Put a folder with a model on the list; nothing is copied.

    Raises:
        ModelError: The folder holds no model that can be used.
    """
    folder = folder.resolve()
    choice = modelIn(folder)
    if not (choice.canDetect or choice.canOutline):
        raise ModelError(
            _("The model in '{name}' does not look for lesions. Choose another folder.").format(name=folder.name)
        )
    _writeAdded([*(one for one in _addedFolders() if one != folder), folder])
    return choice


def removeModel(choice: ModelChoice) -> None:
    """Delete one of the user's own models, or take an added folder off the list.

    Raises:
        ModelError: The model came with the software, or cannot be deleted.
    """
    if choice.origin == ADDED_FOLDER:
        _writeAdded(one for one in _addedFolders() if one != choice.directory)
        return
    own = libraryModule("mtann.models.catalogue").user_models()
    if choice.origin != OWN or choice.directory.parent != own:
        raise ModelError(_("'{name}' came with MTANNDetect and cannot be removed.").format(name=choice.name))
    try:
        shutil.rmtree(choice.directory)
    except OSError as error:
        raise ModelError(
            _("The model '{name}' could not be deleted ({reason}). Close what uses it and try again.").format(
                name=choice.name, reason=error.strerror
            )
        ) from error


def _choiceFromCard(card: Any, folder: Path, origin: str) -> ModelChoice:
    detects, outlines = _abilities(card)
    className = _whatItFinds(card)
    points = tuple(
        Point(one.name, one.threshold, one.sensitivity, one.fp_per_case, one.chosen_on)
        for one in getattr(card, "operating_points", ())
    )
    return ModelChoice(
        name=folder.name,
        channels=tuple(card.channel_names),
        summary=_("Finds: {what}. {more}").format(what=className, more=f"{card.description} {card.intended_use}"),
        directory=folder,
        kind=card.kind,
        origin=origin,
        className=className,
        bodyPart=card.body_part,
        licence=card.licence,
        card=_cardLines(card),
        points=points,
        canDetect=detects,
        canOutline=outlines,
        spacingMm=card.inputs.spacing_mm if card.kind == "mtann" else 0.0,
        members=_networks(card),
        derived=_derived(card),
    )


def _derived(card: Any) -> int:
    """How many volumes the last networks see beside the images."""
    return card.seen_by(len(card.earlier_members)) - len(card.channel_names) if card.kind == "mtann" else 0


def _abilities(card: Any) -> tuple[bool, bool]:
    """Whether a model scores candidates, and whether it outlines whole lesions."""
    if card.kind == "mtann":
        return True, card.segmentation is not None
    return False, card.kind == "unet"


def _whatItFinds(card: Any) -> str:
    if card.kind == "unet":
        return ", ".join(card.plan.labels)
    return str(getattr(card, "class_name", "lesion"))


def _networks(card: Any) -> int:
    """How many networks are asked for each voxel."""
    if card.kind == "unet":
        return len(card.folds) * len(card.stages)
    return sum(len(members) for members in (*card.earlier_members, *card.members))


def _cardLines(card: Any) -> tuple[str, ...]:
    lines = [f"{card.name} {card.version}: {card.purpose}"]
    lines += [text for text in (card.description, card.intended_use) if text]
    lines.append(_("Taught on {taught_on}.").format(taught_on=card.taught_on))
    lines += list(card.results)
    lines += list(card.notes)
    return tuple(lines)


def _nnunetIn(folder: Path, origin: str) -> ModelChoice:
    try:
        dataset = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
        channels = dataset.get("channel_names") or dataset["modality"]
        labels = [name for name in dataset["labels"] if name not in ("background", "ignore")]
        names = tuple(channels[key] for key in sorted(channels, key=int))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            _("'{name}' has a dataset.json that cannot be read ({error}). Choose a trained nnU-Net v2 folder.").format(
                name=folder.name, error=error
            )
        ) from error
    folds = sorted(path.name for path in folder.glob("fold_*") if any(path.glob("checkpoint_*.pth")))
    if not folds:
        raise ModelError(
            _(
                "'{name}' holds no trained fold (fold_*/checkpoint_*.pth). Choose the folder of a "
                "trainer, such as nnUNetTrainer__nnUNetPlans__3d_fullres."
            ).format(name=folder.name)
        )
    what = ", ".join(labels)
    licence = str(dataset.get("licence") or dataset.get("license") or "")
    return ModelChoice(
        name=folder.parent.name if folder.name.startswith("nnUNetTrainer") else folder.name,
        channels=names,
        summary=_("Outlines: {what}. nnU-Net v2, {count} fold(s).").format(what=what, count=len(folds)),
        directory=folder,
        kind="nnunet",
        origin=origin,
        className=what,
        licence=licence,
        card=(
            _("nnU-Net v2 folder {name}").format(name=folder.name),
            _("Outlines: {what}.").format(what=what),
            _("Folds: {names}.").format(names=", ".join(folds)),
        ),
        canDetect=False,
        canOutline=True,
        members=len(folds),
    )


def _addedFolders() -> list[Path]:
    try:
        text = _listFile().read_text(encoding="utf-8")
        return [Path(folder) for folder in json.loads(text) if Path(folder).is_dir()]
    except (OSError, ValueError):
        return []


def _writeAdded(folders: Iterable[Path]) -> None:
    path = _listFile()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps([str(folder) for folder in folders]), encoding="utf-8")
    except OSError as error:
        raise ModelError(
            _("The list of added models could not be written ({reason}): '{name}' in the user data folder.").format(
                reason=error.strerror, name=path.name
            )
        ) from error


def _listFile() -> Path:
    folder: Path = libraryModule("mtann.models.catalogue").user_models().parent
    return folder / _LIST_FILE
