"""Slicer's translation function; outside Slicer, the text as it is.

Use it as ``from .Translation import _``. Slicer looks the text up under the name of the file that calls it.
"""

try:
    from slicer.i18n import tr as _
except ImportError:

    def _(text: str) -> str:
        """The text, untranslated: the application is not there."""
        return text


__all__ = ["_"]
