"""What the operating system has to bring: installed by apt where that needs no password, else the command is said."""

import ctypes
import importlib.util
import os
import shlex
import shutil
import sys

from devtools.process import DevError, call, must

# Qt and VTK load these; a server or container image often lacks them. Library -> Debian package.
SYSTEM_LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libX11.so.6": "libx11-6",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libxkbcommon.so.0": "libxkbcommon0",
}


def ensure_venv_module() -> None:
    """Debian ships Python without the part that makes environments."""
    if importlib.util.find_spec("ensurepip") is None:
        apt_install(["python{}.{}-venv".format(*sys.version_info[:2])], "This Python cannot make environments")


def ensure_system_libraries() -> None:
    """See that Qt and VTK find the libraries that they draw with, also where there is no screen."""
    missing = [library for library in SYSTEM_LIBRARIES if not loads(library)] if sys.platform == "linux" else []
    if missing:
        apt_install([SYSTEM_LIBRARIES[library] for library in missing], f"The tests need {', '.join(missing)}")


def loads(library: str) -> bool:
    """Whether the system's loader finds a library."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def apt_install(packages: list[str], reason: str) -> None:
    """Install Debian packages where that needs no password; otherwise say the command.

    Raises:
        DevError: The developer has to install them.
    """
    print(f"{reason}.")
    by_hand = shlex.join(["apt-get", "install", "-y", "--no-install-recommends", *packages])
    if shutil.which("apt-get") is None:
        raise DevError(f"Install what provides it on your system. On Debian or Ubuntu that is: {by_hand}")
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if prefix and (shutil.which("sudo") is None or call([*prefix, "true"]) != 0):
        raise DevError(f"Run this, then try again:\n    sudo {by_hand}")
    apt = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"]
    must([*apt, "update"])
    must([*apt, "install", "-y", "--no-install-recommends", *packages])
