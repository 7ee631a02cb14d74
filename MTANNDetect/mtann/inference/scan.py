"""Scanning MTANNs over whole volumes, tile by tile.

The networks are evaluated by convolution, directly or by Fourier transforms as is cheaper for them, which gives every
voxel the value that its own subvolume would: tiled, untiled and voxel-by-voxel evaluation agree (tests hold them to
1e-5). Only the mask's bounding box is looked at. Each tile carries a halo of kernel radius times dilation; outside the
volume its edge is replicated. All members of a network share each tile's input.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from mtann.backends.computation import Computation
from mtann.backends.network import full_precision
from mtann.inference.boxes import Box, bounding_box, grown, tiles_of, with_halo
from mtann.inference.depth_fourier import DepthFourier
from mtann.inference.direct import CompiledConvolution, DirectConvolution
from mtann.inference.fourier import PlanarFourier
from mtann.inference.layers import Place, ScanLayers, layers_of
from mtann.inference.plan import ScanPlan, direct_plan, plan_scan
from mtann.inference.rank import reduce_rank
from mtann.inference.side_by_side import work_through
from mtann.networks.mtann import MTANN
from mtann.preprocess.levels import Levels, level_volumes, smoothing_reach
from mtann.progress import Run

FloatVolume = npt.NDArray[np.float32]
BoolVolume = npt.NDArray[np.bool_]
Strides = tuple[int, int, int]

_UNITS_AT_ONCE = 64
"""Hidden units that are evaluated together: enough to use the processor, few enough to keep a tile's sums small."""
_HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}


class _Evaluator(Protocol):
    """One way to evaluate networks on a tile."""

    def suits(self, blocks: Sequence[torch.Tensor]) -> bool: ...

    def likelihoods(
        self, blocks: Sequence[torch.Tensor], tile_zyx: Sequence[int], strides: Strides
    ) -> Iterator[tuple[Place, torch.Tensor]]: ...


