"""Scanning an MTANN over whole volumes, tile by tile.

The network is evaluated by convolution, which gives every voxel the value that its own subvolume would: tiled, untiled
and voxel-by-voxel evaluation agree (tests hold them to 1e-5). Each tile carries a halo of kernel radius times dilation;
outside the volume its edge is replicated.
"""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch

from mtann.networks.mtann import MTANN
from mtann.preprocess.levels import level_volume
from mtann.progress import Run
from mtann.sampling.kernel import kernel_radius_zyx

FloatVolume = npt.NDArray[np.float32]
BoolVolume = npt.NDArray[np.bool_]
Box = tuple[slice, slice, slice]


def scan(
    network: MTANN,
    channels: Sequence[FloatVolume],
    mask: BoolVolume | None = None,
    *,
    tile_voxels: int = 64,
    device: torch.device | str = "cpu",
    run: Run | None = None,
) -> FloatVolume:
    """Likelihood volume (z, y, x) of normalised channels, each (z, y, x).

    Args:
        network: The trained network.
        channels: One array a channel, all of one shape.
        mask: Where to evaluate; elsewhere the likelihood is 0. Tiles without tissue are skipped.
        tile_voxels: Edge of a tile.
        device: Where to compute.
        run: Progress and cancellation, asked between tiles.

    Raises:
        CancelledError: The user asked to stop.
    """
    run = run or Run()
    settings = network.settings
    levels = []
    for number, dilation in enumerate(settings.dilations):
        run.report("scan", 0.1 * number / len(settings.dilations), f"Smoothing for resolution level {number + 1}")
        smoothed = []
        for channel in channels:
            run.check()
            smoothed.append(level_volume(channel, dilation, settings.dimensions))
        levels.append(smoothed)
    shape = channels[0].shape
    likelihood = np.zeros(shape, dtype=np.float32)
    network = network.to(device).eval()
    with torch.inference_mode(), _full_precision():
        kernels, bias = network.convolution()
        tiles = list(_tiles(shape, tile_voxels, mask))
        for number, tile in enumerate(tiles):
            run.report("scan", 0.1 + 0.9 * number / len(tiles), f"Scanning block {number + 1} of {len(tiles)}")
            likelihood[tile] = _evaluate(network, kernels, bias, levels, tile, device, run)
    if mask is not None:
        likelihood[~mask] = 0.0
    return likelihood


def _evaluate(
    network: MTANN,
    kernels: list[torch.Tensor],
    bias: torch.Tensor,
    levels: list[list[FloatVolume]],
    tile: Box,
    device: torch.device | str,
    run: Run,
) -> FloatVolume:
    three = network.settings.dimensions == 3
    sums = bias
    for kernel, dilation, channels in zip(kernels, network.settings.dilations, levels, strict=True):
        run.check()
        radius = tuple(r * dilation for r in kernel_radius_zyx(network.settings.dimensions))
        block = np.stack([with_halo(channel, tile, radius) for channel in channels])
        inputs = torch.from_numpy(block).to(device)[None]
        convolved = torch.nn.functional.conv3d(inputs, kernel, dilation=dilation if three else (1, dilation, dilation))
        sums = sums + convolved[0].movedim(0, -1)
    result: FloatVolume = network.finish(sums).float().cpu().numpy()
    return result


def with_halo(volume: FloatVolume, tile: Box, radius_zyx: Sequence[int]) -> FloatVolume:
    """The part of a volume under a tile and its halo; outside the volume its edge is replicated."""
    parts, padding = [], []
    for part, radius, length in zip(tile, radius_zyx, volume.shape, strict=True):
        start, stop = part.start - radius, part.stop + radius
        parts.append(slice(max(0, start), min(length, stop)))
        padding.append((max(0, -start), max(0, stop - length)))
    block = volume[tuple(parts)]
    return np.pad(block, padding, mode="edge") if any(map(any, padding)) else np.ascontiguousarray(block)


def _tiles(shape: Sequence[int], edge: int, mask: BoolVolume | None) -> Iterator[Box]:
    for start in itertools.product(*(range(0, n, edge) for n in shape)):
        z, y, x = (slice(a, min(a + edge, n)) for a, n in zip(start, shape, strict=True))
        if mask is None or mask[z, y, x].any():
            yield z, y, x


class _full_precision:  # noqa: N801 - used like a function
    """Keep TF32 off while scanning: scores must not depend on the card."""

    def __enter__(self) -> None:
        self._saved = (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False

    def __exit__(self, *_: object) -> None:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = self._saved
