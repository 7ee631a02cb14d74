"""Preprocessed cases on the disk, memory-mapped, so that a patch costs the reading of a patch.

A case is a folder named by what went into it: ``image.npy`` (channels, then three axes in the network's order),
``labels.npy`` (label indices), ``previous.npy`` (label indices that the previous stage of a cascade found; if there is
one), ``places.npy`` (voxels to centre patches on) and ``case.json``. It is renamed into place when it is complete.
"""

import json
import os
import secrets
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mtann.errors import OutputError
from mtann.training.unet.labels import IndexMap, LabelTable

_MOST_PLACES = 10_000
"""Voxels kept to centre patches on, for each output."""

ANNOTATED = -1
"""Stands for an output in ``places.npy`` where a voxel is just any annotated one."""

FloatImage = npt.NDArray[np.float32]


@dataclass(frozen=True)
class StoredCase:
    """A preprocessed case.

    Attributes:
        case: Its name in the list of cases.
        directory: Where it lies.
    """

    case: str
    directory: Path

    @property
    def image(self) -> FloatImage:
        """Channels, then three axes; read from the disk as it is used."""
        image: FloatImage = self._array("image")
        return image

    @property
    def labels(self) -> IndexMap:
        """Label indices."""
        labels: IndexMap = self._array("labels")
        return labels

    @property
    def previous(self) -> IndexMap | None:
        """Label indices that the previous stage found, or None."""
        return self._array("previous") if (self.directory / "previous.npy").exists() else None

    @property
    def places(self) -> npt.NDArray[np.int32]:
        """Voxels (n, 4) to centre patches on: the output, or ``ANNOTATED``, and the three indices."""
        places: npt.NDArray[np.int32] = self._array("places")
        return places

    def _array(self, name: str) -> Any:
        return np.load(self.directory / f"{name}.npy", mmap_mode="r", allow_pickle=False)


def is_stored(directory: Path) -> bool:
    """Whether a complete case lies there."""
    return (directory / "case.json").is_file()


def store_case(
    directory: Path, case: str, image: FloatImage, labels: IndexMap, table: LabelTable, previous: IndexMap | None = None
) -> StoredCase:
    """Write a case; another process that writes the same one at the same time does no harm.

    Raises:
        OutputError: The disk is full or cannot be written.
    """
    work = directory.with_name(f".{directory.name}.partial-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        work.mkdir(parents=True)
        np.save(work / "image.npy", np.ascontiguousarray(image, dtype=np.float32))
        np.save(work / "labels.npy", np.ascontiguousarray(labels))
        if previous is not None:
            np.save(work / "previous.npy", np.ascontiguousarray(previous))
        np.save(work / "places.npy", find_places(labels, table))
        (work / "case.json").write_text(json.dumps({"schema_version": 1, "shape": list(labels.shape)}))
        with suppress(OSError):  # somebody else was quicker
            work.rename(directory)
        if not is_stored(directory):
            raise OutputError(f"'{directory}' is in the way and is no preprocessed case. Remove it, and run again.")
    except OSError as error:
        raise OutputError(
            f"The preprocessed case '{directory}' cannot be written ({error.strerror or error}). "
            "Free space or choose another output folder, and run again; what is complete is kept."
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return StoredCase(case, directory)


def find_places(labels: IndexMap, table: LabelTable) -> npt.NDArray[np.int32]:
    """Voxels to centre patches on: of each foreground output, and annotated ones where not all are."""
    random = np.random.default_rng(0)
    wanted = {output: table.covered(labels, output) for output in range(table.first_foreground, len(table.members))}
    if table.ignored is not None:
        wanted[ANNOTATED] = labels != table.ignored
    found = [np.empty((0, 4), dtype=np.int32)]
    for output, inside in wanted.items():
        voxels = np.argwhere(inside)
        if len(voxels) > _MOST_PLACES:
            voxels = voxels[random.choice(len(voxels), _MOST_PLACES, replace=False)]
        found.append(np.column_stack([np.full(len(voxels), output), voxels]).astype(np.int32))
    return np.concatenate(found)
