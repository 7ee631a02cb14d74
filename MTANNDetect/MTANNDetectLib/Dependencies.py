"""The packages that MTANNDetect needs beside Slicer's own: which are missing, and installing them on request.

torch comes through the PyTorch extension, which chooses the build for the machine's graphics card; the rest by pip.
Nothing is installed when a module is imported or made, only by :func:`install`, and never without the user's consent.
"""

import importlib
import importlib.metadata
import importlib.util
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import slicer
import slicer.util

from mtann.errors import CancelledError, MissingPackageError

from .Translation import _

REQUIREMENTS_FILE = Path(__file__).resolve().parent.parent / "Resources" / "requirements.txt"
REQUESTER = "MTANNDetect"

_TORCH_AT_LEAST = "2.5"
_SLOW_TORCH = "2.9"
_SLICERS_OWN = ("numpy", "scipy", "SimpleITK", "vtk", "torch")
_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)\s*>=\s*(?P<version>[\d.]+)")
_TORCH_EXTENSION = _(
    "Open the Extensions Manager, install the extension 'PyTorch', restart Slicer, and press the button again."
)


@dataclass(frozen=True)
class Missing:
    """What has to be installed before anything can be computed.

    Attributes:
        torch: Whether PyTorch is not there, or too old.
        packages: The other requirements that are not met, such as ``"monai>=1.4"``.
    """

    torch: bool = False
    packages: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.torch or bool(self.packages)

    @property
    def names(self) -> tuple[str, ...]:
        """What to call the missing packages."""
        return (*(["PyTorch"] if self.torch else []), *(one.partition(">=")[0] for one in self.packages))

    @property
    def text(self) -> str:
        """In a sentence, what is missing; empty if nothing is."""
        if not self:
            return ""
        return _(
            "MTANNDetect needs Python packages that are not installed yet: {names}. Press 'Install' "
            "to download and install them; you are asked before anything happens."
        ).format(names=", ".join(self.names))


def whatIsMissing() -> Missing:
    """Look at what is installed; nothing is imported and nothing changed, so this is quick."""
    importlib.invalidate_caches()
    wanted = requirements()
    return Missing(
        not _isThere("torch", _TORCH_AT_LEAST), tuple(one for one in wanted if not _isThere(*_nameAndVersion(one)))
    )


def torchWarning() -> str:
    """What to know about the installed PyTorch; empty if there is nothing to know."""
    if not (_installedVersion("torch") or "").startswith(f"{_SLOW_TORCH}."):
        return ""
    return _(
        "PyTorch {version} computes 3-D networks in mixed precision about four times slower "
        "than other versions. Install another version with the module 'PyTorch Utils'."
    ).format(version=_SLOW_TORCH)


def requirements() -> tuple[str, ...]:
    """The lines of ``Resources/requirements.txt``."""
    lines = REQUIREMENTS_FILE.read_text(encoding="utf-8").splitlines()
    return tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))


def torchRequirement() -> str:
    """Which versions of PyTorch to ask the extension for.

    2.9 has slow 3-D convolutions in mixed precision; on Windows 2.13 breaks the extension's installer.
    """
    most = ",<2.13" if sys.platform == "win32" else ""
    return f">={_TORCH_AT_LEAST},!={_SLOW_TORCH}.*{most}"


def install(report: Callable[[str], None] | None = None) -> None:
    """Install what is missing, asking the user first; Slicer shows the progress.

    Args:
        report: Called with what is being done, in words.

    Raises:
        CancelledError: The user declined.
        MissingPackageError: Something is still missing; the message says why and what to do.
    """
    missing = whatIsMissing()
    if not missing:
        return
    if _isTesting():
        raise MissingPackageError(
            _(
                "In Slicer's testing mode nothing is installed. Missing: {names}. Start Slicer without "
                "--testing and press 'Install'."
            ).format(names=", ".join(missing.names))
        )
    say = report or (lambda text: None)
    if missing.torch:
        say(_("Installing PyTorch; this may take some minutes…"))
        _installTorch()
    # Asked for again: with PyTorch there, pip does not choose one by itself.
    if packages := whatIsMissing().packages:
        say(_("Installing {names}…").format(names=", ".join(Missing(packages=packages).names)))
        _installPackages(packages)
    if left := whatIsMissing():
        raise MissingPackageError(
            _(
                "After the installation these are still missing: {names}. Restart Slicer and look again; "
                "if they are still missing, see the Python console for what pip said."
            ).format(names=", ".join(left.names))
        )
    say(_("Everything that MTANNDetect needs is installed."))


