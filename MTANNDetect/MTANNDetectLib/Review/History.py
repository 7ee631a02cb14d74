"""Undo and redo."""

from typing import Generic, TypeVar

State = TypeVar("State")
_DEEPEST = 100


class History(Generic[State]):
    """What was before and after each step. Steps are values; whoever uses this puts them into effect."""

    def __init__(self) -> None:
        self._done: list[tuple[State, State]] = []
        self._undone: list[tuple[State, State]] = []

    def record(self, before: State, after: State) -> None:
        """Remember a step; what had been undone cannot be redone any more."""
        self._done = [*self._done[1 - _DEEPEST :], (before, after)]
        self._undone = []

    def undo(self) -> State | None:
        """What to return to, or None."""
        if not self._done:
            return None
        step = self._done.pop()
        self._undone.append(step)
        return step[0]

    def redo(self) -> State | None:
        """What to go on to, or None."""
        if not self._undone:
            return None
        step = self._undone.pop()
        self._done.append(step)
        return step[1]

    @property
    def canUndo(self) -> bool:
        """Whether there is a step to undo."""
        return bool(self._done)

    @property
    def canRedo(self) -> bool:
        """Whether there is a step to redo."""
        return bool(self._undone)
