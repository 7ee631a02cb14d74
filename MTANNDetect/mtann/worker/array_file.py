"""Arrays in .npy files: written slab by slab without a second copy in memory, read by memory mapping."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]


def write_array(path: Path, array: Array) -> None:
    """Write an array. Slabs that hold only zeros become holes, so that label maps and masks take little space.

    Raises:
        OSError: The file exists already, or cannot be written.
        TypeError: The array holds objects.
    """
    if array.dtype.hasobject:
        raise TypeError("An array of objects cannot be sent to or from the worker.")
    header = {"descr": np.lib.format.dtype_to_descr(array.dtype), "fortran_order": False, "shape": array.shape}
    with path.open("xb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        end = file.tell() + array.nbytes
        for slab in array if array.ndim > 1 else array[None]:
            if np.any(slab):
                file.write(np.ascontiguousarray(slab).tobytes() if slab.ndim == 0 else np.ascontiguousarray(slab).data)
            else:
                file.seek(slab.nbytes, 1)
        file.truncate(end)


def read_array(path: Path) -> Array:
    """Map an array into memory, read-only.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is no .npy file, is cut short, or holds objects.
    """
    with path.open("rb") as file:
        np.lib.format.read_magic(file)
        shape, _order, dtype = np.lib.format.read_array_header_1_0(file)
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        if dtype.hasobject:
            raise ValueError("it holds objects")
        if path.stat().st_size < file.tell() + size:
            # Reading beyond the end of a mapped file would kill the process.
            raise ValueError(f"it is cut short: {path.stat().st_size} bytes of {file.tell() + size}")
    array: Array = np.load(path, mmap_mode="r" if size else None, allow_pickle=False)
    return array
