"""Small studies with known truth: boxes on a grid of 1 mm, and points."""

from collections.abc import Sequence

import numpy as np

from mtann.evaluation.study import Found, StudyCase
from mtann.geometry import Geometry
from mtann.sampling.lesions import Lesion, lesions_from_label_map
from mtann.volume import Volume

GRID = Geometry((12, 20, 20), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]


def mask_of(boxes: Sequence[Box], grid: Geometry = GRID) -> Volume:
    """A label map with 1 within boxes, each given by first and last-but-one voxel along z, y, x."""
    array = np.zeros(grid.shape_zyx, np.uint8)
    for (z0, z1), (y0, y1), (x0, x1) in boxes:
        array[z0:z1, y0:y1, x0:x1] = 1
    return Volume(array, grid, "boxes")


def lesions_of(boxes: Sequence[Box], grid: Geometry = GRID) -> tuple[Lesion, ...]:
    """One lesion a box."""
    return tuple(lesion for box in boxes for lesion in lesions_from_label_map(mask_of([box], grid)))


def points(*places: tuple[float, float, float], radius: float = 2.0) -> tuple[Lesion, ...]:
    return tuple(Lesion(place, radius) for place in places)


def found(*entries: tuple[float, float, float, float], threshold: float = 0.5, probability: float | None = None):
    """Candidates as x, y, z, score; reported from the threshold on."""
    return tuple(Found((x, y, z), 2.0, None, score, score >= threshold, probability) for x, y, z, score in entries)


def case(name: str, lesions=(), candidates=(), patient: str | None = None, **more) -> StudyCase:
    return StudyCase(name, patient or name, tuple(candidates), tuple(lesions), **more)


def boxed(name: str, predicted: Sequence[Box], true: Sequence[Box], grid: Geometry = GRID, **more) -> StudyCase:
    """A case of label maps."""
    candidates = [Found(one.centre_lps_mm, one.radius_mm, one.outline) for one in lesions_of(predicted, grid)]
    maps = {"found_map": lambda: mask_of(predicted, grid), "lesion_map": lambda: mask_of(true, grid)}
    return case(name, lesions_of(true, grid), candidates, **maps, **more)
