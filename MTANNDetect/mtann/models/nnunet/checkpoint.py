"""nnU-Net v2's checkpoints: pickles, read so that nothing in them can be executed."""

import pickle
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mtann.errors import ModelError
from mtann.optional import require

if TYPE_CHECKING:
    import torch

_NUMBERS = ("Bool", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float16", "Float32")


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint says of a trained network.

    Attributes:
        weights: Tensors by nnU-Net's names.
        configuration: Which of the plan's configurations it is of.
        trainer: Name of nnU-Net's class that trained it.
        mirror_axes: Axes of a patch that may be mirrored.
    """

    weights: "dict[str, torch.Tensor]" = field(repr=False)
    configuration: str
    trainer: str
    mirror_axes: tuple[int, ...]


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        ModelError: It is damaged, holds anything but numbers and text, or is not nnU-Net's.
        MissingPackageError: torch is not installed.
    """
    torch = require("torch", "Reading an nnU-Net checkpoint")
    where = f"{path.parent.name}/{path.name}"
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(_harmless()):
            warnings.simplefilter("ignore")
            document = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"The checkpoint '{where}' was not opened: it is damaged, or holds more than numbers and text, which could "
            f"run as a program ({_reason(error)}). Use it only if you trust its origin, and then with nnU-Net itself."
        ) from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"The checkpoint '{where}' cannot be read ({_reason(error)}). Copy it again.") from error
    try:
        axes = document.get("inference_allowed_mirroring_axes") or ()
        weights = {_plain_name(name): tensor for name, tensor in document["network_weights"].items()}
        if strange := [name for name, tensor in weights.items() if not isinstance(tensor, torch.Tensor)]:
            raise TypeError(f"'{strange[0]}' is no tensor")
        return Checkpoint(
            weights,
            str(document["init_args"]["configuration"]),
            str(document["trainer_name"]),
            tuple(int(axis) for axis in axes),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"The checkpoint '{where}' is not as nnU-Net v2 writes it ({type(error).__name__}: {error}). "
            "Give a folder that nnUNetv2_train made."
        ) from error


def _harmless() -> list[Any]:
    """What a checkpoint's pickle may name beside tensors: numpy's numbers, which its training log consists of."""
    kinds = [np.dtype, *(getattr(np.dtypes, f"{name}DType") for name in (*_NUMBERS, "Float64"))]
    return [*kinds, *_scalar_makers()]


def _scalar_makers() -> list[Callable[..., Any]]:
    """What makes numpy's scalars, under both names that it is written with, by numpy 1 and 2."""
    core = require("numpy._core.multiarray" if hasattr(np, "_core") else "numpy.core.multiarray", "Reading numbers")
    makers = []
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):

        def scalar(dtype: Any, data: bytes) -> Any:
            return core.scalar(dtype, data)

        scalar.__module__, scalar.__qualname__ = module, "scalar"
        makers.append(scalar)
    return makers


def _plain_name(name: str) -> str:
    """A tensor's name without what wrapping for several devices or compiling puts before it."""
    return name.removeprefix("module.").removeprefix("_orig_mod.")


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
