"""How much faster this processor convolves in short numbers than in single precision.

Measured, since a processor that has instructions for short numbers may still be slower with them: one core of an Intel
Xeon whose matrix unit is hidden from a virtual machine takes 1.7 times as long in bf16 as in fp32, one of an AMD EPYC
half as long.
"""

import time
from functools import cache

import numpy as np

from mtann.optional import require

HINTS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}
"""Names of precisions in OpenVINO."""
_FEATURES, _EDGE, _RUNS = 32, 24, 4
"""Of the convolution that is timed: about a U-Net's first, on a block that takes some milliseconds."""


@cache
def openvino_gain(precision: str) -> float:
    """How many times as fast OpenVINO convolves in a precision as in fp32; measured once a process, in about 0.3 s."""
    return _seconds("fp32") / _seconds(precision)


@cache
def _seconds(precision: str) -> float:
    """The shortest time of some runs of two convolutions."""
    feature = "Evaluating a network with OpenVINO"
    openvino, operations = require("openvino", feature), require("openvino.opset13", feature)
    random = np.random.default_rng(0)
    block = random.normal(size=(1, _FEATURES, _EDGE, _EDGE, _EDGE)).astype(np.float32)
    weight = (random.normal(size=(_FEATURES, _FEATURES, 3, 3, 3)) / (27 * _FEATURES) ** 0.5).astype(np.float32)
    given = operations.parameter(block.shape, np.float32)
    answer = given
    for _ in range(2):
        answer = operations.convolution(answer, operations.constant(weight), [1] * 3, [1] * 3, [1] * 3, [1] * 3)
    options = {"INFERENCE_PRECISION_HINT": HINTS[precision], "ENABLE_CPU_PINNING": False}
    ready = openvino.Core().compile_model(openvino.Model([answer], [given]), "CPU", options)
    request, seconds = ready.create_infer_request(), []
    for _ in range(_RUNS):
        started = time.perf_counter()
        request.infer([block], share_inputs=True)
        seconds.append(time.perf_counter() - started)
    return min(seconds)
