"""The library's parts that need packages which Slicer does not bring along.

They are loaded when first used, so that the module opens in a bare Slicer and says what is missing.
"""

import importlib
from types import ModuleType

from mtann.errors import MissingPackageError


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
            f"MTANNDetect needs the Python package '{package}', which could not be loaded ({error}). {_remedy(package)}"
        ) from error


def _remedy(package: str) -> str:
    if package == "torch":
        return (
            "Install the PyTorch extension, restart Slicer, open the module 'PyTorch Utils' and install PyTorch there."
        )
    return f"In Slicer's Python console, run: slicer.util.pip_install('{package}')"
