"""How a training went: what was found and missed on cases that the networks had not seen."""

from dataclasses import dataclass, field

import numpy as np

from mtann.detection.candidate import Candidate
from mtann.detection.operating_points import OperatingPoint
from mtann.evaluation.froc import Froc
from mtann.evaluation.learning_curve import LearningCurve
from mtann.models.card import ModelCard
from mtann.sampling.lesions import Lesion
from mtann.volume import Volume

SUMMARY_RATES = (1.0, 2.0, 4.0)
"""False alarms a case at which a training is summed up."""


@dataclass(frozen=True)
class LesionOutcome:
    """What became of one training lesion.

    Attributes:
        case: Name of its case.
        number: Its number within the case, from 1.
        lesion: Where it is.
        score: Best score of a candidate on it; minus infinity where there was none.
        image: First channel of its case.
    """

    case: str
    number: int
    lesion: Lesion
    score: float
    image: Volume = field(repr=False)

    @property
    def has_candidate(self) -> bool:
        """Whether any candidate lay on it, of whatever score."""
        return bool(np.isfinite(self.score))


@dataclass(frozen=True)
class AlarmOutcome:
    """One false alarm: a candidate on no lesion, with its (combined) score and the first channel of its case."""

    case: str
    candidate: Candidate
    score: float
    image: Volume = field(repr=False)


@dataclass(frozen=True)
class ExpertOutcome:
    """One expert: how many false alarms it learnt from, what it gained, and one of those false alarms.

    ``gain`` is the mean FROC sensitivity out of fold with it, less that without it.
    """

    alarms: int
    gain: float
    example: AlarmOutcome


@dataclass(frozen=True)
class TrainingReport:
    """Everything that a training has to tell.

    Attributes:
        card: The model.
        sha256: Its checksum.
        seen: Whether the networks had seen the cases that this is about, so that it flatters.
        single: FROC of the single MTANN.
        together: FROC with its experts; None without experts.
        operating_points: The model's thresholds; empty where no lesion was found.
        lesions: Every lesion of the cases that were looked at.
        false_alarms: The scores of all false alarms.
        strongest: The false alarms of the highest scores, highest first.
        experts: The experts that were kept.
        curve: Whether more lesions would help, if that was asked for.
    """

    card: ModelCard
    sha256: str
    seen: bool
    single: Froc
    together: Froc | None
    operating_points: tuple[OperatingPoint, ...]
    lesions: tuple[LesionOutcome, ...]
    false_alarms: tuple[float, ...] = field(repr=False)
    strongest: tuple[AlarmOutcome, ...]
    experts: tuple[ExpertOutcome, ...]
    curve: LearningCurve | None

    @property
    def froc(self) -> Froc:
        """The curve of the model as it is used."""
        return self.together or self.single

    @property
    def data_words(self) -> str:
        """Which data the figures are about."""
        if self.seen:
            return "on the training cases themselves, which the model had seen, so the figures flatter it"
        return "out of fold, on training cases that the networks asked had not seen"

    @property
    def summary(self) -> str:
        """Sensitivity at a few rates of false alarms, in a sentence."""
        shares = [f"{self.froc.sensitivity_at(rate):.0%} at {rate:g}" for rate in SUMMARY_RATES]
        return (
            f"Finds {', '.join(shares[:-1])} and {shares[-1]} false alarms a case, of {self.froc.lesions} lesions "
            f"in {self.froc.cases} cases ({self.data_words})."
        )
