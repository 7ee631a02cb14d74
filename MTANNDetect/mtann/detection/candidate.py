"""What a detection run hands on: candidates, and the one result that holds everything."""

from dataclasses import dataclass

from mtann.backends.computation import Computation
from mtann.geometry import Triple
from mtann.settings import DetectionSettings
from mtann.volume import Volume


@dataclass(frozen=True)
class Candidate:
    """A place that may be a lesion.

    Attributes:
        id: 1 for the highest score, then upwards; also its value in the candidate map.
        centroid_lps_mm: Likelihood-weighted centre of its outline.
        peak_lps_mm: Where the smoothed likelihood is highest.
        score: Gaussian-weighted mean of the likelihood about the peak, or about a finer one in the outline where
            that is higher (uncalibrated; higher is more lesion-like).
        probability: Calibrated probability of being a lesion, or None where the model holds no calibration.
        class_name: What the model was taught to find.
        reported: Whether the score reaches the run's threshold. The others are kept for a live threshold.
        volume_mm3: Volume of the outline.
        axial_diameter_mm: Longest diameter of the outline in the axial plane through its largest section.
        perpendicular_diameter_mm: Longest diameter at right angles to it in the same section.
        max_diameter_mm: Longest diameter of the outline in three dimensions.
        scoring_sigma_mm: Width of the Gaussian that the peak was found with; experts are asked with it.
        expert_scores: The single MTANN's own score and each expert's; empty where there are no experts.
        given_id: Its id, label or row among the candidates that were given; 0 where none were.
        given_score: Its score by the detector that gave it, or None.
    """

    id: int
    centroid_lps_mm: Triple
    peak_lps_mm: Triple
    score: float
    probability: float | None
    class_name: str
    reported: bool
    volume_mm3: float
    axial_diameter_mm: float
    perpendicular_diameter_mm: float
    max_diameter_mm: float
    scoring_sigma_mm: float | None = None
    expert_scores: tuple[float, ...] = ()
    given_id: int = 0
    given_score: float | None = None


@dataclass(frozen=True)
class ModelReference:
    """Which model produced a result."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True)
class InputReference:
    """Which image went into a channel.

    ``path`` is a file or node name, never a folder, and no name at all for DICOM.
    """

    channel: str
    path: str
    sha256: str


@dataclass(frozen=True)
class DetectionResult:
    """Everything that one detection found, on the grid of the first channel.

    Attributes:
        likelihood: Likelihood volume, float32, linear and uncalibrated.
        candidate_map: Label map (uint16): value k is candidate k, 0 is none.
        candidates: By descending score; those below the threshold have ``reported=False``.
        model: The model used.
        inputs: One entry a channel.
        settings: Every setting of the run.
        threshold: The score from which candidates are reported.
        threshold_origin: Where the threshold comes from: the user, or an operating point and the data behind it.
        warnings: What the reader must know before trusting the result.
        computation: What evaluated the networks, and why that.
    """

    likelihood: Volume
    candidate_map: Volume
    candidates: tuple[Candidate, ...]
    model: ModelReference
    inputs: tuple[InputReference, ...]
    settings: DetectionSettings
    threshold: float
    threshold_origin: str
    warnings: tuple[str, ...] = ()
    computation: Computation | None = None

    @property
    def reported(self) -> tuple[Candidate, ...]:
        """The candidates that reach the threshold."""
        return tuple(candidate for candidate in self.candidates if candidate.reported)