def _installTorch() -> None:
    try:
        utils = importlib.import_module("PyTorchUtils")
    except ImportError as error:
        raise MissingPackageError(
            _("PyTorch is installed by the extension 'PyTorch'. {remedy}").format(remedy=_TORCH_EXTENSION)
        ) from error
    try:
        torch = utils.PyTorchUtilsLogic().installTorch(askConfirmation=True, torchVersionRequirement=torchRequirement())
    except (OSError, RuntimeError, ValueError, subprocess.CalledProcessError) as error:
        raise MissingPackageError(
            _(
                "PyTorch could not be installed ({error}). Check the internet connection and the free "
                "disk space, or install it with the module 'PyTorch Utils', which shows more."
            ).format(error=error)
        ) from error
    if torch is None:
        raise CancelledError(_("PyTorch was not installed, since you declined. Nothing was changed."))


def _installPackages(packages: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="mtann-") as folder:
        constraints = Path(folder, "constraints.txt")
        constraints.write_text(_constraints(), encoding="utf-8")
        try:
            _pip(packages, constraints)
        except subprocess.CalledProcessError as error:
            raise MissingPackageError(
                _(
                    "pip could not install {packages} (exit code {code}). Check the internet connection and "
                    "the free disk space; the Python console shows what pip said."
                ).format(packages=", ".join(packages), code=error.returncode)
            ) from error


def _pip(packages: Sequence[str], constraints: Path) -> None:
    """Install by Slicer's own dialog for that, or in versions before 5.12 after a question of ours."""
    packaging = _slicerPackaging()
    if packaging is not None:
        try:
            # It answers nothing and does nothing in testing mode; install() has looked at that.
            packaging.pip_ensure(
                packaging.load_requirements(str(REQUIREMENTS_FILE)), constraints=str(constraints), requester=REQUESTER
            )
        except RuntimeError as error:
            raise CancelledError(
                _("The packages were not installed, since you declined. Nothing was changed.")
            ) from error
        return
    question = _(
        "MTANNDetect needs these Python packages: {packages}. They are downloaded from the "
        "Python Package Index and installed into Slicer. Continue?"
    ).format(packages=", ".join(packages))
    if not slicer.util.confirmOkCancelDisplay(question, REQUESTER):
        raise CancelledError(_("The packages were not installed, since you declined. Nothing was changed."))
    slicer.util.pip_install([*packages, "--constraint", str(constraints)])


def _slicerPackaging() -> Any:
    """Slicer's module for installing packages, which comes with 5.12; else None."""
    try:
        return importlib.import_module("slicer.packaging")
    except ImportError:
        return None


def _constraints() -> str:
    """What pip must leave as it is: Slicer's own packages and torch."""
    own = ((name, _installedVersion(name)) for name in _SLICERS_OWN)
    return "".join(f"{name}=={version}\n" for name, version in own if version)


def _isThere(name: str, version: str) -> bool:
    found = _installedVersion(name)
    if found is None or importlib.util.find_spec(name) is None:
        return False
    return _release(found) >= _release(version)


def _installedVersion(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _nameAndVersion(requirement: str) -> tuple[str, str]:
    match = _REQUIREMENT.match(requirement)
    if match is None:
        raise ValueError(f"'{requirement}' in {REQUIREMENTS_FILE.name} is not NAME>=VERSION.")
    return match["name"], match["version"]


def _release(version: str) -> tuple[int, ...]:
    """The numbers of a version, so far as it has such: ``2.13.0+cpu`` is 2, 13, 0."""
    match = re.match(r"\d+(\.\d+)*", version)
    numbers = [int(part) for part in match[0].split(".")] if match else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _isTesting() -> bool:
    testing = getattr(getattr(slicer, "app", None), "testingEnabled", None)
    return bool(testing()) if callable(testing) else False
