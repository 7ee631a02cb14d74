"""Flips and right-angle turns of a subvolume."""

from itertools import permutations, product

import numpy as np
import numpy.typing as npt

from mtann.sampling.kernel import subvolume_offsets
from mtann.settings import NetworkSettings


def offset_symmetries(network: NetworkSettings) -> npt.NDArray[np.int64]:
    """Permutations (symmetries, offsets) of a subvolume's inputs by flips and right angles: 48, or 8 in a plane."""
    offsets = subvolume_offsets(network)
    lookup = {tuple(offset): number for number, offset in enumerate(offsets.tolist())}
    axes = [(0, 1, 2), (0, 2, 1)] if network.dimensions == 2 else list(permutations(range(3)))
    signs = (
        [(1, *rest) for rest in product((1, -1), repeat=2)]
        if network.dimensions == 2
        else list(product((1, -1), repeat=3))
    )
    return np.array(
        [
            [lookup[tuple(moved)] for moved in (offsets[:, order] * np.array(sign)).tolist()]
            for order in axes
            for sign in signs
        ]
    )
