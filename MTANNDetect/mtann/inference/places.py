"""What MTANNs say of single places: Suzuki's score, and the hidden units' activity.

S = sum over r of G(r - r0; sigma) f(r), G a normalised Gaussian (Suzuki et al., Med Phys 33:3814, 2006), here on a
lattice that is fine enough for its width, so that a wide Gaussian costs no more than a narrow one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from mtann.networks.mtann import MTANN
from mtann.preprocess.levels import level_volumes
from mtann.progress import Run
from mtann.sampling.subvolumes import gather_from

FloatVolume = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]

_REACH = 3.0
"""The Gaussian is truncated at so many sigmas."""
_LATTICE_PER_SIGMA = 1.5
_MOST_AT_ONCE = 4096


@dataclass(frozen=True)
class PlaceScores:
    """What a network's members say of some places.

    Attributes:
        scores: (members, n), Gaussian-weighted likelihood.
        activations: (members, n, hidden), Gaussian-weighted activity of the last hidden layer.
    """

    scores: FloatArray
    activations: FloatArray


def score_places(
    network: MTANN,
    channels: Sequence[FloatVolume],
    places_zyx: npt.NDArray[np.int64],
    sigmas_zyx: FloatArray,
    *,
    device: torch.device | str = "cpu",
    run: Run | None = None,
) -> PlaceScores:
    """Ask a network about places.

    Args:
        network: The trained network.
        channels: Normalised intensities on the model's grid, each (z, y, x).
        places_zyx: (n, 3) voxels.
        sigmas_zyx: (n, 3) widths of the Gaussian in voxels.
        device: Where to compute.
        run: Progress and cancellation.

    Raises:
        CancelledError: The user asked to stop.
    """
    run = run or Run()
    shape = np.array(channels[0].shape)
    voxels, weights = [np.empty((0, 3), dtype=np.int64)], [np.empty(0)]
    for place, sigma in zip(places_zyx, sigmas_zyx, strict=True):
        around, weight = score_lattice(place, sigma, shape)
        voxels.append(around)
        weights.append(weight)
    owner = np.repeat(np.arange(len(places_zyx)), [len(weight) for weight in weights[1:]])
    where, weight = np.concatenate(voxels), np.concatenate(weights)
    network = network.to(device).eval()
    levels = level_volumes(channels, network.settings)
    hidden = network.settings.hidden[-1]
    scores = np.zeros((network.members, len(places_zyx)))
    activations = np.zeros((network.members, len(places_zyx), hidden))
    with torch.inference_mode():
        for start in range(0, len(where), _MOST_AT_ONCE):
            run.check()
            part = slice(start, start + _MOST_AT_ONCE)
            inputs = torch.from_numpy(gather_from(levels, where[part], network.settings)).to(device)
            active = network.activations(network.sums(inputs[None]))
            values = network.answer(active).cpu().numpy() * weight[part]
            active_array = active.cpu().numpy() * weight[part, None]
            for member in range(network.members):
                np.add.at(scores[member], owner[part], values[member])
                np.add.at(activations[member], owner[part], active_array[member])
    return PlaceScores(scores, activations)


def score_lattice(
    place: npt.NDArray[np.int64], sigma: FloatArray, shape: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], FloatArray]:
    """The voxels (n, 3) whose likelihood a place's score is made of, within the volume, and their weights (n,).

    The weights sum to one.
    """
    axes, weights = [], []
    for centre, width, length in zip(place, sigma, shape, strict=True):
        step = max(1, int(width / _LATTICE_PER_SIGMA))
        count = int(_REACH * width / step)
        line = centre + step * np.arange(-count, count + 1)
        line = line[(line >= 0) & (line < length)]
        axes.append(line)
        weights.append(np.exp(-0.5 * ((line - centre) / width) ** 2))
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    weight = (weights[0][:, None, None] * weights[1][None, :, None] * weights[2][None, None, :]).ravel()
    # The corners of the box hold next to nothing of the Gaussian.
    near = weight > np.exp(-0.5 * _REACH**2)
    return grid[near], weight[near] / weight[near].sum()
