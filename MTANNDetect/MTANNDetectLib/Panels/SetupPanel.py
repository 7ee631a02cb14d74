"""The section "Set up": what this Slicer lacks, and installing it on the user's press."""

from collections.abc import Callable
from typing import Any, Protocol

from mtann.errors import CancelledError, MTANNError

from ..Translation import _
from .QtTools import connect, say


class Missing(Protocol):
    """What has to be installed; false where nothing has."""

    @property
    def text(self) -> str:
        """In a sentence, what is missing."""


class Installer(Protocol):
    """What is needed of :mod:`~..Dependencies`."""

    def whatIsMissing(self) -> Missing:
        """Look at what is installed."""

    def install(self, report: Callable[[str], None] | None = None) -> None:
        """Install what is missing, asking the user first."""


class SetupPanel:
    """Shown only where something is missing.

    Args:
        ui: The panel's widgets.
        installer: Who installs.
        installed: Called once everything is there.
    """

    def __init__(self, ui: Any, installer: Installer, installed: Callable[[], None]) -> None:
        self.ui = ui
        self._installer, self._installed = installer, installed
        connect(ui.installButton, "clicked()", self.onInstall)
        self.refresh()

    @property
    def isMissing(self) -> bool:
        """Whether something has to be installed first."""
        return bool(self._installer.whatIsMissing())

    def refresh(self) -> None:
        """Say what is missing, or hide."""
        missing = self._installer.whatIsMissing()
        self.ui.setupSection.visible = bool(missing)
        say(self.ui.setupLabel, missing.text)

    def onInstall(self) -> None:
        """Install what is missing; a reason why it could not be stays to be read."""
        self.ui.installButton.enabled = False
        try:
            self._installer.install(lambda text: say(self.ui.setupLabel, text))
        except (MTANNError, CancelledError) as error:
            say(self.ui.setupLabel, str(error))
        except Exception as error:  # noqa: BLE001 - PythonQt drops what a slot raises, and the user would see nothing.
            say(
                self.ui.setupLabel,
                _("The installation failed ({error}). The Python console shows more.").format(error=error),
            )
        else:
            self.refresh()
            self._installed()
        finally:
            self.ui.installButton.enabled = True
