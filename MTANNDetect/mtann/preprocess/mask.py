"""Where tissue is: the mask within which intensities are measured, negatives drawn and candidates sought."""

from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mtann.errors import ImageError
from mtann.geometry import Triple
from mtann.preprocess.lungs import find_lungs
from mtann.progress import Run

MaskKind = Literal["brain", "body", "lung", "everything"]
"""How a model finds tissue where no mask is given: voxels that differ from a constant background (a skull-stripped
brain), a thresholded body, the lungs of a CT, or the whole image."""

FloatVolume = npt.NDArray[np.float32]
BoolVolume = npt.NDArray[np.bool_]

_LEAST_BACKGROUND = 0.05
"""Share of voxels that must hold exactly the background value for an image to count as masked (skull-stripped)."""
_CT_TISSUE_HU = -500.0
_LEAST_BODY = 0.1
"""Share of the image that a body fills at least; less is a bright spot in a body."""
_MOST_BODY_AT_EDGE = 0.1
"""Share of an outer face that a body may touch for the face to lie in the background."""
_ENOUGH_VOXELS = 128
"""Of an axis with more, every second or third voxel is enough to tell a body from its background."""
_LUNG_CLOSING_MM = 10.0
_LUNG_MARGIN_MM = 2.0
"""Nodules against the wall up to about twice the closing count as lung; so do the vessels at its root."""
_DARK = 0.25
"""Background is this dark at most, between the image's lowest value (0) and the body's median (1)."""


def background_value(array: npt.NDArray[np.generic]) -> float | None:
    """The constant that fills the outside of a masked image; None if the image is not masked.

    An image is masked if one value, found at its corners, fills at least 5 % of it and is its lowest.
    """
    lowest = array.min()
    corners = array[:: max(1, array.shape[0] - 1), :: max(1, array.shape[1] - 1), :: max(1, array.shape[2] - 1)]
    constant = np.count_nonzero(corners == lowest) > corners.size // 2
    share = np.count_nonzero(array == lowest) / array.size
    return float(lowest) if constant and share >= _LEAST_BACKGROUND else None


def has_dark_background(array: FloatVolume) -> bool:
    """Whether an image that is not CT shows a body (z, y, x) with dark background round it.

    Otsu's method divides any image in two. The division is believed if its bright part is large, its dark part is dark,
    and the outer faces lie in the dark: those across two axes at least, since a body may leave the image along the
    third, and in a single slice those across both.
    """
    array = array[tuple(slice(None, None, -(-size // _ENOUGH_VOXELS)) for size in array.shape)]
    if array.min() == array.max():
        return False
    body = _body(array, _otsu(array), Run())
    if body.all() or body.mean() < _LEAST_BODY:
        return False
    lowest = float(array.min())
    if float(array[~body].mean()) - lowest > _DARK * (float(np.median(array[body])) - lowest):
        return False
    axes = [axis for axis in range(3) if array.shape[axis] > 1]
    dark = [float(np.take(body, (0, -1), axis).mean()) <= _MOST_BODY_AT_EDGE for axis in axes]
    return len(axes) > 1 and sum(dark) >= 2


def choose_mask_kind(array: npt.NDArray[np.generic], is_ct: bool) -> MaskKind:
    """The kind of mask that suits a training image."""
    if is_ct:
        return "body"
    if background_value(array) is not None:
        return "brain"
    return "body" if has_dark_background(np.asarray(array, dtype=np.float32)) else "everything"


def make_mask(
    array: FloatVolume,
    kind: MaskKind,
    is_ct: bool = False,
    run: Run | None = None,
    spacing_zyx_mm: Triple = (1.0, 1.0, 1.0),
) -> BoolVolume:
    """Find tissue in an image (z, y, x).

    Args:
        array: Intensities before normalisation; Hounsfield units if ``is_ct``.
        kind: See :data:`MaskKind`. For "brain", an image without constant background is taken whole.
        is_ct: Whether to threshold at -500 HU instead of by Otsu's method for "body".
        run: Asked whether to stop.
        spacing_zyx_mm: Distances between voxels, which "lung" needs.

    Raises:
        ImageError: No tissue was found, or lungs are sought in an image that is no CT.
        CancelledError: The user asked to stop.
    """
    run = run or Run()
    if kind == "everything":
        return np.ones(array.shape, dtype=bool)
    if kind == "lung":
        return _lungs(array, spacing_zyx_mm, is_ct, run)
    if kind == "brain":
        background = background_value(array)
        mask = np.ones(array.shape, dtype=bool) if background is None else _fill(array != background, run)
    else:
        mask = _body(array, _CT_TISSUE_HU if is_ct else _otsu(array), run)
    if not mask.any():
        raise ImageError("No tissue was found in the image. Check it, or give a mask.")
    return mask


def _lungs(array: FloatVolume, spacing_zyx_mm: Triple, is_ct: bool, run: Run) -> BoolVolume:
    if not is_ct:
        raise ImageError("Lungs can be found in a CT only, whose values are Hounsfield units. Give a mask.")
    lungs = find_lungs(array, spacing_zyx_mm, _LUNG_CLOSING_MM, _LUNG_MARGIN_MM, run)
    if not lungs.any():
        raise ImageError(
            "No lung was found in the image: no part of at least 20 ml within the body is as dark as air. "
            "Check that it is a chest CT in Hounsfield units, or give a mask."
        )
    return lungs


def _body(array: FloatVolume, threshold: float, run: Run) -> BoolVolume:
    """Largest component above a threshold, with the air inside it (lungs, sinuses) filled slice by slice."""
    labels, count = ndimage.label(array > threshold)
    if count == 0:
        return np.zeros(array.shape, dtype=bool)
    run.check()
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return _fill(labels == sizes.argmax(), run)


def _fill(mask: BoolVolume, run: Run) -> BoolVolume:
    """Fill what is closed within a slice of any of the three directions.

    A slab's lungs are open at its ends, so filling in three dimensions would miss them; and which array axis runs along
    the patient depends on how the image is stored.
    """
    filled = mask.copy()
    for axis in range(3):
        for plane, target in zip(np.moveaxis(mask, axis, 0), np.moveaxis(filled, axis, 0), strict=True):
            run.check()
            target |= ndimage.binary_fill_holes(plane)
    return filled


def _otsu(array: FloatVolume) -> float:
    """Otsu's threshold (IEEE Trans SMC 9:62, 1979) on a 256-bin histogram; in the middle of a gap between classes."""
    counts, edges = np.histogram(array, bins=256)
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sum_below = np.cumsum(counts * centres)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sum_below / below - (sum_below[-1] - sum_below) / above) ** 2
    # A cut after a bin lies at its upper edge. Within a gap all cuts are equally good.
    best = np.flatnonzero(between[:-1] == np.nanmax(between[:-1]))
    return float(edges[1 + (best[0] + best[-1]) // 2])
