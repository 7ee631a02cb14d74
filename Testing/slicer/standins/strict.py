"""Qt objects with PythonQt's manners.

Properties are values and hide their getters; there are no keyword arguments; unknown names raise; ``connect`` answers
False to a wrong signature; what a slot raises is printed and dropped; lists arrive as tuples and enums as numbers.
"""

import ctypes
import enum
import sys
import traceback
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QMetaObject, QObject
from PySide6.QtGui import QFont, QKeySequence
from PySide6.QtWidgets import QListWidgetItem, QTableWidgetItem

# PySide6 6.12 gives one reference to None too few with every call that returns None; before Python 3.12 a process dies
# when they run out, at the latest when it ends. Holding some millions more, for good, is the way round it.
_NONES = (None,) * 4_000_000
ctypes.pythonapi.Py_IncRef(ctypes.py_object(_NONES))


def strict(value: Any) -> Any:
    """A value as PythonQt would hand it over."""
    if isinstance(value, QObject):
        return Strict(value)
    if isinstance(value, (list, tuple)):
        return tuple(strict(item) for item in value)
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, (QTableWidgetItem, QListWidgetItem, QFont, QKeySequence)):
        return Value(value)
    return value


def plain(value: Any) -> Any:
    """The PySide6 object behind a strict one; the enum behind its number."""
    if isinstance(value, Number):
        return value.member
    return object.__getattribute__(value, "_object") if isinstance(value, (Strict, Value)) else value


class Number(int):
    """An enum's value: a number in Python, the enum again when it is handed to Qt."""

    member: enum.Enum

    def __new__(cls, member: enum.Enum) -> "Number":
        value = member.value
        made = super().__new__(cls, value if isinstance(value, int) else int(value))
        made.member = member
        return made

    def __or__(self, other: Any) -> Any:
        joined = self.member | plain(other)
        return Number(joined) if isinstance(joined, enum.Enum) else joined


class Value:
    """A Qt object that is no QObject, such as a table's item: methods only, and none with keyword arguments."""

    def __init__(self, qtObject: Any) -> None:
        object.__setattr__(self, "_object", qtObject)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(plain(self), name):
            raise AttributeError(f"{type(plain(self)).__name__} has no attribute '{name}'")
        method = getattr(plain(self), name)

        def call(*arguments: Any) -> Any:
            return strict(method(*[plain(argument) for argument in arguments]))

        return call

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(plain(self)).__name__} has no property '{name}' to set")


class Strict:
    """One Qt object."""

    def __init__(self, qtObject: QObject) -> None:
        object.__setattr__(self, "_object", qtObject)

    def __getattr__(self, name: str) -> Any:
        qtObject = plain(self)
        name = "objectName" if name == "name" else name
        if qtObject.metaObject().indexOfProperty(name) >= 0:
            return strict(qtObject.property(name))
        method = None if name.startswith("_") else getattr(qtObject, name, None)
        if not callable(method) or hasattr(method, "emit"):
            raise AttributeError(f"{qtObject.metaObject().className()} has no attribute '{name}'")

        def call(*arguments: Any) -> Any:
            return strict(method(*[plain(argument) for argument in arguments]))

        return call

    def __setattr__(self, name: str, value: Any) -> None:
        qtObject = plain(self)
        if qtObject.metaObject().indexOfProperty(name) < 0:
            raise AttributeError(f"{qtObject.metaObject().className()} has no property '{name}' to set")
        if not qtObject.setProperty(name, plain(value)):
            raise TypeError(f"{qtObject.metaObject().className()}.{name} does not take {value!r}")

    def __eq__(self, other: object) -> bool:
        return plain(self) is plain(other)

    def __hash__(self) -> int:
        return hash(plain(self))

    def className(self) -> str:
        return plain(self).metaObject().className()

    def connect(self, signature: str, slot: Callable[..., Any]) -> bool:
        qtObject = plain(self)
        name, _, arguments = signature.rstrip(")").partition("(")
        known = getattr(type(qtObject), "SIGNALS", ())
        normal = bytes(QMetaObject.normalizedSignature(signature)).decode()
        if "(" not in signature or (signature not in known and qtObject.metaObject().indexOfSignal(normal) < 0):
            sys.stderr.write(f"QObject::connect: no such signal {self.className()}::{signature}\n")
            return False
        count = len(arguments.split(",")) if arguments else 0

        def call(*values: Any) -> None:
            try:
                slot(*[strict(value) for value in values[:count]])
            except Exception:  # noqa: BLE001 - so does PythonQt.
                traceback.print_exc()

        getattr(qtObject, name).connect(call)
        return True
