"""What each resolution level's network learns from, and what all of them answer together."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mtann.enhancement.pyramid import compose, decompose, halve
from mtann.preprocess.prepare import PreparedCase
from mtann.progress import Run
from mtann.sampling.subvolumes import IMAGE, Samples, gather
from mtann.settings import NetworkSettings

if TYPE_CHECKING:
    import torch

    from mtann.networks.mtann import MTANN

FloatVolume = npt.NDArray[np.float32]


def draw_bands(
    prepared: PreparedCase,
    teaching: FloatVolume,
    network: NetworkSettings,
    levels: int,
    voxels: int,
    random: np.random.Generator,
) -> list[Samples]:
    """Subvolumes of each band of the input, finest first, with the teaching image's band to answer.

    So many voxels are drawn at random from the mask at each level, or all of them where there are no more.
    """
    inputs = [decompose(channel, levels, network.dimensions) for channel in prepared.channels]
    targets = decompose(teaching, levels, network.dimensions)
    share = prepared.mask.astype(np.float32)
    samples = []
    for level in range(levels):
        # A coarse voxel counts as tissue if any of it is: a small mask has some at every level.
        tissue = np.flatnonzero(share)
        chosen = random.choice(tissue, min(voxels, len(tissue)), replace=False)
        where = np.stack(np.unravel_index(np.sort(chosen), share.shape), axis=1).astype(np.int64)
        found = gather([bands[level] for bands in inputs], where, network)
        samples.append(Samples(found, targets[level][tuple(where.T)], np.full(len(where), IMAGE)))
        share = np.asarray(halve(share, network.dimensions))
    return samples


def answer(
    network: "MTANN",
    channels: Sequence[FloatVolume],
    *,
    device: "torch.device | str" = "cpu",
    run: Run | None = None,
) -> FloatVolume:
    """What a network whose members are resolution levels answers for normalised channels, each (z, y, x).

    Raises:
        CancelledError: The user asked to stop.
    """
    from mtann.inference.scan import scan

    run = run or Run()
    levels, dimensions = network.members, network.settings.dimensions
    bands = [decompose(channel, levels, dimensions) for channel in channels]
    # Three quarters or more of the voxels are in the finest band.
    steps = np.cumsum([0.0, *(0.25**level for level in range(levels))])
    answers = []
    for level in range(levels):
        part = run.part(steps[level] / steps[-1], steps[level + 1] / steps[-1])
        own = [channel[level] for channel in bands]
        answers.append(scan(network.member([level]), own, device=device, run=part)[0])
    return np.asarray(compose(answers, dimensions))
