"""The bias field of MR: the slow change of brightness that the scanner's coils cause."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from scipy.interpolate import make_interp_spline

from mtann.errors import ImageError
from mtann.preprocess.normalise import require_contrast
from mtann.preprocess.steps import BiasCorrection
from mtann.progress import Run

FloatVolume = npt.NDArray[np.float32]
BoolVolume = npt.NDArray[np.bool_]

_SPLINE_ORDER = 3
_FEWEST_SAMPLES = 16
"""An axis is not thinned out below this many samples."""
_FEWEST_IN_TISSUE = 100
"""Fewer samples than this in the tissue do not tell a field."""
_MOST_NEGATIVE = 0.01
"""Share of negative tissue voxels from which an image cannot be what N4 takes: magnitudes, which are positive."""


def bias_field(
    image: FloatVolume,
    mask: BoolVolume,
    spacing_zyx_mm: Sequence[float],
    how: BiasCorrection,
    name: str,
    run: Run,
) -> FloatVolume:
    """The factor (z, y, x) by which a channel is too bright, by N4 (Tustison et al., IEEE TMI 29:1310, 2010).

    The field is fitted to thinned-out samples of the tissue and brought back to every voxel by cubic interpolation. Its
    geometric mean over the tissue is 1, so that dividing by it keeps the image's level.

    SimpleITK's N4 does not heed a request to abort, so it is run an iteration at a time: each fits what is left of the
    field in the image corrected so far, as N4 itself does from one iteration to the next.

    Raises:
        ImageError: Tissue is negative, as in CT or after another step, there is hardly any, it has one value only, or
            the image is a single line.
        CancelledError: The user asked to stop; asked at every iteration.
    """
    _check(image, mask, name)
    # A single slice is corrected in two dimensions.
    solid = tuple(0 if size == 1 else slice(None) for size in image.shape)
    spacing = [mm for mm, size in zip(spacing_zyx_mm, image.shape, strict=True) if size > 1]
    flat, tissue = image[solid], mask[solid]
    thin = [
        max(1, min(round(how.fit_spacing_mm / mm), size // _FEWEST_SAMPLES))
        for mm, size in zip(spacing, flat.shape, strict=True)
    ]
    samples = tuple(slice(step // 2, None, step) for step in thin)
    extent_mm = [mm * size for mm, size in zip(spacing, flat.shape, strict=True)]
    log_field = _fit(flat[samples], tissue[samples] & (flat[samples] > 0), extent_mm, how, name, run)
    for axis, (part, size) in enumerate(zip(samples, flat.shape, strict=True)):
        run.check()
        log_field = _interpolate(log_field, axis, np.arange(size)[part], size)
    field: FloatVolume = np.exp(log_field - log_field[tissue].mean()).reshape(image.shape)
    return field


def _check(image: FloatVolume, mask: BoolVolume, name: str) -> None:
    negative = np.count_nonzero(image[mask] < 0) / np.count_nonzero(mask)
    if negative > _MOST_NEGATIVE:
        raise ImageError(
            f"Bias correction (n4) needs positive intensities, as MR has them; {negative:.0%} of the tissue of "
            f"'{name}' is negative. Leave n4 out for this channel, or put it before the other steps."
        )
    if sum(size > 1 for size in image.shape) < 2:
        raise ImageError(
            f"Bias correction (n4) needs an image of two or three dimensions; '{name}' has {image.shape} voxels. "
            "Leave n4 out for this channel."
        )


def _fit(
    image: FloatVolume, tissue: BoolVolume, extent_mm: Sequence[float], how: BiasCorrection, name: str, run: Run
) -> FloatVolume:
    """The logarithm of the field at the samples."""
    if np.count_nonzero(tissue) < _FEWEST_IN_TISSUE:
        raise ImageError(
            f"Bias correction (n4) needs {_FEWEST_IN_TISSUE} samples of bright tissue; '{name}' has "
            f"{np.count_nonzero(tissue)} at a spacing of {how.fit_spacing_mm:g} mm. "
            "Lower fit_spacing_mm, or leave n4 out for this channel."
        )
    require_contrast(image[tissue], name)
    n4 = sitk.N4BiasFieldCorrectionImageFilter()
    n4.SetMaximumNumberOfIterations([1])
    n4.SetConvergenceThreshold(0.0)
    where = sitk.GetImageFromArray(tissue.astype(np.uint8))
    log_field = np.zeros(image.shape, np.float32)
    for level in range(how.levels):
        knot_mm = how.knot_mm * 2 ** (how.levels - 1 - level)
        spans = [max(1, round(mm / knot_mm)) for mm in extent_mm]
        n4.SetNumberOfControlPoints([span + _SPLINE_ORDER for span in reversed(spans)])
        for iteration in range(how.iterations):
            done = (level + iteration / how.iterations) / how.levels
            run.report("prepare", done, f"Estimating the bias field of channel {name}")
            corrected = sitk.GetImageFromArray(image * np.exp(-log_field))
            n4.Execute(corrected, where)
            change = sitk.GetArrayFromImage(n4.GetLogBiasFieldAsImage(corrected))
            log_field += change
            factor = np.exp(change[tissue])
            if factor.std() < how.convergence * factor.mean():
                break
    return log_field


def _interpolate(values: FloatVolume, axis: int, places: npt.NDArray[np.int64], size: int) -> FloatVolume:
    """Values at some voxels of an axis, brought to all by a cubic spline; beyond the first and last, they are kept."""
    if len(places) == size:
        return values
    spline = make_interp_spline(places, values, k=3, axis=axis)
    every: FloatVolume = spline(np.arange(size).clip(places[0], places[-1])).astype(np.float32)
    return every
