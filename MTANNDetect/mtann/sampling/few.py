"""What suits candidate classification, and above all what helps where it learns from a handful of lesions.

Measured with five balls and five tubes in noise (``candidate_few``): shown as they are, even with right-angle turns,
a network learns these ten shapes, and its scores depend on which ten they are. Turned by any angle, scaled, and with
their contrast varied they stand for all that are like them. Detection draws thousands of voxels of normal tissue
from each case and is left as it was measured.
"""

from mtann.settings import TrainingSettings

FEW_LESIONS = 20
"""Below so many, lesions show themselves in too few directions, sizes and contrasts."""
_TURNED, _MOST_TURNED = 40_000, 4096
"""Turned subvolumes of all lesions or of all non-lesions, whichever are more: about 100 MB with one channel and two
levels."""
_INTENSITY_VARIATION = 0.5


def for_classification(training: TrainingSettings, lesions: int, non_lesions: int) -> TrainingSettings:
    """The settings with what was left open chosen for so many candidates.

    What to reject is given, so nothing is mined; the model's card then says so.
    """
    few = lesions < FEW_LESIONS
    update: dict[str, int | float] = {"mining_rounds": 0}
    if few and training.turned_per_region is None:
        update["turned_per_region"] = most_turned(lesions, non_lesions)
    if few and training.intensity_variation is None:
        update["intensity_variation"] = _INTENSITY_VARIATION
    return training.model_copy(update=update)


def most_turned(lesions: int, non_lesions: int) -> int:
    """How many turned subvolumes a region there is room for."""
    return min(_MOST_TURNED, _TURNED // max(lesions, non_lesions, 1))
