"""Small helps for talking with Qt through Slicer's Python bindings."""

from collections.abc import Callable, Sequence
from typing import Any

import qt


def connect(widget: Any, signal: str, slot: Callable[..., None]) -> None:
    """Connect a signal, and fail at once where it does not exist: Qt's own answer is only a line on the console."""
    if not widget.connect(signal, slot):
        raise RuntimeError(f"{widget.objectName} has no signal {signal}")


def fillCombo(combo: Any, texts: Sequence[str], index: int) -> None:
    """Put lines into a list and choose one, without telling anyone."""
    blocked = combo.blockSignals(True)
    combo.clear()
    for text in texts:
        combo.addItem(text)
    combo.currentIndex = index if texts else -1
    combo.blockSignals(blocked)


def quietly(widget: Any, name: str, value: Any) -> None:
    """Set a property without telling anyone."""
    blocked = widget.blockSignals(True)
    setattr(widget, name, value)
    widget.blockSignals(blocked)


def show(visible: bool, *widgets: Any) -> None:
    """Show or hide widgets."""
    for widget in widgets:
        widget.visible = visible


def say(label: Any, text: str) -> None:
    """Set a label's text; a label without text takes no room."""
    label.text = text
    label.visible = bool(text)


def makeShortcut(key: str, parent: Any, slot: Callable[[], None]) -> Any:
    """A key that works while the parent or something in it has the focus."""
    shortcut = qt.QShortcut(qt.QKeySequence(key), parent)
    shortcut.setContext(qt.Qt.WidgetWithChildrenShortcut)
    connect(shortcut, "activated()", slot)
    return shortcut


def makeTimer(parent: Any, milliseconds: int, slot: Callable[[], None]) -> Any:
    """A timer that fires once, so long after it was last started."""
    timer = qt.QTimer(parent)
    timer.singleShot = True
    timer.interval = milliseconds
    connect(timer, "timeout()", slot)
    return timer
