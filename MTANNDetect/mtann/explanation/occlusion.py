"""Where in the image a candidate's score comes from.

Zeiler and Fergus (ECCV 2014, p. 818) slide a grey square over a picture and note how far the classifier's answer falls.
Here a small cube of the input is replaced by the local background, the median of a shell round the candidate: of an
image, and of what is derived from it there. What is derived from it beside the cube stays as it was, and may still tell
of what was hidden.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mtann.detection.candidate import Candidate
from mtann.detection.combination import Combination
from mtann.geometry import Triple
from mtann.preprocess.hessian import channel_sources
from mtann.preprocess.prepare import PreparedCase
from mtann.progress import Run
from mtann.settings import ExplanationSettings
from mtann.volume import Volume

if TYPE_CHECKING:
    import torch

    from mtann.networks.mtann import MTANN

FloatArray = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

_CUBE_SIGMAS, _LEAST_CUBE_VOXELS = 2.0, 3
"""A cube that is much smaller than the lesion changes next to nothing."""
_SHELL_SIGMAS = (2.5, 4.5)
"""A lesion's radius is about 1.4 scoring sigmas: the shell begins well outside it."""
_SHELL_WIDTH_MM = 2.0
_STEPS = 5
"""Cubes from the middle of a map to its end along an axis."""


@dataclass(frozen=True)
class Occlusion:
    """How far a candidate's score falls when a cube about each voxel is replaced by the local background.

    Attributes:
        fall: Map (float32) round the candidate on the model's grid: positive where what lies there raises the score, 0
            where nothing was tried.
        by_input: The same with one input replaced alone, an image with what is derived from it; empty for a model of
            one input.
        score: The score that it falls from: the combined score about the candidate's peak, taken without regard to the
            mask. It is below the candidate's own where that comes from another peak on the same lesion.
        cube_zyx_mm: Edges of the cube.
        background: What each channel was replaced by, as the normalised intensity.
    """

    fall: Volume
    by_input: tuple[Volume, ...]
    score: float
    cube_zyx_mm: Triple
    background: tuple[float, ...]

    @property
    def peak_lps_mm(self) -> Triple:
        """Where the score falls furthest."""
        voxel = np.unravel_index(int(self.fall.array.argmax()), self.fall.array.shape)
        x, y, z = self.fall.geometry.lps_from_index(voxel).tolist()
        return (x, y, z)


def occlusion_of(
    candidate: Candidate,
    prepared: PreparedCase,
    networks: Sequence["MTANN"],
    combination: Combination,
    settings: ExplanationSettings,
    device: "torch.device",
    run: Run | None = None,
) -> Occlusion:
    """Map what a candidate's score hangs on.

    Args:
        candidate: What to explain.
        prepared: The case on the model's grid.
        networks: The single MTANN, then its experts; repetitions are members.
        combination: How their scores become one.
        settings: Size of the cube, and how far from the candidate to look.
        device: Where to compute.
        run: Progress and cancellation.

    Raises:
        CancelledError: The user asked to stop.
    """
    from mtann.detection.ask import scoring_places
    from mtann.inference.occlusion import occluded_scores

    (place,), (sigma,) = scoring_places(prepared, [candidate])
    spacing = np.array(prepared.grid.spacing_zyx_mm)
    sigma_mm = float((sigma * spacing)[-1])
    half = _half_widths(settings.cube_mm, sigma_mm, spacing)
    axes = _lines(place, settings.reach_sigmas * sigma, prepared.grid.shape_zyx)
    boxes = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    near = np.linalg.norm((boxes - place) / (settings.reach_sigmas * sigma), axis=1) <= 1
    background = _background(prepared, place, sigma_mm, candidate.max_diameter_mm / 2)
    sources = channel_sources(len(prepared.images), prepared.derived, prepared.answered)
    heard = [
        occluded_scores(
            network,
            prepared.channels,
            place,
            sigma,
            boxes[near],
            half,
            background,
            sources=sources,
            device=device,
            run=run,
        )
        for network in networks
    ]
    untouched = float(combination.apply(np.array([[one.untouched.mean()] for one in heard]))[0])
    occluded = np.stack([one.occluded.mean(axis=0) for one in heard])
    maps = []
    for scores in np.moveaxis(occluded, 1, 0):
        fall = np.zeros(len(boxes))
        fall[near] = untouched - combination.apply(scores)
        maps.append(_as_volume(fall.reshape([len(line) for line in axes]), axes, prepared))
    edges = ((2 * half + 1) * spacing).tolist()
    by_input = tuple(maps[1:]) if len(maps) > 2 else ()
    return Occlusion(maps[0], by_input, untouched, (edges[0], edges[1], edges[2]), background)


def _half_widths(cube_mm: float | None, sigma_mm: float, spacing: FloatArray) -> Indices:
    """Half-widths in voxels of the cube nearest to the wanted one that has a middle voxel."""
    edge_mm = max(_CUBE_SIGMAS * sigma_mm, _LEAST_CUBE_VOXELS * float(spacing[-1])) if cube_mm is None else cube_mm
    half: Indices = np.maximum(np.round((edge_mm / spacing - 1) / 2), 0).astype(np.int64)
    return half


def _lines(place: Indices, reach: FloatArray, shape: Sequence[int]) -> list[Indices]:
    """Middles of the cubes along each axis, within the volume."""
    lines = []
    for centre, far, length in zip(place, reach, shape, strict=True):
        step = max(1, int(np.ceil(far / _STEPS)))
        line = centre + step * np.arange(-int(far / step), int(far / step) + 1)
        lines.append(line[(line >= 0) & (line < length)])
    return lines


def _background(prepared: PreparedCase, place: Indices, sigma_mm: float, radius_mm: float) -> tuple[float, ...]:
    """Median of each channel in a shell of tissue round the candidate; of the whole channel where there is none."""
    spacing = np.array(prepared.grid.spacing_zyx_mm)
    inner = max(_SHELL_SIGMAS[0] * sigma_mm, radius_mm + float(spacing[-1]))
    outer = max(_SHELL_SIGMAS[1] * sigma_mm, inner + max(_SHELL_WIDTH_MM, float(spacing[-1])))
    reach = np.ceil(outer / spacing).astype(np.int64)
    part = tuple(slice(max(0, int(p - r)), int(p + r) + 1) for p, r in zip(place, reach, strict=True))
    index = np.argwhere(prepared.mask[part]) + [axis.start for axis in part]
    distance = np.linalg.norm((index - place) * spacing, axis=1)
    shell = tuple(index[(distance >= inner) & (distance <= outer)].T)
    return tuple(float(np.median(channel[shell] if len(shell[0]) else channel)) for channel in prepared.channels)


def _as_volume(fall: FloatArray, axes: Sequence[Indices], prepared: PreparedCase) -> Volume:
    """A map's values between the cubes' middles, by linear interpolation on the model's grid."""
    start = [int(line[0]) for line in axes]
    stop = [int(line[-1]) + 1 for line in axes]
    steps = [int(line[1] - line[0]) if len(line) > 1 else 1 for line in axes]
    index = np.meshgrid(*(np.arange(b - a) / s for a, b, s in zip(start, stop, steps, strict=True)), indexing="ij")
    values = ndimage.map_coordinates(fall, index, order=1, mode="nearest").astype(np.float32)
    return Volume(values, prepared.grid.cropped(start, stop), "occlusion")
