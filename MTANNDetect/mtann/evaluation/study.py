"""A study: cases with what was found in them and what is there, and the two matched."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from mtann.evaluation.matching import Match, match_found
from mtann.evaluation.rules import HitRule
from mtann.sampling.lesions import Lesion
from mtann.volume import Volume

LazyVolume = Callable[[], Volume]
"""Reads a volume when it is asked for: a study's images need not all be in memory at a time."""


@dataclass(frozen=True)
class Found(Lesion):
    """A candidate of any detector.

    Attributes:
        score: Higher is more lesion-like; 1 where the detector gives none.
        reported: Whether it reaches the detector's threshold.
        probability: Calibrated probability of being a lesion, or None.
    """

    score: float = 1.0
    reported: bool = True
    probability: float | None = None


@dataclass(frozen=True)
class StudyCase:
    """One case.

    Attributes:
        case: Its name.
        patient: Whose it is.
        found: What the detector found.
        lesions: What is there.
        found_map: Gives the voxels of what the detector reported; None without outlines.
        lesion_map: Gives the voxels of the lesions; None without outlines.
        image: Gives the image, for pictures; None without one.
        subgroups: Values of the list's further columns.
    """

    case: str
    patient: str
    found: tuple[Found, ...]
    lesions: tuple[Lesion, ...]
    found_map: LazyVolume | None = field(default=None, repr=False)
    lesion_map: LazyVolume | None = field(default=None, repr=False)
    image: LazyVolume | None = field(default=None, repr=False)
    subgroups: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class MatchedCase:
    """A case and which candidates hit which lesions.

    Attributes:
        case: The case.
        match: Of all candidates.
        reported: Of the reported ones alone.
    """

    case: StudyCase
    match: Match
    reported: Match

    @property
    def found(self) -> int:
        """Lesions found by a reported candidate."""
        return sum(np.isfinite(self.reported.lesion_scores))

    @property
    def false_alarms(self) -> int:
        """Reported candidates on no lesion."""
        return len(self.reported.false_alarm_scores)

    @property
    def score(self) -> float:
        """The case's score: that of its best candidate; minus infinity without any."""
        return max((one.score for one in self.case.found), default=-np.inf)


def match_cases(cases: Sequence[StudyCase], rule: HitRule) -> tuple[MatchedCase, ...]:
    """Match every case's candidates to its lesions."""
    matched = []
    for case in cases:
        reported = [one for one in case.found if one.reported]
        every = match_found(case.found, [one.score for one in case.found], case.lesions, rule)
        those = match_found(reported, [one.score for one in reported], case.lesions, rule)
        matched.append(MatchedCase(case, every, those))
    return tuple(matched)


def is_scored(cases: Sequence[StudyCase]) -> bool:
    """Whether candidates have scores that tell them apart."""
    return len({one.score for case in cases for one in case.found}) > 1
