"""Changes that a reader makes to findings: each gives the findings and voxels afterwards and alters nothing itself."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mtann.errors import CasesError
from mtann.geometry import Geometry

from ..Library import libraryModule
from ..Translation import _
from .Findings import ACCEPTED, ADDED, Finding, byId, ordered
from .Parts import ball, grown, halves

if TYPE_CHECKING:
    from mtann.detection.candidate import Candidate

LabelMap = npt.NDArray[Any]
Box = tuple[slice, ...]


@dataclass(frozen=True)
class Change:
    """What a review step does.

    Attributes:
        findings: All findings afterwards.
        chosen: The findings to select afterwards.
        box: The block of the candidate map that changes; None if no voxel does.
        voxels: The block's values afterwards.
    """

    findings: tuple[Finding, ...]
    chosen: tuple[int, ...]
    box: Box | None = None
    voxels: LabelMap | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Grid:
    """The candidate map and the likelihood that belong to the findings."""

    labels: LabelMap = field(repr=False)
    likelihood: npt.NDArray[Any] = field(repr=False)
    geometry: Geometry


def decided(findings: Sequence[Finding], numbers: Sequence[int], status: str) -> Change:
    """Accept or reject findings; one that the reader added is removed from what counts by rejecting it."""
    changed = [replace(one, status=status) if one.id in numbers else one for one in findings]
    return Change(ordered(changed), tuple(numbers))


def relabelled(findings: Sequence[Finding], numbers: Sequence[int], className: str) -> Change:
    """Call findings something else.

    Raises:
        CasesError: The new name is blank.
    """
    name = className.strip()
    if not name:
        raise CasesError(_("A finding's name cannot be blank. Type what it is, such as 'metastasis'."))
    changed = [
        replace(one, candidate=replace(one.candidate, class_name=name)) if one.id in numbers else one
        for one in findings
    ]
    return Change(ordered(changed), tuple(numbers))


def merged(findings: Sequence[Finding], grid: Grid, numbers: Sequence[int]) -> Change:
    """Make one finding of several; it keeps the number, score and name of the first of them in the list.

    Raises:
        CasesError: Fewer than two were given.
    """
    parts = [one for one in findings if one.id in numbers]
    if len(parts) < 2:
        raise CasesError(_("Merging needs two or more findings. Select their rows while holding Ctrl."))
    kept = parts[0]
    box = _boxOf(grid.labels, [one.id for one in parts])
    block = grid.labels[box].copy()
    block[np.isin(block, [one.id for one in parts])] = kept.id
    status = ACCEPTED if any(one.isConfirmed for one in parts) else kept.status
    whole = replace(kept, candidate=_measured(kept.candidate, block == kept.id, box, grid), status=status)
    others = [one for one in findings if one not in parts]
    return Change(ordered([*others, whole]), (kept.id,), box, block)


def split(findings: Sequence[Finding], grid: Grid, number: int) -> Change:
    """Make two findings of one: its unconnected parts, or the halves on both sides of its waist.

    Both keep its score, since that was given to the whole.

    Raises:
        CasesError: It is a single voxel.
    """
    whole = byId(findings, number)
    box = _boxOf(grid.labels, [number])
    inside = grid.labels[box] == number
    if np.count_nonzero(inside) < 2:
        raise CasesError(
            _("Finding {number} is a single voxel and cannot be split. Reject it or leave it whole.").format(
                number=number
            )
        )
    first, second = halves(inside, grid.geometry)
    another = max(one.id for one in findings) + 1
    block = grid.labels[box].copy()
    block[second] = another
    pair = [
        replace(whole, candidate=replace(_measured(whole.candidate, part, box, grid), id=name))
        for name, part in ((number, first), (another, second))
    ]
    others = [one for one in findings if one.id != number]
    return Change(ordered([*others, *pair]), (number, another), box, block)


def added(
    findings: Sequence[Finding],
    grid: Grid,
    centreLpsMm: Sequence[float],
    radiusMm: float,
    outlineFraction: float,
    className: str,
) -> Change:
    """Add a lesion at a place. A candidate that lies there already is accepted instead.

    Its outline is where the likelihood about the place exceeds the fraction of its peak, as far as twice the radius;
    where the model saw nothing, a ball of the radius.

    Raises:
        CasesError: The place is outside the image.
    """
    index = np.round(grid.geometry.index_from_lps(centreLpsMm)).astype(int)
    if not grid.geometry.contains_index(index):
        raise CasesError(_("The place lies outside the image that was searched. Choose one inside it."))
    here = int(grid.labels[tuple(index)])
    if here and any(one.id == here for one in findings):
        return decided(findings, (here,), ACCEPTED)
    box, inside = grown(grid.likelihood, grid.geometry, centreLpsMm, radiusMm, outlineFraction)
    free = grid.labels[box] == 0
    if not (inside & free).any():
        box, inside = ball(grid.geometry, centreLpsMm, radiusMm)
        free = grid.labels[box] == 0
    number = max((one.id for one in findings), default=0) + 1
    block = grid.labels[box].copy()
    block[inside & free] = number
    peak = tuple(float(value) for value in centreLpsMm)
    candidate = _measured(_blank(number, peak, className), inside & free, box, grid)
    return Change(ordered([*findings, Finding(candidate, ADDED)]), (number,), box, block)


def _boxOf(labels: LabelMap, numbers: Sequence[int]) -> Box:
    """The smallest block with all voxels of the findings.

    Raises:
        CasesError: They have no voxel, as where a foreign candidate map was put in place of ours.
    """
    inside = np.isin(labels, list(numbers))
    spans = []
    for axis in range(3):
        there = np.flatnonzero(inside.any(axis=tuple(other for other in range(3) if other != axis)))
        if not len(there):
            raise CasesError(_("The candidate map holds no voxel of this finding. Run the detection again."))
        spans.append(slice(int(there[0]), int(there[-1]) + 1))
    return tuple(spans)


def _measured(candidate: "Candidate", inside: npt.NDArray[np.bool_], box: Box, grid: Grid) -> "Candidate":
    """The candidate with the sizes and the centre of these voxels of a block."""
    voxels = np.argwhere(inside) + [part.start for part in box]
    size = libraryModule("mtann.detection.measure").measure(voxels, grid.geometry)
    weights = np.maximum(grid.likelihood[tuple(voxels.T)].astype(np.float64), 0.0)
    centre = np.average(voxels, axis=0, weights=weights if weights.sum() > 0 else None)
    place = grid.geometry.lps_from_index(centre)
    return replace(
        candidate,
        centroid_lps_mm=tuple(place.tolist()),
        volume_mm3=size.volume_mm3,
        axial_diameter_mm=size.axial_diameter_mm,
        perpendicular_diameter_mm=size.perpendicular_diameter_mm,
        max_diameter_mm=size.max_diameter_mm,
    )


def _blank(number: int, placeLpsMm: tuple[float, ...], className: str) -> "Candidate":
    candidate: Candidate = libraryModule("mtann.detection.candidate").Candidate(
        id=number,
        centroid_lps_mm=placeLpsMm,
        peak_lps_mm=placeLpsMm,
        score=math.nan,
        probability=None,
        class_name=className,
        reported=True,
        volume_mm3=0.0,
        axial_diameter_mm=0.0,
        perpendicular_diameter_mm=0.0,
        max_diameter_mm=0.0,
    )
    return candidate
