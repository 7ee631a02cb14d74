"""Choosing how a first layer is evaluated, and in tiles of what size, from what each way costs.

The costs were measured on one core of an AMD EPYC, with all that belongs to each step; what counts is their ratio,
which was about the same on an Intel Xeon. The choice is a matter of the networks and the volume's size alone, so that
equal input gives equal output.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from mtann.inference.boxes import evenly
from mtann.inference.depth_fourier import depth_columns, lines_at_once
from mtann.inference.layers import ScanLayers

Method = Literal["direct", "planar", "depth"]

_DIRECT_NS = {1: 1 / 80, 2: 1 / 95}
"""Nanoseconds a floating-point operation by direct convolution, with one channel and with several."""
_PRODUCT_NS = ((16, 1 / 23), (48, 1 / 32), (10**9, 1 / 40))
"""The same for products of spectra, by the most taps times channels."""
_TRANSFORM_NS = {32: 3.0, 64: 3.2, 128: 3.9, 256: 4.8}
_TRANSFORM_OTHER_NS = 4.2
"""Nanoseconds a point and unit for the way back from a spectrum; powers of two are faster, on AMD by more than on
Intel."""
_MOVE_NS = 1.05
"""The same for putting spectra in order."""
_SIZES = (16, 20, 24, 32, 36, 40, 48, 56, 60, 64, 72, 80, 88, 96, 108, 112, 120, 128, 144, 160, 192, 256)
_LENGTHS = range(11, 66, 2)
"""Of the transforms along z."""
_LINE_TILES, _LEAST_TILES = (4, 2, 1), 20
"""A line may be so many tiles long if so many tiles are left: the longer, the fewer and larger are the operations; but
each tile is one processor's work, and the fewer there are, the more of eight or twelve are idle at the end."""
_LAY_OUT_NS, _LAY_OUT_APART_NS = 0.28, 0.8
"""Nanoseconds for each input that is laid out in a matrix: neighbours along x, and with a step between them."""
_DEPTH_PRODUCT_NS, _DEPTH_FORWARD_NS, _DEPTH_BACK_NS = 1 / 70, 1 / 23, 1 / 38
"""Nanoseconds a floating-point operation of the matrix products, with what belongs to them."""
_DEPTH_FILTER_NS = 0.26
"""Nanoseconds a byte of the kernels' spectra, which are read again for every few lines."""
_MOST_FILTERS = 500_000_000
"""Bytes that the kernels' spectra of all networks may take."""
_PREPARE_NS = 5.0
"""Nanoseconds for each number of the kernels' spectra, which are made once a scan."""
_FOURIER_SLAB_BYTES, _LARGE_FILTERS = 3_500_000, 16_000_000
_SLAB_BYTES, _SLAB_BYTES_ELSEWHERE = 6_000_000, 256_000_000
"""Size of the sums that are held at a time: what stays in a processor's caches is finished fastest; other devices want
much at once."""


@dataclass(frozen=True)
class ScanPlan:
    """How networks are scanned.

    Attributes:
        method: How the first layer is evaluated.
        tile_zyx: The largest tile.
        size_yx: Length of the transforms in the planes, where there are any.
        slices: Slices that are evaluated at once; along z, the transforms' length.
        cost_ns: What a voxel costs on one core, about, without what follows the first layer.
    """

    method: Method
    tile_zyx: tuple[int, int, int]
    size_yx: tuple[int, int]
    slices: int
    cost_ns: float


