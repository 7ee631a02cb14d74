"""Lungs in a CT: air that is not outside the patient, with what lies in it and against its wall."""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mtann.geometry import Triple
from mtann.progress import Run

FloatVolume = npt.NDArray[np.float32]
BoolVolume = npt.NDArray[np.bool_]

AIR_HU = -400.0
LEAST_LUNG_MM3 = 2e4
_OUTSIDE_HU = -930.0
"""Air about the patient has a median below this; lungs, which hold blood and tissue, one above (all but emphysema)."""
_WORKING_MM = 2.0
"""Lungs are found on voxels of about this size, which is fine enough for a mask and quick on a whole chest."""


def find_lungs(
    array: FloatVolume, spacing_zyx_mm: Triple, closing_mm: float, margin_mm: float = 0.0, run: Run | None = None
) -> BoolVolume:
    """The lungs (z, y, x) of a CT in Hounsfield units; nothing where there are none.

    Components of air of at least 20 ml, but for those that touch an edge of the image and are as empty as the air about
    a patient; a lung that an image cuts is kept. The wind-pipe may be among them. Then gaps of up to twice
    ``closing_mm`` are closed, since vessels and nodules at the wall are lung; a margin is added, and holes are filled.
    """
    run = run or Run()
    steps = [max(1, int(_WORKING_MM / spacing)) for spacing in spacing_zyx_mm]
    coarse = array[tuple(slice(None, None, step) for step in steps)]
    spacing = np.array(spacing_zyx_mm) * steps
    lungs = _air_inside(coarse, spacing)
    run.check()
    if lungs.any():
        lungs = _closed(lungs, spacing, closing_mm, margin_mm, run)
    for axis, step in enumerate(steps):
        lungs = np.repeat(lungs, step, axis)
    z, y, x = array.shape
    return np.asarray(lungs[:z, :y, :x])


def _air_inside(array: FloatVolume, spacing_zyx_mm: npt.NDArray[np.float64]) -> BoolVolume:
    labels, _ = ndimage.label(array < AIR_HU)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    kept = sizes * spacing_zyx_mm.prod() >= LEAST_LUNG_MM3
    inner = labels.copy()
    # The first and last slice of the thinnest axis cut the lungs of any slab; its other faces show what is outside.
    across = int(np.argmin(labels.shape))
    inner[tuple(slice(None) if axis == across else slice(1, -1) for axis in range(3))] = 0
    for label in np.unique(inner):
        if kept[label]:
            kept[label] = np.median(array[labels == label]) > _OUTSIDE_HU
    return np.asarray(kept[labels])


def _closed(
    lungs: BoolVolume, spacing: npt.NDArray[np.float64], closing_mm: float, margin_mm: float, run: Run
) -> BoolVolume:
    """Grow in distances, shrink nearly as much, fill holes slice by slice; edges of the image are no border."""
    (box,) = ndimage.find_objects(lungs.astype(np.uint8))
    reach = np.ceil(closing_mm / spacing).astype(int) + 1
    wide = tuple(
        slice(max(0, part.start - n), min(length, part.stop + n))
        for part, n, length in zip(box, reach, lungs.shape, strict=True)
    )
    grown = ndimage.distance_transform_edt(~lungs[wide], sampling=spacing) <= closing_mm
    run.check()
    closed = lungs.copy()
    closed[wide] |= ndimage.distance_transform_edt(grown, sampling=spacing) > closing_mm - margin_mm
    run.check()
    filled = closed.copy()
    for axis in range(3):
        for plane, target in zip(np.moveaxis(closed, axis, 0), np.moveaxis(filled, axis, 0), strict=True):
            target |= ndimage.binary_fill_holes(plane)
    return np.asarray(filled)
