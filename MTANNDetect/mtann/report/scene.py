"""What a picture of a result is made from: image, likelihood and outlines, ready to be cut by any plane."""

from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from scipy import ndimage

from mtann.detection.candidate import Candidate, DetectionResult
from mtann.geometry import FloatArray, Triple
from mtann.report.planes import Plane, View
from mtann.volume import Volume

LIKELIHOOD_COLOURS = "inferno"
"""Perceptually uniform, and legible without colour vision."""

_SAMPLES = 200_000
_LEAST_SHOWN = 0.2
_MOST_OPAQUE = 0.75
_MARGIN_MM = 12.0


LEAST_SHARE_DRAWN = 0.5
"""Outlines are drawn of candidates with at least this share of the threshold."""


@dataclass(frozen=True)
class Backdrop:
    """An image as the reader sees it, behind whatever was found in it.

    Attributes:
        image: Shown in grey.
        window: Image values shown as black and white.
        tissue_lps_mm: Points (n, 3) spread over what is not background.
    """

    image: Volume
    window: tuple[float, float]
    tissue_lps_mm: FloatArray = field(repr=False)

    def grey(self, view: View, own_window: bool = False) -> FloatArray:
        """The image in a plane; see :func:`grey_of`."""
        return grey_of(self.image, self.window, view, own_window)

    def field_of_view(
        self, plane: Plane, through_lps_mm: Triple, others: tuple[Triple, ...]
    ) -> tuple[Triple, float, float]:
        """Centre (LPS), width and height in mm of what a plane through a point has to show: all tissue and points."""
        tissue = plane.uv(self.tissue_lps_mm)
        points = plane.uv([through_lps_mm, *others])
        low = np.minimum(np.percentile(tissue, 0.2, axis=0), points.min(axis=0)) - _MARGIN_MM
        high = np.maximum(np.percentile(tissue, 99.8, axis=0), points.max(axis=0)) + _MARGIN_MM
        depth = float(np.array(through_lps_mm) @ plane.matrix[:, 2])
        x, y, z = (plane.matrix @ np.array([*(low + high) / 2, depth])).tolist()
        width, height = (high - low).tolist()
        return (x, y, z), width, height

    @property
    def middle_lps_mm(self) -> Triple:
        """The middle of the tissue, moved to the nearest voxel."""
        geometry = self.image.geometry
        middle = (np.percentile(self.tissue_lps_mm, 0.2, axis=0) + np.percentile(self.tissue_lps_mm, 99.8, axis=0)) / 2
        index = np.clip(np.round(geometry.index_from_lps(middle)), 0, np.array(geometry.shape_zyx) - 1)
        x, y, z = geometry.lps_from_index(index).tolist()
        return (x, y, z)


@dataclass(frozen=True)
class Scene(Backdrop):
    """An image with what was found in it.

    Attributes:
        result: What was found.
        top: Likelihood that is shown in the brightest colour.
        boxes: For candidate k at place k - 1, the part of the candidate map that holds it, as slices z, y, x, or None.
    """

    result: DetectionResult
    top: float
    boxes: list[Any] = field(repr=False)

    def colours(self, view: View) -> FloatArray:
        """The likelihood in a plane as red, green, blue and opacity (v, u, 4), transparent where there is little."""
        return likelihood_colours(view.resample(self.result.likelihood, outside=0.0) / self.top)

    def outlines(self, view: View) -> list[tuple[Candidate, View, FloatArray]]:
        """Candidates that a plane cuts, each with a part of the view that holds it and its share of the pixels there.

        Shares are (v, u), 0.5 at the outline. Those far below the threshold are left out: a hundred faint outlines
        would hide the image.
        """
        labels = np.unique(view.resample(self.result.candidate_map, outside=0, order=0)).astype(int)
        least = LEAST_SHARE_DRAWN * self.result.threshold
        found = {c.id: c for c in self.result.candidates if c.reported or c.score >= least or c.id == 1}
        cut = []
        for label in labels.tolist():
            if label in found:
                alone = self._alone(label)
                around = part_around(view, alone)
                if around is not None:
                    cut.append((found[label], around, around.resample(alone, outside=0.0)))
        return cut

    def _alone(self, label: int) -> Volume:
        """One candidate's voxels as 1.0, cut out with a rim of zeros where the volume goes on."""
        labels, box = self.result.candidate_map, self.boxes[label - 1]
        start = [max(0, part.start - 1) for part in box]
        stop = [min(n, part.stop + 1) for part, n in zip(box, labels.geometry.shape_zyx, strict=True)]
        part = labels.array[start[0] : stop[0], start[1] : stop[1], start[2] : stop[2]]
        return Volume((part == label).astype(np.float32), labels.geometry.cropped(start, stop))