def plan_scan(
    layers: ScanLayers,
    box_zyx: Sequence[int],
    tile_voxels: int,
    strides: tuple[int, int, int] = (1, 1, 1),
    device: torch.device | str = "cpu",
    together: int = 1,
) -> ScanPlan:
    """The cheapest way to scan a box.

    Args:
        layers: The networks.
        box_zyx: Size of what is scanned.
        tile_voxels: Largest edge of a tile; lines along x may be longer.
        strides: Only each so manieth voxel along an axis is asked for.
        device: Where to compute; what is not measured, as graphics cards, convolves directly.
        together: How many such networks are scanned at once, so that memory must hold the kernels of all.
    """
    direct = direct_plan(layers, box_zyx, tile_voxels, strides, device)
    if torch.device(device).type != "cpu":
        return direct
    planar = planar_plans(layers, box_zyx, tile_voxels, strides, together)
    deep = depth_plans(layers, box_zyx, tile_voxels, strides)
    return min([direct, *planar, *deep], key=lambda plan: plan.cost_ns)


def direct_plan(
    layers: ScanLayers,
    box_zyx: Sequence[int],
    tile_voxels: int,
    strides: tuple[int, int, int] = (1, 1, 1),
    device: torch.device | str = "cpu",
) -> ScanPlan:
    """Direct convolution of a box."""
    taps = sum(kernel.weight[0, 0].numel() for kernel in layers.kernels)
    cost = 2 * taps * layers.channels * layers.units * _DIRECT_NS[min(2, layers.channels)]
    z, y, x = (min(n, max(step, tile_voxels // step * step)) for n, step in zip(box_zyx, strides, strict=True))
    plane = 4 * layers.units * -(-y // strides[1]) * -(-x // strides[2])
    share = strides[0] * strides[1] * strides[2]
    slab = _SLAB_BYTES if torch.device(device).type == "cpu" else _SLAB_BYTES_ELSEWHERE
    return ScanPlan("direct", (z, y, x), (0, 0), max(1, slab // plane), cost / share)


def depth_plans(
    layers: ScanLayers, box_zyx: Sequence[int], tile_voxels: int, strides: tuple[int, int, int]
) -> list[ScanPlan]:
    """Every length of transforms along z that may be worth its cost; none for kernels of one slice."""
    radius = layers.radius_zyx[0]
    columns = depth_columns(layers)
    y = _part(box_zyx[1], tile_voxels, strides[1])
    plans = []
    for length in _LENGTHS if radius else ():
        fitting = min(length - 2 * radius, max(strides[0], tile_voxels))
        depth = min(box_zyx[0], fitting // strides[0] * strides[0])
        if depth <= 0:
            continue
        tiles = -(-box_zyx[0] // depth)
        x = _line(box_zyx[2], tile_voxels, strides[2], tiles * -(-box_zyx[1] // y))
        cost = _column_cost(layers, columns, length, (depth, y, x), strides) * tiles / box_zyx[0]
        once = _PREPARE_NS * 2 * length * columns * layers.units / math.prod(box_zyx)
        plans.append(ScanPlan("depth", (depth, y, x), (0, 0), length, cost + once))
    return plans


def _column_cost(
    layers: ScanLayers, columns: int, length: int, tile_zyx: tuple[int, int, int], strides: tuple[int, int, int]
) -> float:
    """Nanoseconds for all voxels along z of a tile at one place in the plane, by transforms along z."""
    depth, height, width = (-(-n // step) for n, step in zip(tile_zyx, strides, strict=True))
    units = layers.units
    lay_out = (_LAY_OUT_NS if strides[2] == 1 else _LAY_OUT_APART_NS) * length * columns
    products = 2 * (2 * length - 1) * columns * units * _DEPTH_PRODUCT_NS
    back = depth * length * units * _DEPTH_BACK_NS
    together = width * lines_at_once(length, columns, units, height, width)
    filters = 4 * 2 * length * columns * units * _DEPTH_FILTER_NS / together
    halo = math.prod(1 + 2 * radius / n for radius, n in zip(layers.radius_zyx[1:], tile_zyx[1:], strict=True))
    forward = 2 * length**2 * layers.levels * layers.channels * halo * _DEPTH_FORWARD_NS
    return (lay_out + products + back + filters) / (strides[1] * strides[2]) + forward


def _line(length: int, tile_voxels: int, step: int, lines: int) -> int:
    """How long the tiles of a box are along x, where so many tiles lie side by side along the other axes."""
    longest_first = [_part(length, times * tile_voxels, step) for times in _LINE_TILES]
    enough = (x for x in longest_first if lines * -(-length // x) >= _LEAST_TILES)
    return next(enough, longest_first[-1])


def _part(length: int, most: int, step: int) -> int:
    """Length of a box's parts of about equal size, none above a limit: a multiple of the step between voxels."""
    return step * evenly(-(-length // step), max(1, most // step))


def planar_plans(
    layers: ScanLayers, box_zyx: Sequence[int], tile_voxels: int, strides: tuple[int, int, int], together: int = 1
) -> list[ScanPlan]:
    """Every size of transform that may be worth its cost."""
    _, radius_y, radius_x = layers.radius_zyx
    depth = min(box_zyx[0], max(strides[0], tile_voxels // strides[0] * strides[0]))
    taps = fourier_taps(layers)
    plans = []
    for size_y in _sizes(box_zyx[1], radius_y, tile_voxels, strides[1]):
        for size_x in _sizes(box_zyx[2], radius_x, tile_voxels, strides[2]):
            points = size_y * size_x
            if 4 * points * taps * layers.channels * layers.units * together > _MOST_FILTERS:
                continue
            tile = [
                min(n, (size - 2 * radius) // step * step)
                for n, size, radius, step in zip(
                    box_zyx[1:], (size_y, size_x), (radius_y, radius_x), strides[1:], strict=True
                )
            ]
            tiles = -(-box_zyx[1] // tile[0]) * -(-box_zyx[2] // tile[1])
            each = _point_cost(layers, taps, (size_y, size_x), depth) * points * tiles / strides[0]
            slices = _fourier_slices(layers, points, taps)
            once = _PREPARE_NS * points * taps * layers.channels * layers.units
            cost = (each + once / box_zyx[0]) / (box_zyx[1] * box_zyx[2])
            plans.append(ScanPlan("planar", (depth, tile[0], tile[1]), (size_y, size_x), slices, cost))
    return plans


def _fourier_slices(layers: ScanLayers, points: int, taps: int) -> int:
    """As many slices as stay in the caches; but large spectra of kernels are not read for a few slices only."""
    fitting = _FOURIER_SLAB_BYTES // (4 * layers.units * points)
    filters = 4 * points * taps * layers.channels * layers.units
    return max(fitting, 12 if filters > _LARGE_FILTERS else 4)


def fourier_taps(layers: ScanLayers) -> int:
    """How many planes of kernels there are, over all levels."""
    planes = set()
    for kernel in layers.kernels:
        radius, spread = kernel.radius_zyx[0], kernel.spread_zyx[0]
        planes |= {(kernel.level, place) for place in range(-radius, radius + 1, spread)}
    return len(planes)


def _point_cost(layers: ScanLayers, taps: int, size_yx: tuple[int, int], depth: int) -> float:
    """Nanoseconds a point of a transformed plane, for all units."""
    columns = taps * layers.channels
    rate = next(rate for most, rate in _PRODUCT_NS if columns <= most)
    product = 4 * columns * layers.units * rate + _MOVE_NS * columns
    transform = max(_TRANSFORM_NS.get(size, _TRANSFORM_OTHER_NS) for size in size_yx)
    way_back = (transform + _MOVE_NS) * layers.units
    way_in = 2 * transform * layers.levels * layers.channels * (1 + 2 * layers.radius_zyx[0] / depth)
    return product + way_back + way_in


def _sizes(length: int, radius: int, tile_voxels: int, step: int) -> list[int]:
    """Lengths of transforms that give at least one step's voxels and no more than a tile or the box needs."""
    most = min(length, max(step, tile_voxels)) + 2 * radius
    fitting = [size for size in _SIZES if step + 2 * radius <= size <= most]
    larger = [size for size in _SIZES if size > most]
    return fitting + larger[:1]
