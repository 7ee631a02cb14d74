"""What each resolution level's network learns from, and what all of them answer together."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mtann.enhancement.pyramid import compose, decompose, halve
from mtann.preprocess.prepare import PreparedCase
from mtann.progress import Run
from mtann.sampling.subvolumes import IMAGE, Samples, gather, to_keep
from mtann.settings import NetworkSettings

if TYPE_CHECKING:
    import torch

    from mtann.networks.mtann import MTANN

FloatVolume = npt.NDArray[np.float32]
BoolVolume = npt.NDArray[np.bool_]


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
    tissue = prepared.mask
    samples = []
    for level in range(levels):
        inside = np.flatnonzero(tissue)
        chosen = random.choice(inside, min(voxels, len(inside)), replace=False)
        where = np.stack(np.unravel_index(np.sort(chosen), tissue.shape), axis=1).astype(np.int64)
        found = to_keep(gather([bands[level] for bands in inputs], where, network))
        samples.append(Samples(found, targets[level][tuple(where.T)], np.full(len(where), IMAGE)))
        tissue = _coarser(tissue, network.dimensions)
    return samples


def _coarser(tissue: BoolVolume, dimensions: int) -> BoolVolume:
    """The voxels of the next level that tissue is interpolated from: those that hold some, and their neighbours."""
    some = np.asarray(halve(tissue.astype(np.float32), dimensions) > 0)
    near = np.ones((1 if dimensions == 2 else 3, 3, 3), dtype=bool)
    return np.asarray(ndimage.binary_dilation(some, near))


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
