"""Overlapping regions as 3D Slicer keeps them: ``.seg.nrrd``, a component of each voxel a segment.

The format is NRRD with a list axis before the three of space, and fields that name the segments.
"""

import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mtann.errors import OutputError
from mtann.geometry import Geometry
from mtann.segmentation.colours import label_colour
from mtann.segmentation.result import SegmentedLabel

_HEADER = """NRRD0005
type: unsigned char
dimension: 4
space: left-posterior-superior
sizes: {sizes}
space directions: none {directions}
kinds: list domain domain domain
encoding: gzip
space origin: {origin}
{fields}

"""


def write_regions(labels: Sequence[SegmentedLabel], path: Path) -> None:
    """Write the masks of labels that have one.

    Raises:
        OutputError: The file could not be written.
    """
    masks = [label.mask for label in labels if label.mask is not None]
    geometry = masks[0].geometry
    voxels = np.stack([mask.array.astype(np.uint8) for mask in masks], axis=-1)
    header = _HEADER.format(
        sizes=" ".join(map(str, (len(masks), *geometry.size_xyz))),
        directions=" ".join(_vector(column) for column in geometry.matrix[:3, :3].T),
        origin=_vector(geometry.origin_lps_mm),
        fields="\n".join(_fields(labels, geometry)),
    )
    try:
        with path.open("wb") as file:
            file.write(header.encode("utf-8"))
            file.write(gzip.compress(voxels.tobytes(), compresslevel=1, mtime=0))
    except OSError as error:
        raise OutputError(
            f"'{path.name}' could not be written to '{path.parent}' ({error.strerror}). "
            "Check free disk space and permissions."
        ) from error


def _fields(labels: Sequence[SegmentedLabel], geometry: Geometry) -> list[str]:
    x, y, z = geometry.size_xyz
    lines = []
    for number, label in enumerate(labels):
        entries = {
            "ID": f"Segment_{number + 1}",
            "Name": label.name.replace("\n", " "),
            "Color": " ".join(f"{part / 255:.6f}" for part in label_colour(label.name, number)),
            "Layer": str(number),
            "LabelValue": "1",
            "Extent": f"0 {x - 1} 0 {y - 1} 0 {z - 1}",
        }
        lines += [f"Segment{number}_{key}:={value}" for key, value in entries.items()]
    return lines


def _vector(values: Sequence[float]) -> str:
    return "(" + ",".join(repr(float(value)) for value in values) + ")"
