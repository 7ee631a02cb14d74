"""Which review steps are possible, and which key does which."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..Review.Findings import Finding

SHORTCUTS = (
    ("A", "acceptButton"),
    ("R", "rejectButton"),
    ("U", "undecideButton"),
    ("C", "addCrosshairButton"),
    ("K", "addClickButton"),
    ("M", "mergeButton"),
    ("S", "splitButton"),
    ("Ctrl+Z", "undoButton"),
    ("Ctrl+Y", "redoButton"),
)
"""Keys and the buttons that they press, while the panel has the focus."""


@dataclass(frozen=True)
class Possible:
    """Which buttons may be pressed."""

    acceptButton: bool
    rejectButton: bool
    undecideButton: bool
    addCrosshairButton: bool
    addClickButton: bool
    mergeButton: bool
    splitButton: bool
    renameButton: bool
    undoButton: bool
    redoButton: bool


def possible(hasResult: bool, chosen: Sequence[Finding], name: str, canUndo: bool, canRedo: bool) -> Possible:
    """What can be done with the selected findings."""
    some = hasResult and bool(chosen)
    return Possible(
        acceptButton=some,
        rejectButton=some,
        undecideButton=some,
        addCrosshairButton=hasResult,
        addClickButton=hasResult,
        mergeButton=hasResult and len(chosen) > 1,
        splitButton=hasResult and len(chosen) == 1,
        renameButton=some and bool(name.strip()),
        undoButton=hasResult and canUndo,
        redoButton=hasResult and canRedo,
    )


def nextUndecided(findings: Sequence[Finding], after: int, threshold: float) -> int | None:
    """The next finding in the list that counts and waits for a decision; None where all are decided."""
    waiting = [one.id for one in findings if one.status == "new" and one.isShown(threshold)]
    order = [one.id for one in findings]
    start = order.index(after) if after in order else -1
    later = [number for number in order[start + 1 :] if number in waiting]
    return later[0] if later else (waiting[0] if waiting else None)
