"""First layers whose units' kernels depend on each other: fewer kernels give the same sums.

With many units, or few inputs, each kernel is a mixture of some basis. Then only the basis is correlated with the
volume, and a small matrix makes the units' sums of it.
"""

from dataclasses import replace

import torch

from mtann.inference.layers import LevelKernel, ScanLayers

_EXACT = 3e-7
"""Singular values below this share of the largest are nothing but float32's rounding."""
_WORTHWHILE = 0.8


def reduce_rank(layers: ScanLayers) -> ScanLayers:
    """Layers that answer alike with as few kernels as give the same sums; as they are if that saves little."""
    stacked = torch.cat([kernel.weight.flatten(1) for kernel in layers.kernels], dim=1).double()
    mixing, strength, basis = torch.linalg.svd(stacked, full_matrices=False)
    rank = max(1, int((strength > _EXACT * strength[0]).sum()))
    if rank > _WORTHWHILE * layers.units:
        return layers
    matrix = (mixing[:, :rank] * strength[:rank]).float()
    parts = basis[:rank].float().split([kernel.weight[0].numel() for kernel in layers.kernels], dim=1)
    kernels = tuple(
        LevelKernel(kernel.level, kernel.dilation, part.reshape(rank, *kernel.weight.shape[1:]).contiguous())
        for kernel, part in zip(layers.kernels, parts, strict=True)
    )

    def finish(sums: torch.Tensor) -> torch.Tensor:
        return layers.finish(torch.matmul(matrix, sums).add_(layers.bias[:, None]))

    none = layers.bias.new_zeros(rank)
    slope = layers.slope * float(strength[0])
    return replace(layers, kernels=kernels, units=rank, bias=none, finish=finish, slope=slope)
