"""Evaluating a torch module on blocks of one shape, by torch or by OpenVINO.

How to use it::

    computation = choose_computation(device, backend, precision)        # once a run; goes into the result
    network = compile_network(module, (1, 4, 128, 128, 128), computation)
    for block in blocks:                                                # each of exactly that shape
        logits = network(block)                                         # float32, on computation's device

Compiled networks are cached within the process (the last few), so that the second case starts at once; what a large
network needs to be converted is also kept in the user's cache folder. Calls from several threads at a time are safe.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from mtann.backends.computation import ChosenPrecision, Computation

Block = torch.Tensor | npt.NDArray[np.float32]
CompiledNetwork = Callable[[Block], torch.Tensor]
"""Takes a float32 block (array, or tensor on any device); gives a new float32 tensor on the computation's device."""

_TYPES: dict[ChosenPrecision, torch.dtype] = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class NamedNetwork:
    """A network that is built only if it has to be: one that was converted before is found by its name.

    Attributes:
        name: Tells it from every other network, weights included.
        build: Builds it.
    """

    name: str
    build: Callable[[], nn.Module]


def compile_network(
    network: nn.Module | NamedNetwork,
    example_shape: Sequence[int],
    computation: Computation,
    *,
    trace_shape: Sequence[int] | None = None,
) -> CompiledNetwork:
    """A callable that evaluates a module on blocks of one shape.

    In fp32 it agrees with the module evaluated by torch to 1e-4 on outputs of order 1. TF32 stays off.

    Args:
        network: One tensor in, one tensor out. For torch it is put into evaluation mode and moved to the device. A
            module's class, ``repr`` and weights must tell it from every other one: they are the caches' key, so
            whatever else changes its answers belongs into ``extra_repr``.
        example_shape: Shape of every block, batch first. A batch of another size is another shape: compile both.
        computation: What :func:`mtann.backends.computation.choose_computation` chose.
        trace_shape: A smaller shape that the module takes as well. OpenVINO converts a module by running it once, which
            is quicker on a small block; give this only if nothing in the module depends on the shape it is traced with
            (true of fully convolutional networks whose blocks have even sizes at every level).

    Raises:
        ValueError: A call's block has another shape.
    """
    if computation.backend == "openvino":
        from mtann.backends.openvino_network import compiled

        return compiled(network, tuple(example_shape), computation.precision, tuple(trace_shape or example_shape))
    module = network.build() if isinstance(network, NamedNetwork) else network
    return _torch_network(module.eval(), tuple(example_shape), computation)


def _torch_network(module: nn.Module, shape: tuple[int, ...], computation: Computation) -> CompiledNetwork:
    device = torch.device(computation.device)
    module.to(device)

    def evaluate(block: Block) -> torch.Tensor:
        check_shape(block, shape)
        inputs = torch.as_tensor(block).to(device, torch.float32)
        with torch.inference_mode(), full_precision(), _in(computation.precision, device):
            result: torch.Tensor = module(inputs)
        return result.float()

    return evaluate


def check_shape(block: Block, shape: tuple[int, ...]) -> None:
    """Refuse a block of another shape than the network was compiled for.

    Raises:
        ValueError: It has another shape.
    """
    if tuple(block.shape) != shape:
        raise ValueError(f"The network was compiled for blocks of shape {shape}, found {tuple(block.shape)}.")


@contextmanager
def full_precision() -> Iterator[None]:
    """Keep TF32 off: results must not depend on the card."""
    saved = (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = saved


def _in(precision: ChosenPrecision, device: torch.device) -> torch.autocast:
    return torch.autocast(device.type, dtype=_TYPES.get(precision), enabled=precision != "fp32")
