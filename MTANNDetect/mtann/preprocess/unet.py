"""From a case's images to what a U-Net sees, in nnU-Net's order: transpose, crop to non-zero, normalise, resample.

(Isensee et al., Nat Methods 18:203, 2021.) Sizes and spacings here are in the network's order of axes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import numpy.typing as npt

from mtann.errors import ImageError
from mtann.geometry import Geometry
from mtann.planning.plan import Configuration, Plan
from mtann.preprocess.grid import check_overlap, resample
from mtann.preprocess.resize import FloatArray, IntArray, Resize, make_resize, new_shape, resize_image, resize_labels
from mtann.preprocess.scheme import fill_holes, normalise_channel
from mtann.progress import Run
from mtann.volume import Volume, check_intensities

Array = npt.NDArray[np.generic]
Sizes = tuple[int, int, int]
Spacing = tuple[float, float, float]
Box = tuple[slice, slice, slice]

_FULL_COVER = 0.995


@dataclass(frozen=True)
class CroppedCase:
    """A case's images, transposed, and cut down to where any of them is not zero.

    Attributes:
        channels: Voxels of each, as stored.
        plan: What to do with them.
        spacing: In mm.
        size: Before the cut.
        box: Where the cut is.
        warnings: What a reader of the result must know about the input.
    """

    channels: tuple[Array, ...] = field(repr=False)
    plan: Plan
    spacing: Spacing
    size: Sizes
    box: Box
    warnings: tuple[str, ...] = ()

    @property
    def cropped_size(self) -> Sizes:
        """After the cut."""
        z, y, x = (part.stop - part.start for part in self.box)
        return z, y, x

    def cut(self, array: Array) -> Array:
        """An array on the first channel's grid, transposed and cut likewise."""
        return np.transpose(array, self.plan.transpose_forward)[self.box]

    def uncut(self, array: Array) -> Array:
        """An array of the case's size before the cut, back in the order z, y, x."""
        return np.transpose(array, self.plan.transpose_backward)


@dataclass(frozen=True)
class UNetCase:
    """A case on a configuration's grid.

    Attributes:
        data: Normalised intensities (channel, z, y, x).
        back: The way for the network's answers back to the cropped case.
    """

    data: FloatArray = field(repr=False)
    back: Resize


def crop_case(volumes: Sequence[Volume], plan: Plan, run: Run | None = None) -> CroppedCase:
    """Bring the images onto the first one's grid, transpose them, and cut them down.

    Raises:
        ImageError: The number of images is wrong, or one cannot be segmented.
        GeometryError: A channel does not overlap the first in space.
        CancelledError: The user asked to stop.
    """
    run = run or Run()
    if len(volumes) != len(plan.channels):
        raise ImageError(
            f"The model needs {len(plan.channels)} channel(s) ({', '.join(plan.channels)}) but {len(volumes)} image(s) "
            "were given. Give one image for each."
        )
    first, warnings, arrays = volumes[0], [], []
    for number, (volume, name) in enumerate(zip(volumes, plan.channels, strict=True)):
        run.report("prepare", number / len(volumes), f"Looking at channel {name}")
        array, warning = _on_first_grid(check_intensities(volume), first.geometry, first, name)
        arrays.append(np.transpose(array, plan.transpose_forward))
        warnings += [warning] if warning else []
    z, y, x = (first.geometry.spacing_zyx_mm[axis] for axis in plan.transpose_forward)
    box = _box_of(arrays)
    channels = tuple(array[box] for array in arrays)
    return CroppedCase(channels, plan, (z, y, x), cast("Sizes", arrays[0].shape), box, tuple(warnings))


def grid_of(case: CroppedCase, configuration: Configuration) -> tuple[Sizes, Spacing]:
    """Size and spacing of a configuration's grid for a case. A 2-D one leaves the slices where they are."""
    spacing = cast("Spacing", (case.spacing[0], *configuration.spacing)[-3:])
    return cast("Sizes", new_shape(case.cropped_size, case.spacing, spacing)), spacing


def unet_case(case: CroppedCase, configuration: Configuration, run: Run | None = None) -> UNetCase:
    """Normalise the channels and bring them onto a configuration's grid.

    Raises:
        ImageError: An image cannot be of the kind that a channel's normalisation is for.
        CancelledError: The user asked to stop.
    """
    run = run or Run()
    plan = case.plan
    size, spacing = grid_of(case, configuration)
    there = make_resize(case.cropped_size, size, case.spacing, spacing, order=3)
    back = make_resize(size, case.cropped_size, spacing, case.spacing, order=1)
    mask = fill_holes(_not_zero(case.channels)) if any(configuration.normalise_in_mask) else None
    data = np.empty((len(case.channels), *size), dtype=np.float32)
    for number, channel in enumerate(case.channels):
        run.report("prepare", number / len(data), f"Resampling channel {plan.channels[number]}")
        image = data[number] if not there.changes else np.empty(case.cropped_size, dtype=np.float32)
        image[...] = channel
        normalise_channel(
            image,
            configuration.normalisation[number],
            plan.intensities[number],
            mask if configuration.normalise_in_mask[number] else None,
            plan.channels[number],
        )
        if there.changes:
            data[number] = resize_image(image, there, run)
    return UNetCase(data, back)


def labels_on_grid(case: CroppedCase, labels: Array, configuration: Configuration, run: Run | None = None) -> IntArray:
    """A label map of the case, on the first channel's grid, brought onto a configuration's."""
    size, spacing = grid_of(case, configuration)
    way = make_resize(case.cropped_size, size, case.spacing, spacing, order=1)
    return resize_labels(np.ascontiguousarray(case.cut(labels)).astype(np.int32), way, run)


def with_labels(case: UNetCase, labels: IntArray, plan: Plan) -> UNetCase:
    """The case with one channel more a label of an earlier segmentation: 1 within it, 0 elsewhere."""
    extra = np.stack([labels == value for value in label_values(plan)]).astype(np.float32)
    return UNetCase(np.concatenate([case.data, extra]), case.back)


def label_values(plan: Plan) -> tuple[int, ...]:
    """The values that a plan's label maps hold beside background, ascending."""
    return tuple(sorted({value for values in plan.labels.values() for value in values} - {0}))


def _on_first_grid(volume: Volume, grid: Geometry, first: Volume, name: str) -> tuple[Array, str]:
    """A channel's voxels on the first one's grid, and a warning where it does not cover it."""
    if volume.geometry.matches(grid):
        return volume.array, ""
    share = check_overlap(volume, first)
    if share >= _FULL_COVER:
        return resample(volume, grid), ""
    return resample(volume, grid), (
        f"Channel {name} covers {share:.0%} of the first channel; beyond it, its edge is repeated. "
        "Judge the segmentation there with care."
    )


def _not_zero(channels: Sequence[Array]) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = channels[0] != 0
    for channel in channels[1:]:
        found |= channel != 0
    return found


def _box_of(channels: Sequence[Array]) -> Box:
    """The smallest box with every voxel that is not zero in some channel."""
    found = _not_zero(channels)
    parts = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        places = np.flatnonzero(found.any(axis=others))
        parts.append(slice(int(places[0]), int(places[-1]) + 1))
    return parts[0], parts[1], parts[2]
