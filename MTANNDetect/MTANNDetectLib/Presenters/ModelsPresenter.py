"""The list of models: how each is called, what is said of it, and what it can do."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..Translation import _

BUNDLED, OWN, ADDED_FOLDER = "bundled", "own", "added"
DETECT, OUTLINE, BOTH = "detect", "segment", "both"
THEN_OUTLINE = "then_segment"
"""Detecting with one model, and outlining with another what it proposes."""
LIKELIHOOD = "mtann_likelihood"
"""A channel that the detecting model fills."""


@dataclass(frozen=True)
class Point:
    """An operating point of a model.

    Attributes:
        name: Such as "balanced".
        threshold: The score from which candidates are reported.
        sensitivity: Share of lesions found, 0 to 1.
        fpPerCase: False alarms a case.
        chosenOn: The data that this is known from.
    """

    name: str
    threshold: float
    sensitivity: float
    fpPerCase: float
    chosenOn: str = ""


@dataclass(frozen=True)
class ModelChoice:
    """What the panel shows of a model.

    Attributes:
        name: Its name in the list; a bundled model and one of the user's may share it.
        channels: The images that it needs, in order.
        summary: What it finds and is meant for.
        directory: Its folder, which :meth:`~..Logic.DetectLogic.detect` takes as ``model``.
        kind: "mtann", "unet" or "nnunet".
        origin: "bundled", "own" or "added".
        className: What it finds.
        bodyPart: What its images show.
        licence: Under which terms it may be used.
        card: All that is told of it, in lines.
        points: Its operating points.
        canDetect: Whether it scores candidates.
        canOutline: Whether it outlines whole lesions.
        spacingMm: The spacing that it works at; 0 if that depends on the image.
        members: How many networks are asked for each voxel.
        derived: How many volumes they see beside the images: curvature, and the answer of a network before.
    """

    name: str
    channels: tuple[str, ...]
    summary: str
    directory: Path
    kind: str = "mtann"
    origin: str = BUNDLED
    className: str = "lesion"
    bodyPart: str = ""
    licence: str = ""
    card: tuple[str, ...] = ()
    points: tuple[Point, ...] = ()
    canDetect: bool = True
    canOutline: bool = False
    spacingMm: float = 0.0
    members: int = 1
    derived: int = 0

    @property
    def inputs(self) -> int:
        """How many volumes the networks see."""
        return len(self.channels) + self.derived


def kindInWords(kind: str) -> str:
    """Such as "MTANN"."""
    return {"mtann": "MTANN", "unet": "U-Net", "nnunet": "nnU-Net v2"}.get(kind, kind)


def originInWords(origin: str) -> str:
    """Where a model is from."""
    return {BUNDLED: _("bundled"), OWN: _("your own"), ADDED_FOLDER: _("added folder")}.get(origin, origin)


def entryText(model: ModelChoice) -> str:
    """A model's line in the list."""
    return f"{model.name} ({kindInWords(model.kind)}, {originInWords(model.origin)})"


def shortSummary(model: ModelChoice) -> str:
    """What stands under the list: what it finds in what, its channels and terms."""
    where = _(" in the {part}").format(part=model.bodyPart) if model.bodyPart else ""
    return _("Finds {what}{where}. Images: {channels}. Licence: {licence}.").format(
        what=model.className, where=where, channels=", ".join(model.channels), licence=model.licence or _("not stated")
    )


def invitation(models: Sequence[ModelChoice], most: int) -> str:
    """What to do where there is no model, and which models the panel has too few rows for; else nothing."""
    if not models:
        return _("There is no model yet. Teach one below, or add a folder with a model.")
    unfit = [model.name for model in models if not fits(model, most)]
    if not unfit:
        return ""
    return _(
        "Not listed, because the panel takes at most {most} images: {names}. "
        "Use MTANNDetectLogic().detect in the Python console."
    ).format(most=most, names=", ".join(unfit))


def fits(model: ModelChoice, most: int) -> bool:
    """Whether the panel has a row for each channel."""
    return len(model.channels) <= most


def tasksOf(model: ModelChoice | None) -> tuple[str, ...]:
    """What a model can do, in the order of the list of tasks."""
    if model is None:
        return ()
    tasks = [name for name, can in ((DETECT, model.canDetect), (OUTLINE, model.canOutline)) if can]
    return (*tasks, BOTH) if len(tasks) == 2 else tuple(tasks)


def outlinersOf(models: Sequence[ModelChoice], model: ModelChoice | None) -> tuple[ModelChoice, ...]:
    """The U-Nets that can outline what a model detects: by the same images, or as many under other names."""
    if model is None or not model.canDetect:
        return ()
    found = []
    for one in models:
        channels = [name for name in one.channels if name != LIKELIHOOD]
        named = set(channels) <= set(model.channels)
        renamed = len(channels) == len(model.channels) and not set(channels) & set(model.channels)
        if one.kind in ("unet", "nnunet") and one.canOutline and (named or renamed):
            found.append(one)
    return tuple(found)


def removalQuestion(model: ModelChoice) -> str:
    """What to ask before a model is removed; for a bundled one, why it cannot be."""
    if model.origin == BUNDLED:
        return _("'{name}' came with MTANNDetect and cannot be removed.").format(name=model.name)
    if model.origin == OWN:
        return _("Delete your model '{name}' from this computer for good?").format(name=model.name)
    return _("Take '{name}' off the list? Its folder stays where it is.").format(name=model.name)
