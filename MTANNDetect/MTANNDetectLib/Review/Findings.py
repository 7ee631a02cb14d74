"""What is known of each place in a result, and what the reader has decided about it."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mtann.detection.candidate import Candidate

NEW, ACCEPTED, REJECTED, ADDED = "new", "accepted", "rejected", "added"
STATUSES = (NEW, ACCEPTED, REJECTED, ADDED)


@dataclass(frozen=True)
class Finding:
    """A candidate with the reader's decision.

    Attributes:
        candidate: What the model found, or what the reader made; the score of an added one is nan.
        status: "new" until the reader decides; "accepted", "rejected", or "added" by the reader.
        place: Where it lies, in words.
    """

    candidate: "Candidate"
    status: str = NEW
    place: str = ""

    @property
    def id(self) -> int:
        """Its number: its value in the candidate map."""
        return self.candidate.id

    @property
    def isConfirmed(self) -> bool:
        """Whether the reader takes it for a lesion."""
        return self.status in (ACCEPTED, ADDED)

    def isShown(self, threshold: float) -> bool:
        """Whether it counts at a threshold: what the reader has decided overrules the score."""
        if self.status == NEW:
            return self.candidate.score >= threshold
        return self.status != REJECTED

    def reportedAt(self, threshold: float) -> "Finding":
        """The same finding, its candidate reported or not by this threshold and the reader's decision."""
        shown = self.isShown(threshold)
        if self.candidate.reported == shown:
            return self
        return replace(self, candidate=replace(self.candidate, reported=shown))


@dataclass(frozen=True)
class Summary:
    """A result in one line: how many findings count, their volume together, and the largest one's diameter."""

    count: int
    volumeMm3: float
    largestMm: float
    undecided: int


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """By descending score; those without a score follow, in the order in which they were made."""
    return tuple(sorted(findings, key=lambda one: (math.isnan(one.candidate.score), -_number(one), one.id)))


def shown(findings: Iterable[Finding], threshold: float) -> tuple[Finding, ...]:
    """Those that count at a threshold."""
    return tuple(finding for finding in findings if finding.isShown(threshold))


def summarise(findings: Sequence[Finding], threshold: float) -> Summary:
    """The findings that count at a threshold, in numbers."""
    counted = shown(findings, threshold)
    return Summary(
        count=len(counted),
        volumeMm3=sum(one.candidate.volume_mm3 for one in counted),
        largestMm=max((one.candidate.axial_diameter_mm for one in counted), default=0.0),
        undecided=sum(one.status == NEW for one in counted),
    )


def byId(findings: Iterable[Finding], number: int) -> Finding:
    """The finding of a number.

    Raises:
        KeyError: There is none.
    """
    for finding in findings:
        if finding.id == number:
            return finding
    raise KeyError(number)


def _number(finding: Finding) -> float:
    return 0.0 if math.isnan(finding.candidate.score) else finding.candidate.score
