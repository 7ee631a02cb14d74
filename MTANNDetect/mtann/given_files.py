"""Reading the candidates of any detector: a result of ours, points, or a label map such as nnU-Net writes."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mtann.detection.given import GivenCandidate, given_from
from mtann.errors import CasesError
from mtann.models.provenance import hash_places
from mtann.report.documents import read_candidates
from mtann.report.save import RESULT_FOLDER
from mtann.sampling.lesions import POINT_SUFFIXES, Lesion, lesions_from_label_map, lesions_from_points
from mtann.sampling.points import read_points
from mtann.volume_io import read_volume

_OUTLINES = "candidates.nii.gz"


def read_given(
    path: Path | str, values: Sequence[int] = (), keep_instances: bool = False, series: str | None = None
) -> tuple[GivenCandidate, ...]:
    """Read candidates from a file, by its kind.

    * ``candidates.json`` of a result: id, score and centroid; outlines from ``candidates.nii.gz`` beside it, without it
      spheres of the same volume.
    * ``.mrk.json``, ``.fcsv`` or CSV: points, numbered by row; from CSV also ``radius_mm`` and ``score``.
    * Any image: a label map, whose connected components (26 neighbours) are numbered, or each of whose values is one
      candidate.

    Args:
        path: The file, or a folder with a DICOM series that is a label map.
        values: Which values of a label map are candidates; all but 0 if empty.
        keep_instances: Whether each value of a label map is one candidate.
        series: Which DICOM series, by number or UID, where a folder holds several.

    Raises:
        MTANNError: The file cannot be read or its candidates cannot be placed; the message says why.
    """
    path = Path(path)
    name = path.name.lower()
    if name.endswith(POINT_SUFFIXES):
        points = read_points(path)
        return given_from(lesions_from_points(points.lps_mm, points.radii_mm), scores=points.scores)
    if name.endswith(".json"):
        return _from_result(path)
    label_map = read_volume(path, series)
    places = lesions_from_label_map(label_map, values, keep_instances)
    if not keep_instances:
        return given_from(places)
    present = np.unique(label_map.array).astype(np.int64).tolist()
    return given_from(places, [value for value in present if (value in values if values else value)])


def _from_result(path: Path) -> tuple[GivenCandidate, ...]:
    candidates = read_candidates(path)
    outlines: dict[int, GivenCandidate] = {}
    beside = path.parent / _OUTLINES
    if path.name == RESULT_FOLDER.marker and beside.is_file():
        outlines = {one.id: one for one in read_given(beside, keep_instances=True)}
        known = {candidate.id for candidate in candidates}
        if not outlines.keys() <= known:
            raise CasesError(
                f"'{_OUTLINES}' beside '{path.name}' holds candidates that '{path.name}' does not: "
                "they are of different results. Copy the whole result folder again."
            )
    places = []
    for candidate in candidates:
        radius_mm = float(np.cbrt(3 * candidate.volume_mm3 / (4 * np.pi))) or None
        outline = outlines[candidate.id].outline if candidate.id in outlines else None
        places.append(Lesion(candidate.centroid_lps_mm, radius_mm, outline))
    return given_from(places, [one.id for one in candidates], [one.score for one in candidates])


def hash_given(candidates: Sequence[GivenCandidate]) -> str:
    """SHA-256 of candidates: places, sizes, outlines, ids and scores."""
    told = repr([(one.id, one.score) for one in candidates])
    return hashlib.sha256((hash_places(candidates) + told).encode()).hexdigest()