def part_around(view: View, volume: Volume) -> View | None:
    """The part of a view that a volume can reach into, with a rim of two pixels; None if there is none."""
    ends = np.array([(-0.5, n - 0.5) for n in volume.geometry.shape_zyx])
    corners = view.plane.uv(volume.geometry.lps_from_index(np.array(list(product(*ends)))))
    rim = 2 * view.pixel_mm
    return view.part(corners.min(axis=0) - rim, corners.max(axis=0) + rim)


def make_scene(image: Volume, result: DetectionResult) -> Scene:
    """Choose the grey window, the field of view and the range of the likelihood colours."""
    behind = make_backdrop(image)
    highest = float(result.likelihood.array.max())
    # Teaching volumes reach 1, so 1 is the natural end of the scale; a weaker response gets a scale of its own.
    top = 1.0 if highest >= 0.9 or highest <= 0 else max(np.ceil(highest * 10) / 10, 0.1)
    boxes = ndimage.find_objects(np.asarray(result.candidate_map.array))
    return Scene(image, behind.window, behind.tissue_lps_mm, result, float(top), boxes)


def make_backdrop(image: Volume) -> Backdrop:
    """Choose the grey window, and find the tissue."""
    step = _sampling_step(image)
    sample = image.array[::step, ::step, ::step].astype(np.float64)
    low, high = _window(sample)
    tissue = np.argwhere(sample > low + 0.1 * (high - low)) * step
    if not len(tissue):
        tissue = np.argwhere(np.ones_like(sample)) * step
    return Backdrop(image, (low, high), image.geometry.lps_from_index(tissue))


def grey_of(image: Volume, window: tuple[float, float], view: View, own_window: bool = False) -> FloatArray:
    """An image in a plane (v, u), 0 for black to 1 for white.

    With ``own_window``, white moves up to what is bright in this view, so that a bright lesion keeps its texture.
    """
    low, high = window
    values = view.resample(image, outside=low)
    if own_window:
        high = max(high, float(np.percentile(values, 99.5)))
    return np.clip((values - low) / (high - low), 0, 1)


def grey_window(image: Volume) -> tuple[float, float]:
    """Image values for black and white that few voxels cannot move; padding and empty background do not count."""
    step = _sampling_step(image)
    return _window(image.array[::step, ::step, ::step].astype(np.float64))


def _sampling_step(image: Volume) -> int:
    step: float = (image.array.size / _SAMPLES) ** (1 / 3)
    return max(1, round(step))


def likelihood_colours(fraction: npt.ArrayLike) -> FloatArray:
    """Colour and opacity (..., 4) of likelihoods as fractions (...) of the top of the scale."""
    fraction = np.clip(np.asarray(fraction, dtype=np.float64), 0, 1)
    colours: FloatArray = np.array(colormaps[LIKELIHOOD_COLOURS](fraction))
    colours[..., 3] = _MOST_OPAQUE * np.clip((fraction - _LEAST_SHOWN) / (1 - _LEAST_SHOWN), 0, 1) ** 0.7
    return colours


def _window(sample: FloatArray) -> tuple[float, float]:
    tissue = sample[(sample != sample.min()) & (sample != 0)]
    if tissue.size < 2:
        tissue = sample.ravel()
    low, high = np.percentile(tissue, [1.0, 99.7]).tolist()
    return (low, high) if high > low else (float(sample.min()), float(sample.min()) + 1.0)
