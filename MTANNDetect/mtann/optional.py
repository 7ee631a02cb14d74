"""One gate for packages that a feature needs and that may be absent."""

import importlib
from types import ModuleType

from mtann.errors import MissingPackageError


def require(package: str, feature: str, install: str | None = None) -> ModuleType:
    """Import a package, or say which feature needs it.

    Args:
        package: Import name, such as ``"torch"``.
        feature: What the user was doing, such as ``"scanning with an MTANN"``.
        install: Name to install by, where it differs from the import name.

    Raises:
        MissingPackageError: The package is not installed or cannot be loaded.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        name = install or package
        raise MissingPackageError(
            f"{feature} needs the Python package '{name}', which could not be loaded ({error}). "
            f"In 3D Slicer, press 'Install' in the MTANNDetect panel; elsewhere run: pip install {name}"
        ) from error
