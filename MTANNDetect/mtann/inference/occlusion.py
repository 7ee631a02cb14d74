"""Scores of a place with small boxes of the input replaced, many boxes at once.

Replacing intensities changes the first layer's sums linearly, so what a box changes is computed from its own voxels
alone and added to the sums of the image as it is; only the rest of the network is evaluated anew. This gives the same
as scoring every changed image, at a fraction of its cost. Channels are changed as they are: one that is derived from
another is not derived anew.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from mtann.inference.places import score_lattice
from mtann.networks.mtann import MTANN
from mtann.preprocess.levels import level_volume, level_volumes, smoothing_reach
from mtann.progress import Run
from mtann.sampling.kernel import kernel_radius_zyx, subvolume_offsets
from mtann.sampling.subvolumes import gather_from
from mtann.settings import NetworkSettings

FloatVolume = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

_MOST_AT_ONCE = 16384
"""Pairs of a box and a scored voxel that are evaluated together."""


@dataclass(frozen=True)
class OccludedScores:
    """What a network's members say of a place.

    Attributes:
        untouched: (members,), with the image as it is.
        occluded: (members, 1 + images, boxes), with each box replaced in all channels, then in those of one image after
            the other: in the image and in what is derived from it.
    """

    untouched: FloatArray
    occluded: FloatArray


def occluded_scores(
    network: MTANN,
    channels: Sequence[FloatVolume],
    place_zyx: Indices,
    sigma_zyx: FloatArray,
    centres_zyx: Indices,
    half_zyx: Indices,
    values: Sequence[float],
    *,
    sources: Sequence[int] = (),
    device: torch.device | str = "cpu",
    run: Run | None = None,
) -> OccludedScores:
    """Score a place once as it is, and once for each box and choice of channels.

    Beyond the volume a network sees the edge, replaced where a box covers it. Only what the coarser levels' smoothing
    would bring back from there is left out, so that boxes at the edge count for a little less.

    Args:
        network: The trained network.
        channels: Normalised intensities on the model's grid, each (z, y, x).
        place_zyx: The voxel to score.
        sigma_zyx: Widths of the score's Gaussian in voxels.
        centres_zyx: (boxes, 3) voxels in the boxes' middle.
        half_zyx: Half-widths of the boxes: 1 for three voxels.
        values: What a channel's intensities are replaced by, one a channel.
        sources: Which image each channel is or is derived from, from 0 on; each its own if empty.
        device: Where to compute.
        run: Progress and cancellation.

    Raises:
        CancelledError: The user asked to stop.
    """
    run = run or Run()
    network = network.to(device).eval()
    voxels, weights = score_lattice(place_zyx, sigma_zyx, np.array(channels[0].shape))
    weight = torch.from_numpy(weights).float().to(device)
    changes = _changes(channels, centres_zyx, half_zyx, values)
    sources = sources or range(len(channels))
    images = range(1 + max(sources))
    scores = np.empty((network.members, 1 + len(images), len(centres_zyx)))
    with torch.inference_mode():
        sums = network.sums(_untouched(channels, voxels, network.settings).to(device))
        untouched = network.finish(sums) @ weight
        step = max(1, _MOST_AT_ONCE // len(voxels))
        for start in range(0, len(centres_zyx), step):
            run.check()
            part = slice(start, start + step)
            by_channel = _changed_sums(network, changes[part], centres_zyx[part], voxels, channels[0].shape)
            by_image = [
                sum(change for change, source in zip(by_channel, sources, strict=True) if source == image)
                for image in images
            ]
            for number, change in enumerate([sum(by_image), *by_image]):
                # All boxes and voxels in one axis, as the rest of the network takes them.
                changed = (sums[:, None] + change).flatten(1, 2)
                answers = network.finish(changed).view(network.members, -1, len(voxels))
                scores[:, number, part] = (answers @ weight).cpu().numpy()
    return OccludedScores(untouched.double().cpu().numpy(), scores)


def _untouched(channels: Sequence[FloatVolume], voxels: Indices, settings: NetworkSettings) -> torch.Tensor:
    """Subvolumes (1, n, channels, levels, offsets), from the part of the volume that they reach into."""
    widest = max(settings.dilations)
    smoothing = 0 if settings.dimensions == 2 else smoothing_reach(widest)
    reach = np.array(kernel_radius_zyx(settings)) * widest + [smoothing, *[smoothing_reach(widest)] * 2]
    low = np.maximum(voxels.min(axis=0) - reach, 0)
    high = voxels.max(axis=0) + reach + 1
    part = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    levels = level_volumes([np.ascontiguousarray(channel[part]) for channel in channels], settings)
    return torch.from_numpy(gather_from(levels, voxels - low, settings))[None]


def _changes(channels: Sequence[FloatVolume], centres: Indices, half: Indices, values: Sequence[float]) -> FloatVolume:
    """How replacing each box changes its voxels (boxes, channels, z, y, x); 0 beyond the volume."""
    axes = [centre[:, None] + np.arange(-h, h + 1) for centre, h in zip(centres.T, half, strict=True)]
    inside = [(line >= 0) & (line < n) for line, n in zip(axes, channels[0].shape, strict=True)]
    z, y, x = (np.clip(line, 0, n - 1) for line, n in zip(axes, channels[0].shape, strict=True))
    box = (z[:, :, None, None], y[:, None, :, None], x[:, None, None, :])
    within = inside[0][:, :, None, None] & inside[1][:, None, :, None] & inside[2][:, None, None, :]
    parts = [np.where(within, value - channel[box], 0) for channel, value in zip(channels, values, strict=True)]
    return np.stack(parts, axis=1).astype(np.float32)


def _changed_sums(
    network: MTANN, changes: FloatVolume, centres: Indices, voxels: Indices, shape: Sequence[int]
) -> list[torch.Tensor]:
    """What each box changes of the first layer's sums, a channel each (members, boxes, voxels, hidden)."""
    weight = network.first_weight / network.deviation[:, None, :, :, None]
    size = (network.members, len(centres), len(voxels), weight.shape[1])
    sums = [weight.new_zeros(size) for _ in range(network.channels)]
    felt = _felt(network.settings, changes, centres, voxels, shape)
    for level, (boxes, places, inputs) in enumerate(felt):
        for channel in range(network.channels):
            values = torch.from_numpy(inputs[channel]).to(weight.device)
            sums[channel][:, boxes, places] += values @ weight[:, :, channel, level].transpose(1, 2)
    return sums


