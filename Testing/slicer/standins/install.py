"""Putting the stand-ins where Slicer's own modules would be."""

import sys

from .parameters import parameterNodeWrapperModule
from .qtmodule import qtModule


def install() -> None:
    """Make ``qt`` and ``slicer.parameterNodeWrapper`` importable, where the application does not bring them."""
    sys.modules.setdefault("slicer.parameterNodeWrapper", parameterNodeWrapperModule())
    sys.modules.setdefault("qt", qtModule())
