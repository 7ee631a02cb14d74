"""How much faster this processor convolves in short numbers than in single precision.

Measured, since a processor that has instructions for short numbers may still be slower with them: one core of an Intel
Xeon whose matrix unit is hidden from a virtual machine takes 1.7 times as long in bf16 as in fp32, one of an AMD EPYC
half as long.
"""

import time
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from mtann.backends.openvino_options import processor_options
from mtann.optional import require

_FEATURES, _EDGE, _RUNS = 32, 24, 8
"""Of the convolution that is timed: about a U-Net's first, on a block that takes some milliseconds."""
_FEATURE = "Evaluating a network with OpenVINO"


@cache
def openvino_gain(precision: str) -> float:
    """How many times as fast OpenVINO convolves in a precision as in fp32, with as many threads as torch uses.

    Measured once a process, in about 0.3 s. 0 where that fails, for whatever reason: then the precision is not taken
    unasked, and what works in fp32 goes on.
    """
    try:
        whole, short = _shortest_seconds(("fp32", precision))
    except Exception:  # noqa: BLE001 - drivers and plugins fail in ways of their own, and a gain is worth no run.
        return 0.0
    return whole / short


def _shortest_seconds(precisions: Sequence[str]) -> list[float]:
    """The shortest time of some runs of two convolutions in each precision.

    They run in turn, so that what else the machine does meets all of them alike.
    """
    random = np.random.default_rng(0)
    block = random.normal(size=(1, _FEATURES, _EDGE, _EDGE, _EDGE)).astype(np.float32)
    weight = (random.normal(size=(_FEATURES, _FEATURES, 3, 3, 3)) / (27 * _FEATURES) ** 0.5).astype(np.float32)
    requests = [_convolutions(block.shape, weight, precision) for precision in precisions]
    seconds = [float("inf")] * len(requests)
    for _ in range(_RUNS):
        for number, request in enumerate(requests):
            started = time.perf_counter()
            request.infer([block], share_inputs=True)
            seconds[number] = min(seconds[number], time.perf_counter() - started)
    return seconds


def _convolutions(shape: tuple[int, ...], weight: npt.NDArray[np.float32], precision: str) -> Any:
    """OpenVINO's request for two convolutions of a block (1, channels, z, y, x) in a precision."""
    openvino, operations = require("openvino", _FEATURE), require("openvino.opset13", _FEATURE)
    given = operations.parameter(shape, np.float32)
    answer = given
    for _ in range(2):
        answer = operations.convolution(answer, operations.constant(weight), [1] * 3, [1] * 3, [1] * 3, [1] * 3)
    options = processor_options(precision, require("torch", _FEATURE).get_num_threads())
    ready = openvino.Core().compile_model(openvino.Model([answer], [given]), "CPU", options)
    return ready.create_infer_request()
