"""What OpenVINO is told when it compiles a network for the processor."""

_HINTS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}
"""Names of precisions in OpenVINO."""


def processor_options(precision: str, threads: int) -> dict[str, object]:
    """What OpenVINO is told when it compiles for the processor.

    Args:
        precision: ``fp32``, ``bf16`` or ``fp16``.
        threads: How many it may use.
    """
    return {
        # OpenVINO's own choice is bf16 wherever the processor has it.
        "INFERENCE_PRECISION_HINT": _HINTS[precision],
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        # Pinned threads of two processes would share one core while another is idle.
        "ENABLE_CPU_PINNING": False,
    }
