"""What a training needs to go on after it was stopped at any moment."""

import os
import secrets
from pathlib import Path
from typing import Any

import torch

from mtann.errors import ModelError, OutputError

CHECKPOINT_FILE = "checkpoint.pt"
_VERSION = 1


def save_checkpoint(directory: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint in place of the former one, which stays whole until the new one is.

    Args:
        directory: Folder of the training.
        content: Tensors, numbers, texts, lists and dictionaries only: nothing that would have to be executed.

    Raises:
        OutputError: The disk is full or cannot be written.
    """
    path = directory / CHECKPOINT_FILE
    work = path.with_name(f".{path.name}.partial-{secrets.token_hex(4)}")
    try:
        with work.open("wb") as file:
            torch.save({"version": _VERSION, **content}, file)
            file.flush()
            os.fsync(file.fileno())
        work.replace(path)
    except (OSError, RuntimeError) as error:  # torch turns a full disk into a RuntimeError
        work.unlink(missing_ok=True)
        raise OutputError(
            f"The checkpoint in '{directory}' cannot be written ({error}). "
            "Free space and run the same command again: training goes on from the last checkpoint."
        ) from error
    for stale in directory.glob(f".{path.name}.partial-*"):  # left by a killed run
        stale.unlink(missing_ok=True)


def load_checkpoint(directory: Path, device: torch.device | str = "cpu") -> dict[str, Any] | None:
    """The checkpoint of a training, or None if there is none yet. Nothing in it is executed.

    Raises:
        ModelError: It is damaged or made by another version.
    """
    path = directory / CHECKPOINT_FILE
    if not path.is_file():
        return None
    try:
        content = torch.load(path, map_location=device, weights_only=True)
        version = content.pop("version")
    except Exception as error:  # torch raises whatever the damaged bytes lead to
        raise ModelError(
            f"The checkpoint '{path}' is damaged ({type(error).__name__}). Delete it to train this fold anew."
        ) from error
    if version != _VERSION:
        raise ModelError(f"The checkpoint '{path}' is of version {version}; this software reads version {_VERSION}.")
    return dict(content)
