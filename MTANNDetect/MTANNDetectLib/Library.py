"""The library's parts that need packages which Slicer does not bring along.

They are loaded when first used, so that the module opens in a bare Slicer and says what is missing.
"""

import importlib
from types import ModuleType

from mtann.errors import MissingPackageError

from .Translation import _


def libraryModule(name: str) -> ModuleType:
    """Import a part of the library such as ``"mtann.pipeline"``.

    Raises:
        MissingPackageError: A package that it needs is not installed, or cannot be loaded.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "mtann", "MTANNDetectLib"):
            raise  # A defect of ours, no missing package.
        raise MissingPackageError(
            _("MTANNDetect needs the Python package '{package}', which could not be loaded ({error}). {remedy}").format(
                package=package, error=error, remedy=_remedy(package)
            )
        ) from error


def _remedy(package: str) -> str:
    if package == "torch":
        return _("Press 'Install' in the MTANNDetect panel; it gets PyTorch through the PyTorch extension.")
    return _(
        "Press 'Install' in the MTANNDetect panel; where that is not offered, run in Slicer's Python console: "
        "slicer.util.pip_install('{package}')"
    ).format(package=package)
