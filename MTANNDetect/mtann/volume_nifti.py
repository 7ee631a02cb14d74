"""What ITK does not check in a NIfTI file: that all of it is there, and that its voxels are numbers.

ITK's reader fills what is missing at the end with zeros, and turns NaN and infinity into zero, both without a word.
"""

import gzip
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from mtann.errors import ImageError

_CHUNK = 1 << 20
_HEADER, _NIFTI_1, _NIFTI_2 = 352, 348, 540
_FLOAT_TYPES = {16: "f4", 64: "f8"}


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class _Header:
    """Where the voxels are: first byte, length in bytes, and numpy type if they are floating point."""

    offset: int
    voxel_bytes: int
    float_type: str | None


def check_nifti(path: Path) -> None:
    """Make sure that a NIfTI-1 file holds every voxel that its header promises, each a finite number.

    Raises:
        ImageError: It is truncated, not NIfTI-1, or has NaN or infinite voxels.
    """
    opener = gzip.open if path.name.lower().endswith(".gz") else open
    try:
        with opener(path, "rb") as file:
            header = _read_header(file, path.name)
            length, broken = _read_voxels(file, header)
    except (OSError, EOFError, zlib.error) as error:
        raise ImageError(f"'{path.name}' is not a complete NIfTI file ({error}). Copy or export it again.") from error
    promised = header.offset + header.voxel_bytes
    if length < promised:
        raise ImageError(
            f"'{path.name}' is truncated: {length} bytes of {promised} are there. Copy or export it again."
        )
    if broken:
        raise ImageError(
            f"'{path.name}' has {broken} voxels that are not finite numbers (NaN or infinity). Find out where they "
            "come from, and replace them, for example by the background value, first."
        )


def _read_header(file: _Readable, name: str) -> _Header:
    header = file.read(_HEADER)
    for order in ("<", ">"):
        size = struct.unpack_from(order + "i", header)[0] if len(header) >= _NIFTI_1 else 0
        if size == _NIFTI_2:
            raise ImageError(
                f"'{name}' is a NIfTI-2 file, which cannot be read. Save it as NIfTI-1, NRRD or MetaImage."
            )
        if size != _NIFTI_1:
            continue
        dims = struct.unpack_from(order + "8h", header, 40)
        kind, bits = struct.unpack_from(order + "2h", header, 70)
        offset = struct.unpack_from(order + "f", header, 108)[0] if header[344:347] == b"n+1" else 0.0
        if math.isfinite(offset):
            voxels = math.prod(max(1, n) for n in dims[1 : 1 + max(0, min(7, dims[0]))])
            float_type = order + _FLOAT_TYPES[kind] if kind in _FLOAT_TYPES else None
            return _Header(max(int(offset), _HEADER), voxels * bits // 8, float_type)
    raise ImageError(
        f"'{name}' is not a NIfTI file although its name says so. Give it the right ending, or export it again."
    )


def _read_voxels(file: _Readable, header: _Header) -> tuple[int, int]:
    """Length of the file in bytes, and how many of its voxels are not finite."""
    length = _HEADER
    # A damaged header may promise more than memory holds, or than a number of bytes can be.
    while block := file.read(min(_CHUNK, header.offset - length)):
        length += len(block)
    left, broken = header.voxel_bytes, 0
    while block := file.read(_CHUNK):
        length += len(block)
        if header.float_type:
            # A chunk holds whole voxels, except where the file breaks off.
            size = np.dtype(header.float_type).itemsize
            part = block[: min(len(block), left) // size * size]
            broken += int(np.count_nonzero(~np.isfinite(np.frombuffer(part, header.float_type))))
        left = max(0, left - len(block))
    return length, broken
