"""Networks to scan, and the definition that a scan is held against: one subvolume a voxel."""

import numpy as np
import torch

from mtann.inference.plan import depth_plans, direct_plan, planar_plans
from mtann.networks.mtann import MTANN
from mtann.sampling.subvolumes import gather
from mtann.settings import NetworkSettings

PARITY = 1e-5


def random_network(shape: NetworkSettings, channels: int, seed: int) -> MTANN:
    torch.manual_seed(seed)
    network = MTANN(shape, channels, seeds=(seed, seed + 1))
    with torch.no_grad():
        network.first_bias.uniform_(-1, 1)
        network.mean.uniform_(-1, 1)
        network.deviation.uniform_(0.5, 2)
    return network


def voxel_by_voxel(network: MTANN, channels: list[np.ndarray]) -> np.ndarray:
    where = np.argwhere(np.ones(channels[0].shape, dtype=bool))
    with torch.inference_mode():
        inputs = torch.from_numpy(gather(channels, where, network.settings))
        return network(inputs[None]).numpy().reshape(network.members, *channels[0].shape)


def by_fourier(parts, size, tile_voxels, strides, how):
    return min(planar_plans(parts[0], size, tile_voxels, strides), key=lambda plan: plan.cost_ns)


def along_z(parts, size, tile_voxels, strides, how):
    """By Fourier transforms along z, which kernels of one slice do not have."""
    plans = depth_plans(parts[0], size, tile_voxels, strides)
    return min(plans, key=lambda plan: plan.cost_ns) if plans else directly(parts, size, tile_voxels, strides, how)


def directly(parts, size, tile_voxels, strides, how):
    return direct_plan(parts[0], size, tile_voxels, strides)
