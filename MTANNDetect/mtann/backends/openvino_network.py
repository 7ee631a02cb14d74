"""Networks by OpenVINO: converted once, compiled for one shape, kept for the next call."""

import hashlib
import threading
import warnings
from collections import OrderedDict
from typing import Any

import numpy as np
import torch
from torch import nn

from mtann.backends.computation import ChosenPrecision
from mtann.backends.converted import load_converted, save_converted
from mtann.backends.network import Block, CompiledNetwork, NamedNetwork, check_shape
from mtann.backends.openvino_options import processor_options
from mtann.networks.merged import merged
from mtann.optional import require
from mtann.version import VERSION

_MOST_COMPILED = 12
_LARGE = 1_000_000
"""Converting a module of so many weights takes seconds, so that the result is kept on disk."""
_WAY = "merged"
"""Part of the kept networks' names, so that those of an older way of conversion are not used."""

_compiled: OrderedDict[tuple[object, ...], CompiledNetwork] = OrderedDict()
_lock = threading.Lock()


def compiled(
    network: nn.Module | NamedNetwork, shape: tuple[int, ...], precision: ChosenPrecision, trace_shape: tuple[int, ...]
) -> CompiledNetwork:
    """A network compiled for blocks of a shape, from the cache where it was before."""
    named = _named(network)
    identity = _identity(named)
    threads = torch.get_num_threads()
    key = (identity, shape, precision, threads, trace_shape)
    with _lock:
        ready = _compiled.pop(key, None) or _compile(named, identity, shape, precision, trace_shape, threads)
        _compiled[key] = ready
        while len(_compiled) > _MOST_COMPILED:
            _compiled.popitem(last=False)
    return ready


def forget_compiled() -> None:
    """Give the memory of all compiled networks back that nobody else holds."""
    with _lock:
        _compiled.clear()


def _compile(
    named: NamedNetwork,
    identity: str,
    shape: tuple[int, ...],
    precision: ChosenPrecision,
    trace_shape: tuple[int, ...],
    threads: int,
) -> CompiledNetwork:
    core = require("openvino", "Evaluating a network with OpenVINO").Core()
    model = _converted(core, named, identity, trace_shape)
    model.reshape(list(shape))
    ready = core.compile_model(model, "CPU", processor_options(precision, threads))
    own = threading.local()

    def evaluate(block: Block) -> torch.Tensor:
        check_shape(block, shape)
        inputs = block.cpu().numpy() if isinstance(block, torch.Tensor) else block
        if not hasattr(own, "request"):
            own.request = ready.create_infer_request()
        results = own.request.infer([np.ascontiguousarray(inputs, dtype=np.float32)], share_inputs=True)
        return torch.from_numpy(results[0])

    return evaluate


def _converted(core: Any, named: NamedNetwork, identity: str, trace_shape: tuple[int, ...]) -> Any:
    """OpenVINO's model of a network, shapes open; from the user's cache folder where it is there."""
    key = hashlib.sha256(f"{identity} {trace_shape}".encode()).hexdigest()
    known = load_converted(core, key)
    if known is not None:
        return known
    openvino = require("openvino", "Evaluating a network with OpenVINO")
    module, example = named.build().cpu().eval(), torch.zeros(trace_shape)
    with torch.no_grad(), warnings.catch_warnings():
        # What tracing warns of is for who writes a network.
        warnings.simplefilter("ignore")
        # Left to itself, the conversion traces four times over to compare.
        traced = torch.jit.trace(merged(module, trace_shape), example, check_trace=False)  # type: ignore[no-untyped-call]
    model = openvino.convert_model(traced, example_input=example)
    if sum(weight.numel() for weight in module.parameters()) >= _LARGE:
        save_converted(model, key)
    return model


def _identity(named: NamedNetwork) -> str:
    """A name that only networks share which answer alike and were converted alike."""
    openvino = require("openvino", "Evaluating a network with OpenVINO")
    versions = (VERSION, _WAY, torch.__version__, openvino.__version__)
    return hashlib.sha256(f"{versions} {named.name}".encode()).hexdigest()


def _named(network: nn.Module | NamedNetwork) -> NamedNetwork:
    """A module under a name from all that it is made of."""
    if isinstance(network, NamedNetwork):
        return network
    module = network
    content = hashlib.sha256(f"{type(module).__qualname__} {module!r}".encode())
    for name, tensor in module.state_dict().items():
        content.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        content.update(np.ascontiguousarray(tensor.detach().cpu().numpy()).data)
    return NamedNetwork(content.hexdigest(), lambda: module)