def scan(
    network: MTANN,
    channels: Sequence[FloatVolume],
    mask: BoolVolume | None = None,
    *,
    tile_voxels: int = 64,
    stride: int = 1,
    device: torch.device | str = "cpu",
    computation: Computation | None = None,
    run: Run | None = None,
) -> FloatVolume:
    """Likelihood volumes (members, z, y, x) of normalised channels, each (z, y, x).

    Args:
        network: The trained network.
        channels: One array a channel, all of one shape.
        mask: Where to evaluate; elsewhere the likelihood is 0. What lies outside its bounding box costs nothing, and
            tiles without tissue are skipped.
        tile_voxels: Largest edge of a tile; lines along x may be longer.
        stride: Evaluate only each so manieth voxel from the first along every axis that the subvolume spans; the result
            holds only these.
        device: Where to compute, by torch.
        computation: What evaluates the network; takes the place of ``device``.
        run: Progress and cancellation, asked between tiles and within.

    Raises:
        CancelledError: The user asked to stop.
    """
    run = run or Run()
    settings = network.settings
    strides = (1 if settings.dimensions == 2 else stride, stride, stride)
    how = computation or Computation(str(device), "torch", "fp32", "")
    network = network.to(how.device).eval()
    shape = channels[0].shape
    likelihood = np.zeros(
        (network.members, *(-(-n // step) for n, step in zip(shape, strides, strict=True))), np.float32
    )
    box = bounding_box(mask, strides) if mask is not None else tuple(slice(0, n) for n in shape)
    if box is None:
        return likelihood
    with torch.inference_mode(), full_precision():
        parts = _groups(network)
        # The levels' smoothing must see as much beyond the box as the networks do.
        smoothing = max(map(smoothing_reach, settings.dilations))
        reach = [
            radius + (smoothing if axis or settings.dimensions == 3 else 0)
            for axis, radius in enumerate(parts[0].radius_zyx)
        ]
        around, within = grown(box, reach, shape)
        levels = level_volumes(
            [np.ascontiguousarray(channel[around]) for channel in channels], settings, run.part(0, 0.1)
        )
        near = None if mask is None else mask[around]
        place = tuple(slice(part.start // step, -(-part.stop // step)) for part, step in zip(box, strides, strict=True))
        likelihood[(slice(None), *place)] = scan_layers(
            parts, levels, within, near, tile_voxels=tile_voxels, strides=strides, computation=how, run=run.part(0.1, 1)
        )
    return likelihood


def scan_layers(
    parts: Sequence[ScanLayers],
    levels: Levels,
    box: Box | None = None,
    mask: BoolVolume | None = None,
    *,
    tile_voxels: int = 64,
    strides: Strides = (1, 1, 1),
    computation: Computation | None = None,
    plan: ScanPlan | None = None,
    run: Run | None = None,
) -> FloatVolume:
    """Likelihoods (members of all parts, z, y, x) of a box, by networks with any kernels.

    Args:
        parts: Networks that see the same levels; each is evaluated as one.
        levels: Volumes by level and channel.
        box: What to evaluate; everything if None.
        mask: Where to evaluate, of the levels' shape; elsewhere the likelihood is 0.
        tile_voxels: Largest edge of a tile; lines along x may be longer.
        strides: Evaluate only each so manieth voxel of the box along an axis.
        computation: What evaluates the networks; torch on the processor if None.
        plan: How the networks are evaluated by torch; the cheapest way if None.
        run: Progress and cancellation.

    Raises:
        CancelledError: The user asked to stop.
    """
    run, how = run or Run(), computation or Computation("cpu", "torch", "fp32", "")
    box = box or tuple(slice(0, n) for n in levels[0][0].shape)
    size = [part.stop - part.start for part in box]
    plan = plan or _plan(parts, size, tile_voxels, strides, how)
    ways = [(_evaluator(one, plan, how), one) for one in parts]
    result = np.zeros(
        (sum(one.members for one in parts), *(-(-n // s) for n, s in zip(size, strides, strict=True))), np.float32
    )

    def work(tile: Box, check: Callable[[], None]) -> None:
        blocks = _blocks(levels, tile, parts[0].radius_zyx, how.device)
        start = 0
        for way, layers in ways:
            target = result[start : start + layers.members]
            _fill(target, way, layers, blocks, tile, box, strides, check)
            start += layers.members

    tiles = list(tiles_of(box, plan.tile_zyx, mask))
    on_processor = how.backend == "torch" and torch.device(how.device).type == "cpu"
    work_through(tiles, work, run, "Scanning block", side_by_side=on_processor)
    if mask is not None:
        z, y, x = (slice(part.start, part.stop, step) for part, step in zip(box, strides, strict=True))
        result[:, ~mask[z, y, x]] = 0.0
    return result


def _fill(
    target: FloatVolume,
    way: _Evaluator,
    layers: ScanLayers,
    blocks: Sequence[torch.Tensor],
    tile: Box,
    box: Box,
    strides: Strides,
    check: Callable[[], None],
) -> None:
    """Write a tile's likelihoods where they belong."""
    z, y, x = ((part.start - whole.start) // step for part, whole, step in zip(tile, box, strides, strict=True))
    size = [part.stop - part.start for part in tile]
    if not way.suits(blocks):
        way = DirectConvolution(layers, direct_plan(layers, size, max(size), strides).slices)
    for first, values in way.likelihoods(blocks, size, strides):
        check()
        parts = (
            slice(start + more, start + more + n)
            for start, more, n in zip((z, y, x), first, values.shape[1:], strict=True)
        )
        target[(slice(None), *parts)] = values.float().cpu().numpy()


def _groups(network: MTANN) -> list[ScanLayers]:
    """The members in groups that are evaluated as one, with no more kernels than they need."""
    group = max(1, _UNITS_AT_ONCE // network.settings.hidden[0])
    starts = range(0, network.members, group)
    return [reduce_rank(layers_of(network.member(range(n, min(n + group, network.members))))) for n in starts]


def _plan(
    parts: Sequence[ScanLayers], size: Sequence[int], tile_voxels: int, strides: Strides, how: Computation
) -> ScanPlan:
    if how.backend == "openvino" or how.precision != "fp32":
        return direct_plan(parts[0], size, tile_voxels, strides, how.device)
    return plan_scan(parts[0], size, tile_voxels, strides, how.device, len(parts))


def _evaluator(layers: ScanLayers, plan: ScanPlan, how: Computation) -> _Evaluator:
    if how.backend == "openvino":
        return CompiledConvolution(layers, plan.tile_zyx, how)
    if plan.method == "depth":
        return DepthFourier(layers, plan.slices)
    if plan.method == "planar":
        return PlanarFourier(layers, plan.size_yx, plan.slices, how.device)
    return DirectConvolution(layers, plan.slices, _HALF.get(how.precision))


def _blocks(levels: Levels, tile: Box, radius_zyx: Sequence[int], device: str) -> list[torch.Tensor]:
    """A tile's input (channels, z, y, x) with halo at every level."""
    return [
        torch.from_numpy(np.stack([with_halo(channel, tile, radius_zyx) for channel in channels])).to(device)
        for channels in levels
    ]