def _felt(
    settings: NetworkSettings,
    changes: FloatVolume,
    centres: Indices,
    voxels: Indices,
    shape: Sequence[int],
) -> Iterator[tuple[Indices, Indices, list[FloatVolume]]]:
    """For each level: which box and which voxel's subvolume touch, and each channel's change there (n, offsets)."""
    offsets, radius = subvolume_offsets(settings), np.array(kernel_radius_zyx(settings))
    for dilation in settings.dilations:
        smooth = level_volume(_with_rim(changes, settings, dilation), dilation, settings.dimensions)
        edge = np.array(smooth.shape[2:])
        reach = radius * dilation
        distance = np.abs(voxels[None] - centres[:, None])
        boxes, places = np.nonzero((distance <= edge // 2 - 1 + reach).all(axis=-1))
        flat = boxes[:, None] * int(edge.prod())
        for axis, stride in enumerate((edge[1] * edge[2], edge[2], 1)):
            # What lies at each grid coordinate, of which there are few; then of each input, of which there are many.
            line = dilation * np.arange(-radius[axis], radius[axis] + 1)
            # Beyond the volume a network sees its edge.
            seen = np.clip(voxels[places, axis, None] + line, 0, shape[axis] - 1)
            index = np.clip(seen - centres[boxes, axis, None] + edge[axis] // 2, 0, edge[axis] - 1) * stride
            flat = flat + np.take(index.astype(np.int32), offsets[:, axis] + radius[axis], axis=1)
        yield boxes, places, [np.take(smooth[:, channel], flat) for channel in range(smooth.shape[1])]


def _with_rim(changes: FloatVolume, settings: NetworkSettings, dilation: int) -> FloatVolume:
    """Boxes with room for what smoothing spreads, and with zeros round that, which stand for all that is farther."""
    margin = smoothing_reach(dilation) + 1
    across = 1 if settings.dimensions == 2 else margin
    return np.pad(changes, [(0, 0), (0, 0), (across, across), (margin, margin), (margin, margin)])
