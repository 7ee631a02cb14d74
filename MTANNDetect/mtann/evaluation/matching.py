"""Which candidates hit which reference lesions. The rule is always explicit."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mtann.detection.candidate import Candidate
from mtann.evaluation.rules import CentreRule, HitRule
from mtann.geometry import Triple
from mtann.sampling.lesions import Lesion

HIT_RULE = CentreRule()
HIT_TOLERANCE_MM = HIT_RULE.tolerance_mm
HIT_CRITERION = HIT_RULE.words


@dataclass(frozen=True)
class Match:
    """Outcome of one case.

    Attributes:
        lesion_scores: Highest score of a candidate on each lesion; minus infinity where it was missed altogether.
        false_alarm_scores: Scores of candidates on no lesion.
        hits: For each candidate, the lesion that it lies on, or None.
    """

    lesion_scores: tuple[float, ...]
    false_alarm_scores: tuple[float, ...]
    hits: tuple[int | None, ...]


def match(candidates: Sequence[Candidate], lesions: Sequence[Lesion]) -> Match:
    """Match candidates to lesions by :data:`HIT_CRITERION`; where several lesions qualify, the nearest is hit."""
    places = [candidate.centroid_lps_mm for candidate in candidates]
    return match_places(places, [candidate.score for candidate in candidates], lesions)


def match_places(
    places_lps_mm: Sequence[Triple],
    scores: Sequence[float],
    lesions: Sequence[Lesion],
) -> Match:
    """Match scored places of any detector, as :func:`match` does."""
    return match_found([Lesion(place) for place in places_lps_mm], scores, lesions, HIT_RULE)


def match_found(found: Sequence[Lesion], scores: Sequence[float], lesions: Sequence[Lesion], rule: HitRule) -> Match:
    """Match places, or outlines, of any detector by any rule.

    Where a candidate qualifies for several lesions it hits the one that it fits best (of equals, the first); by a rule
    that shares, all of them, and ``hits`` names the best. A candidate that hits is never a false alarm, be it the first
    on its lesion or not; so what two passes found twice counts once.
    """
    best = [-np.inf] * len(lesions)
    hits: list[int | None] = []
    for one, score in zip(found, scores, strict=True):
        fits = [rule.affinity(one, lesion) for lesion in lesions]
        qualified = [(number, fit) for number, fit in enumerate(fits) if fit is not None]
        nearest = max(qualified, key=lambda pair: pair[1])[0] if qualified else None
        hits.append(nearest)
        for number in [number for number, _ in qualified] if rule.shared else [nearest] * bool(qualified):
            if number is not None:
                best[number] = max(best[number], score)
    alarms = tuple(float(score) for score, hit in zip(scores, hits, strict=True) if hit is None)
    return Match(tuple(float(score) for score in best), alarms, tuple(hits))
