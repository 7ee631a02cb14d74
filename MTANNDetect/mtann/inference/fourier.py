"""A first layer by Fourier transforms: in the planes by multiplication of spectra, along z by direct summation.

The correlation theorem turns a kernel's ky x kx sums a voxel into one product a frequency. Along z the kernel's few
taps are summed directly, which makes of each frequency a matrix product (slices x taps and channels, times taps and
channels x units): that is where processors are fastest. Levels of any dilation share one transform back. What a
voxel costs hardly depends on the kernel's size.
"""

from collections.abc import Iterator, Sequence

import torch

from mtann.inference.layers import Place, ScanLayers, stays_exact

_REAL_UP_TO = 16
"""Up to so many taps and channels, real matrices of twice the size are multiplied faster than complex ones."""
_ERROR = 1.6e-6
"""Largest rounding error of a sum in a tile, as a share of the sums' deviation over the tile (measured)."""


class PlanarFourier:
    """A first layer for tiles of up to some size.

    Args:
        layers: The networks.
        size_yx: Length of the transforms; each tile and its halo must fit in.
        slices: How many slices are evaluated at once.
        device: Where to compute.
    """

    def __init__(self, layers: ScanLayers, size_yx: tuple[int, int], slices: int, device: torch.device | str) -> None:
        self._layers, self._size, self._slices = layers, size_yx, slices
        self._taps: list[tuple[int, int]] = []
        spectra = []
        for level in range(layers.levels):
            for offset, plane in _planes(layers, level, size_yx):
                self._taps.append((level, offset))
                # Conjugated: the kernel is not turned round, as it would be in a convolution.
                spectra.append(torch.fft.rfft2(plane).conj().to(device))
        # (frequencies, taps x channels, units)
        stacked = torch.stack(spectra).flatten(-2).permute(3, 0, 2, 1).flatten(1, 2)
        self._real = stacked.shape[1] <= _REAL_UP_TO
        self._filters = _as_real_matrices(stacked) if self._real else stacked.resolve_conj().contiguous()
        self._constant, self._bias = layers.answers_to_ones().to(device), layers.bias.to(device)

    def suits(self, blocks: Sequence[torch.Tensor]) -> bool:
        """Whether rounding errors stay small on this input, or are no larger than by direct summation."""
        return stays_exact(self._layers, blocks, _ERROR)

    def likelihoods(
        self, blocks: Sequence[torch.Tensor], tile_zyx: Sequence[int], strides: tuple[int, int, int]
    ) -> Iterator[tuple[Place, torch.Tensor]]:
        """A tile's likelihoods, some slices at a time: which voxel comes first, and (members, slices, y, x).

        Args:
            blocks: Each level's input (channels, z, y, x) under the tile, with a halo of the layers' radius.
            tile_zyx: The tile's size.
            strides: Give only each so manieth voxel along an axis.
        """
        spectra, base = self._spectra(blocks)
        depth, height, width = tile_zyx
        radius, step = self._layers.radius_zyx[0], strides[0]
        for first in range(0, depth, self._slices * step):
            last = min(first + self._slices * step, depth)
            taps = [spectra[level][:, first + radius + z : last + radius + z : step] for level, z in self._taps]
            planes = self._product(torch.cat(taps, dim=2)).permute(1, 2, 0).contiguous()
            planes = planes.view(*planes.shape[:2], self._size[0], self._size[1] // 2 + 1)
            lines = torch.fft.ifft(planes, dim=2)[:, :, :height]
            sums = torch.fft.irfft(lines, n=self._size[1], dim=3)[..., : height : strides[1], : width : strides[2]]
            shape = sums.shape
            answers = self._layers.finish((sums + base[:, None, None]).flatten(2))
            yield (first // step, 0, 0), answers.transpose(0, 1).reshape(answers.shape[1], -1, *shape[2:])

    def _spectra(self, blocks: Sequence[torch.Tensor]) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Each level's spectra (frequencies, z, channels), and the units' bias with their sums of the levels' means."""
        spectra, base = [], self._bias.clone()
        for block, constant in zip(blocks, self._constant, strict=True):
            # What is the same everywhere needs no transform, and would cost accuracy.
            mean = block.mean(dim=(1, 2, 3))
            base += constant @ mean
            spectrum = torch.fft.rfft2(block - mean[:, None, None, None], s=self._size)
            spectra.append(spectrum.flatten(2).permute(2, 1, 0).contiguous())
        return spectra, base

    def _product(self, spectra: torch.Tensor) -> torch.Tensor:
        if not self._real:
            return torch.bmm(spectra, self._filters)
        pairs = torch.bmm(torch.view_as_real(spectra).flatten(2), self._filters)
        return torch.view_as_complex(pairs.view(*pairs.shape[:2], -1, 2))


def _planes(layers: ScanLayers, level: int, size_yx: Sequence[int]) -> Iterator[tuple[int, torch.Tensor]]:
    """A level's kernels as planes (units, channels, y, x) by their place along z; empty ones are left out."""
    by_offset: dict[int, torch.Tensor] = {}
    _, middle_y, middle_x = layers.radius_zyx
    for kernel in layers.kernels:
        if kernel.level != level:
            continue
        radius, spread = kernel.radius_zyx, kernel.spread_zyx
        top, left = middle_y - radius[1], middle_x - radius[2]
        rows, columns = slice(top, top + 2 * radius[1] + 1, spread[1]), slice(left, left + 2 * radius[2] + 1, spread[2])
        for number, plane in enumerate(kernel.weight.unbind(2)):
            if bool(plane.any()):
                offset = number * spread[0] - radius[0]
                empty = plane.new_zeros(*plane.shape[:2], *size_yx)
                by_offset.setdefault(offset, empty)[:, :, rows, columns] += plane
    # Without any weight at all the sums are 0 all the same.
    yield from sorted(by_offset.items()) or [
        (0, layers.kernels[0].weight.new_zeros(layers.units, layers.channels, *size_yx))
    ]


def _as_real_matrices(filters: torch.Tensor) -> torch.Tensor:
    """Complex matrices as real ones of twice the size, for rows of alternating real and imaginary parts."""
    real, imaginary = filters.real, filters.imag
    upper = torch.stack([real, imaginary], dim=-1)
    lower = torch.stack([-imaginary, real], dim=-1)
    return torch.stack([upper, lower], dim=2).flatten(3).flatten(1, 2).contiguous()
