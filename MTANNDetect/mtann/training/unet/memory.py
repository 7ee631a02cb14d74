"""Saying what to do where memory runs out."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from mtann.errors import MTANNError
from mtann.planning.plan import Configuration
from mtann.training.unet.settings import UNetTrainingSettings


@contextmanager
def memory_told(configuration: Configuration, settings: UNetTrainingSettings, device: torch.device) -> Iterator[None]:
    """Turn exhausted memory into an error that says what would need less.

    Raises:
        MTANNError: Memory ran out.
    """
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        patch = " x ".join(map(str, configuration.patch_size))
        batch_size = settings.batch_size or configuration.batch_size
        raise MTANNError(
            f"Memory ran out on {device} while training '{configuration.name}' with {batch_size} patches of {patch} "
            "a batch. Plan again with a smaller memory budget, give a smaller --batch-size, or "
            "close other programs."
        ) from error
