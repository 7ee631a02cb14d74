"""Candidates as a text table."""

from collections.abc import Sequence

from mtann.detection.candidate import Candidate
from mtann.report.words import position_words

_MOST_UNREPORTED = 5


def given_remarks(candidates: Sequence[Candidate]) -> list[str]:
    """For candidates that were given: which each was, and its former score; none for others."""
    if not any(candidate.given_id for candidate in candidates):
        return []
    return [
        f"given as {candidate.given_id}" + ("" if candidate.given_score is None else f", {candidate.given_score:.3f}")
        for candidate in candidates
    ]


def candidate_table(candidates: Sequence[Candidate], remarks: Sequence[str] = ()) -> str:
    """One line a candidate: all reported ones and the strongest below the threshold.

    Args:
        candidates: By descending score.
        remarks: A word on each candidate, shown in a last column; none if empty.
    """
    if not candidates:
        return "No candidate was found."
    lines = [f"{'no':>4} {'score':>6}  {'diameter (mm)':>15} {'volume':>11}  position (mm)"]
    unreported = 0
    for number, candidate in enumerate(candidates):
        if not candidate.reported:
            unreported += 1
            if unreported > _MOST_UNREPORTED:
                continue
        size = f"{candidate.axial_diameter_mm:.1f} x {candidate.perpendicular_diameter_mm:.1f}"
        remark = f"  {remarks[number]}" if remarks else ""
        below = "" if candidate.reported else "  below threshold"
        lines.append(
            f"{candidate.id:>4} {candidate.score:>6.3f}  {size:>15} {candidate.volume_mm3:>7.0f} mm3  "
            f"{position_words(candidate.centroid_lps_mm)}{below}{remark}"
        )
    if unreported > _MOST_UNREPORTED:
        lines.append(f"     and {unreported - _MOST_UNREPORTED} more below the threshold")
    return "\n".join(lines)
