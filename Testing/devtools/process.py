"""Running other programs."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class DevError(Exception):
    """Something the developer has to do first; the message is all there is to say."""


def call(command: list[str], cwd: Path = ROOT) -> int:
    """Run a command without input and give its exit code. The surrounding Python's own settings stay outside."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONHOME", "PYTHONPATH")}
    environment.update(PYTHONNOUSERSITE="1", PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_NO_INPUT="1")
    sys.stdout.flush()
    return subprocess.run(command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL).returncode


def must(command: list[str]) -> None:
    """Run a command that has to succeed.

    Raises:
        DevError: It did not.
    """
    code = call(command)
    if code != 0:
        raise DevError(f"This command ended with exit code {code}:\n    {shlex.join(command)}")
