"""The table of findings and the line above it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..Review.About import About
from ..Review.Findings import ACCEPTED, ADDED, NEW, REJECTED, Finding, Summary, summarise
from ..Review.Places import coordinatesInWords, nearestLandmark
from ..Translation import _

_MM3_A_ML = 1000.0


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        number: The finding's number.
        cells: What its cells say.
        visible: Whether it is listed at this threshold; rejected ones stay, so that they can be taken back.
        counts: Whether it counts.
        toolTip: More about it.
    """

    number: int
    cells: tuple[str, ...]
    visible: bool
    counts: bool
    toolTip: str


def statusInWords(status: str) -> str:
    """A status as the table shows it."""
    return {NEW: _("new"), ACCEPTED: _("accepted"), REJECTED: _("rejected"), ADDED: _("added")}[status]


def rowsOf(
    findings: Sequence[Finding],
    threshold: float,
    about: About,
    world: Mapping[int, Sequence[float]],
    landmarks: Mapping[str, Sequence[float]],
) -> list[Row]:
    """The table's lines, in the findings' order.

    Args:
        findings: All findings of the result.
        threshold: The score from which undecided ones count.
        about: What is known of the run.
        world: Each finding's place in world RAS millimetres.
        landmarks: Named points in world RAS millimetres.
    """
    scored = [one.candidate for one in findings if not math.isnan(one.candidate.score)]
    calibrated = all(candidate.probability is not None for candidate in scored)
    return [_row(one, threshold, about, world[one.id], landmarks, calibrated) for one in findings]


def isListed(finding: Finding, threshold: float) -> bool:
    """Whether a finding has a line: it counts, or the reader rejected it."""
    return finding.isShown(threshold) or finding.status == REJECTED


def summaryInWords(findings: Sequence[Finding], threshold: float, about: About) -> str:
    """Such as "7 findings (3 new), 4.10 ml together, largest 16.6 mm. Model: head-phantom-t1c 1.0.0."."""
    summary = summarise(findings, threshold)
    return f"{_counted(summary)} {_('Model: {model}.').format(model=about.model)}"


def _counted(summary: Summary) -> str:
    if summary.count == 0:
        return _("No finding counts at this threshold.")
    head = _("1 finding") if summary.count == 1 else _("{count} findings").format(count=summary.count)
    if summary.undecided:
        head += _(" ({count} new)").format(count=summary.undecided)
    return _("{head}, {volume:.2f} ml together, largest {largest:.1f} mm.").format(
        head=head, volume=summary.volumeMm3 / _MM3_A_ML, largest=summary.largestMm
    )


def _row(
    finding: Finding,
    threshold: float,
    about: About,
    world: Sequence[float],
    landmarks: Mapping[str, Sequence[float]],
    calibrated: bool,
) -> Row:
    candidate = finding.candidate
    place = finding.place or coordinatesInWords(world)
    if candidate.class_name != about.className:
        place = f"{candidate.class_name}: {place}"
    if near := nearestLandmark(world, landmarks):
        place = f"{place}; {near}"
    cells = (
        str(finding.id),
        _score(finding, calibrated),
        f"{candidate.axial_diameter_mm:.1f}",
        f"{candidate.volume_mm3 / _MM3_A_ML:.2f}",
        place,
        statusInWords(finding.status),
    )
    return Row(
        finding.id, cells, isListed(finding, threshold), finding.isShown(threshold), _toolTip(finding, place, world)
    )


def _score(finding: Finding, calibrated: bool) -> str:
    candidate = finding.candidate
    if calibrated and candidate.probability is not None:
        return _percent(candidate.probability)
    return "–" if math.isnan(candidate.score) else f"{candidate.score:.2f}"


def _percent(probability: float) -> str:
    """As the report says it: never certain, since it was learnt from a limited number of candidates."""
    percent = round(100 * probability)
    return "< 1 %" if percent < 1 else "> 99 %" if percent > 99 else f"{percent} %"


def _toolTip(finding: Finding, place: str, world: Sequence[float]) -> str:
    candidate = finding.candidate
    lines = [
        f"{candidate.class_name}: {place}",
        coordinatesInWords(world),
        _("axial diameters {longest:.1f} x {across:.1f} mm, in 3-D {most:.1f} mm").format(
            longest=candidate.axial_diameter_mm,
            across=candidate.perpendicular_diameter_mm,
            most=candidate.max_diameter_mm,
        ),
        _("volume {volume:.0f} mm³").format(volume=candidate.volume_mm3),
    ]
    if math.isnan(candidate.score):
        lines.append(_("added by you, without a score"))
    else:
        lines.append(_("score {score:.3f}").format(score=candidate.score))
    if candidate.probability is not None:
        lines.append(_("probability {share}").format(share=_percent(candidate.probability)))
    return "\n".join(lines)
