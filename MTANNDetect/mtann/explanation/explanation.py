"""What an explanation holds."""

from dataclasses import dataclass

from mtann.explanation.contributions import Contributions
from mtann.explanation.filters import Filters
from mtann.explanation.occlusion import Occlusion
from mtann.settings import ExplanationSettings


@dataclass(frozen=True)
class CandidateExplanation:
    """Why one candidate has its score.

    Attributes:
        id: The candidate's number.
        contributions: What each network gave or took.
        occlusion: Where in the image the score comes from.
    """

    id: int
    contributions: Contributions
    occlusion: Occlusion


@dataclass(frozen=True)
class Explanation:
    """Why a result's candidates have their scores.

    Attributes:
        candidates: One entry a candidate that was explained, in the order of their numbers.
        filters: First layer of the single MTANN and of each expert (of the first repetition).
        channels: Names of what the networks see: the model's channels, what is derived from them and, where networks
            answer in a row, the answer of the one before.
        inputs: Names of what occlusion hides alone, in its order: the model's channels, each with what is derived from
            it, and that answer.
        settings: How it was made.
    """

    candidates: tuple[CandidateExplanation, ...]
    filters: tuple[Filters, ...]
    channels: tuple[str, ...]
    inputs: tuple[str, ...]
    settings: ExplanationSettings
