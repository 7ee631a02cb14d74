"""Scanning MTANNs over whole volumes, tile by tile.

The networks are evaluated by convolution, which gives every voxel the value that its own subvolume would: tiled,
untiled and voxel-by-voxel evaluation agree (tests hold them to 1e-5). Each tile carries a halo of kernel radius times
dilation; outside the volume its edge is replicated. All members of a network share each tile's input.
"""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch

from mtann.networks.mtann import MTANN
from mtann.preprocess.levels import Levels, level_volumes
from mtann.progress import Run
from mtann.sampling.kernel import KernelBox, kernel_radius_zyx
from mtann.settings import NetworkSettings

FloatVolume = npt.NDArray[np.float32]
BoolVolume = npt.NDArray[np.bool_]
Box = tuple[slice, slice, slice]

_UNITS_AT_ONCE = 64
"""Hidden units that are evaluated together: enough to use the processor, few enough to keep a tile's sums small."""
_VOXELS_AT_ONCE = 65536
"""Voxels whose later layers are evaluated between two checks for cancellation."""


def scan(
    network: MTANN,
    channels: Sequence[FloatVolume],
    mask: BoolVolume | None = None,
    *,
    tile_voxels: int = 64,
    stride: int = 1,
    device: torch.device | str = "cpu",
    run: Run | None = None,
) -> FloatVolume:
    """Likelihood volumes (members, z, y, x) of normalised channels, each (z, y, x).

    Args:
        network: The trained network.
        channels: One array a channel, all of one shape.
        mask: Where to evaluate; elsewhere the likelihood is 0. Tiles without tissue are skipped.
        tile_voxels: Edge of a tile.
        stride: Evaluate only each so manieth voxel from the first along every axis that the subvolume spans; the result
            holds only these.
        device: Where to compute.
        run: Progress and cancellation, asked between tiles.

    Raises:
        CancelledError: The user asked to stop.
    """
    run = run or Run()
    settings = network.settings
    levels = level_volumes(channels, settings, run.part(0.0, 0.1))
    strides = (1 if settings.dimensions == 2 else stride, stride, stride)
    every = tuple(slice(None, None, step) for step in strides)
    likelihood = np.zeros((network.members, *channels[0][every].shape), dtype=np.float32)
    network = network.to(device).eval()
    group = max(1, _UNITS_AT_ONCE // settings.hidden[0])
    parts = [
        network.member(range(start, min(start + group, network.members))) for start in range(0, network.members, group)
    ]
    with torch.inference_mode(), _full_precision():
        kernels = [part.convolution() for part in parts]
        tiles = list(_tiles(channels[0].shape, tile_voxels // stride * stride or stride, mask))
        for number, tile in enumerate(tiles):
            run.report("scan", 0.1 + 0.9 * number / len(tiles), f"Scanning block {number + 1} of {len(tiles)}")
            blocks = _blocks(levels, tile, settings, device)
            place = [slice(part.start // step, -(-part.stop // step)) for part, step in zip(tile, strides, strict=True)]
            start = 0
            for part, (by_level, bias) in zip(parts, kernels, strict=True):
                run.check()
                values = _evaluate(part, by_level, bias, blocks, strides, run)
                likelihood[(slice(start, start + part.members), *place)] = values
                start += part.members
    if mask is not None:
        likelihood[:, ~mask[every]] = 0.0
    return likelihood


def _blocks(levels: Levels, tile: Box, settings: NetworkSettings, device: torch.device | str) -> list[torch.Tensor]:
    """A tile's input (1, channels, z, y, x) with halo at every level."""
    blocks = []
    for dilation, channels in zip(settings.dilations, levels, strict=True):
        radius = tuple(r * dilation for r in kernel_radius_zyx(settings))
        block = np.stack([with_halo(channel, tile, radius) for channel in channels])
        blocks.append(torch.from_numpy(block).to(device)[None])
    return blocks


def _evaluate(
    network: MTANN,
    kernels: list[list[tuple[KernelBox, torch.Tensor]]],
    bias: torch.Tensor,
    blocks: list[torch.Tensor],
    strides: tuple[int, int, int],
    run: Run,
) -> FloatVolume:
    convolved = _convolved(network.settings, kernels, blocks, strides, run)
    sums = next(convolved)
    for more in convolved:
        sums += more
    by_member = sums.view(network.members, -1, sums[0].numel()).transpose(1, 2)
    answers = []
    for part in torch.split(by_member, _VOXELS_AT_ONCE, dim=1):
        run.check()
        answers.append(network.finish(part + bias[:, None, :]))
    result: FloatVolume = torch.cat(answers, dim=1).view(-1, *sums.shape[1:]).float().cpu().numpy()
    return result


def _convolved(
    settings: NetworkSettings,
    kernels: list[list[tuple[KernelBox, torch.Tensor]]],
    blocks: list[torch.Tensor],
    strides: tuple[int, int, int],
    run: Run,
) -> Iterator[torch.Tensor]:
    """Each level's and box's share of the first layer's sums (members x hidden, z, y, x)."""
    radius = kernel_radius_zyx(settings)
    for boxes, dilation, block in zip(kernels, settings.dilations, blocks, strict=True):
        for box, kernel in boxes:
            run.check()
            margins = [(whole - own) * dilation for whole, own in zip(radius, box.radius_zyx, strict=True)]
            z, y, x = (slice(margin, n - margin) for margin, n in zip(margins, block.shape[2:], strict=True))
            # An axis of one grid point has no dilation.
            spread = tuple(dilation if own else 1 for own in box.radius_zyx)
            yield torch.nn.functional.conv3d(block[..., z, y, x], kernel.flatten(0, 1), None, strides, 0, spread)[0]


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
