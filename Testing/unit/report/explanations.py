"""A made-up explanation of the made-up result, with values known by construction."""

import numpy as np

from mtann.detection.candidate import DetectionResult
from mtann.explanation.contributions import Contribution, Contributions
from mtann.explanation.explanation import CandidateExplanation, Explanation
from mtann.explanation.filters import Filters
from mtann.explanation.occlusion import Occlusion
from mtann.geometry import Geometry
from mtann.settings import ExplanationSettings
from mtann.volume import Volume

BY_AND = Contributions("and", 0.91, 1.03, (Contribution(0, 0.99, 0.5, 0.0), Contribution(1, 0.81, 0.4, -0.12)), 1)
BY_MIXTURE = Contributions(
    "mixture", 0.78, 0.33, (Contribution(0, 0.7, 0.2, 0.5), Contribution(1, 0.3, 0.4, -0.05)), None
)
ALONE = Contributions("single", 0.91, 0.0, (Contribution(0, 0.91, 0.0, 0.91),))


def occlusion(result: DetectionResult, number: int, fall: float = 0.4, channels: int = 1) -> Occlusion:
    """A cube of 1 mm voxels about a candidate; its middle voxel falls by ``fall``, one in front rises as much."""
    centre = np.array(result.candidates[number - 1].centroid_lps_mm)
    x, y, z = (centre - 8).tolist()
    values = np.zeros((17, 17, 17), np.float32)
    values[8, 8, 8], values[8, 5, 8] = fall, -fall
    volume = Volume(values, Geometry((17, 17, 17), (1.0, 1.0, 1.0), (x, y, z)), "occlusion")
    by_input = tuple(volume.with_array(values / (k + 1)) for k in range(channels)) if channels > 1 else ()
    return Occlusion(volume, by_input, 0.8, (3.0, 3.0, 3.0), (0.1,) * channels)


def make_explanation(result: DetectionResult, channels: int = 1) -> Explanation:
    """The first two candidates; the first was decided by AND, the second by a mixture."""
    weights = np.zeros((2, channels, 1, 7, 7, 7))
    weights[0, 0, 0, 3, 3, 3] = 1.0
    filters = Filters(weights, (1, 0), (0.5, -0.25), (1,))
    candidates = tuple(
        CandidateExplanation(number, parts, occlusion(result, number, channels=channels))
        for number, parts in ((1, BY_AND), (2, BY_MIXTURE))
    )
    names = ("t1c", "flair")[:channels]
    return Explanation(candidates, (filters, filters), names, names, ExplanationSettings())
