"""Lesions as a user gives them: outlined in a label map, or marked as points."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mtann.errors import CasesError
from mtann.geometry import Geometry, Triple
from mtann.sampling.points import read_points
from mtann.volume import Volume
from mtann.volume_io import read_volume

DEFAULT_RADIUS_MM = 4.0
"""Radius of a point whose radius nobody gave or estimated."""
POINT_SUFFIXES = (".mrk.json", ".fcsv", ".csv")
_CONNECTIVITY_26 = np.ones((3, 3, 3), dtype=bool)


@dataclass(frozen=True)
class Lesion:
    """One annotated lesion.

    Attributes:
        centre_lps_mm: Its centre of mass, or the marked point.
        radius_mm: Radius of the sphere of equal volume, or as given with the point; None where nobody said.
        outline: Its voxels (uint8, 1 inside) on the annotation's grid, cropped with a margin of one voxel; None for a
            point.
    """

    centre_lps_mm: Triple
    radius_mm: float | None = None
    outline: Volume | None = field(default=None, repr=False)


def read_lesions(
    path: Path | str, values: Sequence[int] = (), keep_instances: bool = False, series: str | None = None
) -> tuple[Lesion, ...]:
    """Read a case's lesions from a label map, or points from ``.mrk.json``, ``.fcsv`` or CSV.

    Args:
        path: The file.
        values: Which label values are lesions; all non-zero ones if empty.
        keep_instances: Whether each label value is one lesion; else each 26-connected component is.
        series: Which DICOM series, by number or UID, where a folder holds several.

    Raises:
        CasesError: The points cannot be placed: unknown columns, or no stated coordinate system.
        ImageError: The label map cannot be read.
    """
    path = Path(path)
    if path.name.lower().endswith(POINT_SUFFIXES):
        points = read_points(path)
        return lesions_from_points(points.lps_mm, points.radii_mm)
    return lesions_from_label_map(read_volume(path, series), values, keep_instances)


def lesions_from_label_map(
    label_map: Volume, values: Sequence[int] = (), keep_instances: bool = False
) -> tuple[Lesion, ...]:
    """The lesions outlined in a label map.

    Raises:
        CasesError: The map does not hold whole numbers, so it is no label map.
    """
    array = label_map.array
    if np.issubdtype(array.dtype, np.floating) and not np.array_equal(array, np.round(array.astype(np.float64))):
        raise CasesError(
            f"'{label_map.name}' holds fractions and is no label map. Give a map with whole numbers, 0 outside lesions."
        )
    foreground = np.isin(array, list(values)) if values else array != 0
    if keep_instances:
        # Counted through, since values may be negative or huge.
        labels = np.zeros(array.shape, dtype=np.int64)
        labels[foreground] = np.unique(array[foreground], return_inverse=True)[1].ravel() + 1
    else:
        labels, _ = ndimage.label(foreground, structure=_CONNECTIVITY_26)
    lesions = []
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is not None:
            lesions.append(_outlined_lesion(labels, label, box, label_map))
    return tuple(lesions)


def _outlined_lesion(labels: npt.NDArray[np.int64], label: int, box: tuple[slice, ...], label_map: Volume) -> Lesion:
    start = [max(0, part.start - 1) for part in box]
    stop = [min(n, part.stop + 1) for part, n in zip(box, labels.shape, strict=True)]
    inside = labels[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))] == label
    geometry = label_map.geometry.cropped(start, stop)
    centre = geometry.lps_from_index(np.argwhere(inside).mean(axis=0))
    volume_mm3 = np.count_nonzero(inside) * geometry.voxel_volume_mm3
    radius_mm = float((3 * volume_mm3 / (4 * np.pi)) ** (1 / 3))
    outline = Volume(inside.astype(np.uint8), geometry, f"lesion {label} of {label_map.name}")
    return Lesion((float(centre[0]), float(centre[1]), float(centre[2])), radius_mm, outline)


def lesions_from_points(
    points_lps_mm: Sequence[Sequence[float]] | npt.NDArray[np.float64], radii_mm: Sequence[float | None] | None = None
) -> tuple[Lesion, ...]:
    """Lesions marked as points (n, 3) in LPS millimetres, with a radius each where known.

    Raises:
        CasesError: A coordinate is not finite or a radius is not positive.
    """
    points = np.asarray(points_lps_mm, dtype=np.float64).reshape(-1, 3)
    radii: Sequence[float | None] = [None] * len(points) if radii_mm is None else list(radii_mm)
    for number, (point, radius) in enumerate(zip(points, radii, strict=True), start=1):
        if not np.all(np.isfinite(point)) or (radius is not None and not (np.isfinite(radius) and radius > 0)):
            raise CasesError(
                f"Lesion point {number} has position {point.tolist()} and radius {radius}; "
                "finite millimetres and a positive radius are needed."
            )
    return tuple(
        Lesion((float(x), float(y), float(z)), radius) for (x, y, z), radius in zip(points, radii, strict=True)
    )


def check_inside(lesions: Sequence[Lesion], geometry: Geometry, case: str) -> None:
    """Make sure that every lesion's centre lies within the image.

    Raises:
        CasesError: One does not; most often the coordinate system or the pairing of files is wrong.
    """
    for number, lesion in enumerate(lesions, start=1):
        if not geometry.contains_index(geometry.index_from_lps(lesion.centre_lps_mm)):
            place = ", ".join(f"{value:.1f}" for value in lesion.centre_lps_mm)
            raise CasesError(
                f"Lesion {number} of case '{case}' lies at LPS ({place}) mm, outside the image. "
                "Check that image and lesions belong together and that the coordinate system (LPS or RAS) "
                "is stated rightly."
            )
