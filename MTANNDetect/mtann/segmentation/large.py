"""Arrays that may not fit into memory."""

import tempfile
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def large_array(shape: Sequence[int]) -> npt.NDArray[np.float32]:
    """Zeros in a file that goes with the array."""
    with tempfile.TemporaryFile(prefix="mtann-") as file:
        return np.memmap(file, dtype=np.float32, mode="w+", shape=tuple(shape))
