"""One configuration: patch size, stages and batch size that fit a memory budget, by nnU-Net's rules."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mtann.errors import SettingsError
from mtann.planning.memory import feature_values
from mtann.planning.plan import Architecture, Configuration, Normalisation
from mtann.planning.presets import Preset
from mtann.planning.topology import Topology, make_topology

FIRST_EDGE = {2: 2048, 3: 256}
"""Edge of the cube or square that a patch starts from, before it is cut to the cases and to the memory."""

FEATURES = 32
MOST_FEATURES = {2: 512, 3: 320}
REFERENCE_BATCH = {2: 12, 3: 2}
LEAST_BATCH = 2


@dataclass(frozen=True)
class Aim:
    """What all configurations of a plan share.

    Attributes:
        preset: Network and its reference memory.
        memory_gb: GPU memory to plan for.
        label_count: Labels that nnU-Net counts as outputs: background, every label, and the ignore label.
        normalisation: Of each channel.
        normalise_in_mask: Of each channel.
        cases: Number of cases.
    """

    preset: Preset
    memory_gb: float
    label_count: int
    normalisation: tuple[Normalisation, ...]
    normalise_in_mask: tuple[bool, ...]
    cases: int


@dataclass(frozen=True)
class Configured:
    """A configuration and why it is so."""

    configuration: Configuration
    reasons: tuple[str, ...]


def configure(name: str, spacing: Sequence[float], median_size: Sequence[float], voxels: float, aim: Aim) -> Configured:
    """Plan one configuration.

    Args:
        name: Its name.
        spacing: Of its grid, in the network's order of axes.
        median_size: Median size of the cases on that grid.
        voxels: Voxels of the whole data set on that grid, about.
        aim: What is planned for.

    Raises:
        SettingsError: Nothing fits the memory.
    """
    dimensions = len(spacing)
    budget = (aim.preset.values_2d if dimensions == 2 else aim.preset.values_3d) * aim.memory_gb / aim.preset.memory_gb
    topology, values, shrunk = _fit(spacing, median_size, budget, aim)
    fitting = round(budget / values * REFERENCE_BATCH[dimensions])
    share = round(voxels * aim.preset.largest_share / math.prod(topology.patch_size))
    batch_size = max(min(fitting, share), LEAST_BATCH)
    configuration = Configuration(
        name=name,
        spacing=tuple(map(float, spacing)),
        median_size=tuple(max(1, round(float(size))) for size in median_size),
        patch_size=topology.patch_size,
        batch_size=batch_size,
        normalisation=aim.normalisation,
        normalise_in_mask=aim.normalise_in_mask,
        batch_dice=dimensions == 2,
        architecture=_architecture(topology, aim.preset, dimensions),
    )
    reasons = (
        _patch_reason(configuration, shrunk, aim),
        _batch_reason(name, fitting, share, aim.preset.largest_share),
    )
    return Configured(configuration, reasons)


def _fit(spacing: Sequence[float], median_size: Sequence[float], budget: float, aim: Aim) -> tuple[Topology, int, int]:
    """Stages that fit the budget, their feature-map values, and how often the patch was made smaller."""
    dimensions = len(spacing)
    allowed = budget * REFERENCE_BATCH[dimensions] / LEAST_BATCH if aim.preset.fills_with_two else budget

    def values_of(topology: Topology) -> int:
        return feature_values(_architecture(topology, aim.preset, dimensions), aim.label_count, topology.patch_size)

    topology = make_topology(spacing, _first_patch(spacing, median_size))
    shrunk = 0
    while values_of(topology) > allowed:
        patch = list(topology.patch_size)
        # The axis that is largest beside the cases gives way first.
        axis = int(np.argsort([size / whole for size, whole in zip(patch, median_size, strict=True)])[-1])
        # A smaller patch may be halved less often, which allows a smaller step.
        smaller = patch.copy()
        smaller[axis] -= topology.multiples[axis]
        patch[axis] -= make_topology(spacing, smaller).multiples[axis]
        if patch[axis] < 1:
            raise SettingsError(
                f"{aim.memory_gb:g} GB of memory are too little for any patch of this network. Give more (--memory-gb)."
            )
        topology = make_topology(spacing, patch)
        shrunk += 1
    return topology, values_of(topology), shrunk


def _first_patch(spacing: Sequence[float], median_size: Sequence[float]) -> list[float]:
    """A patch as long in mm along every axis, no larger than the median case."""
    inverse = 1 / np.array(spacing, dtype=np.float64)
    dimensions = len(spacing)
    scale = (FIRST_EDGE[dimensions] ** dimensions / np.prod(inverse)) ** (1 / dimensions)
    return [min(float(round(size)), float(whole)) for size, whole in zip(inverse * scale, median_size, strict=True)]


def _architecture(topology: Topology, preset: Preset, dimensions: int) -> Architecture:
    return Architecture(
        network=preset.network,
        features=tuple(min(MOST_FEATURES[dimensions], FEATURES * 2**stage) for stage in range(topology.stages)),
        kernel_sizes=topology.kernel_sizes,
        strides=topology.strides,
        encoder_blocks=preset.encoder_blocks[: topology.stages],
        decoder_convolutions=preset.decoder_convolutions[: topology.stages - 1],
    )


def _patch_reason(configuration: Configuration, shrunk: int, aim: Aim) -> str:
    patch, median = (" x ".join(map(str, sizes)) for sizes in (configuration.patch_size, configuration.median_size))
    memory = f"{aim.memory_gb:g} GB of GPU memory"
    made = f"that was made smaller in {shrunk} step(s), each along the axis largest beside the median case, to fit"
    return (
        f"{configuration.name}: the patch is {patch} voxels. It starts with equal lengths in mm, but no larger than "
        f"the median case ({median}); {made if shrunk else 'and that fits'} {memory}. "
        f"The network has {len(configuration.architecture.features)} stages: an axis is halved as long as at least 4 "
        "voxels are left of it and its spacing is within a factor of 2 of the finest."
    )


def _batch_reason(name: str, fitting: int, share: int, largest_share: float) -> str:
    chosen = max(min(fitting, share), LEAST_BATCH)
    limit = f"Memory allows {fitting}"
    if share < fitting:
        limit += f", but a batch should hold no more than {largest_share:.0%} of the data set's voxels"
    least = f", though never fewer than {LEAST_BATCH} patches" if min(fitting, share) < LEAST_BATCH else ""
    return f"{name}: the batch size is {chosen}. {limit}{least}."
