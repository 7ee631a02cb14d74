"""What is chosen for candidate classification by few lesions, and what is left alone."""

import pytest

from mtann.sampling.few import FEW_LESIONS, for_classification
from mtann.settings import TrainingSettings

OPEN = TrainingSettings(task="classification")


@pytest.mark.parametrize(
    ("lesions", "non_lesions", "turned"),
    [(5, 5, 4096), (10, 50, 800), (FEW_LESIONS - 1, 1000, 40), (FEW_LESIONS, 5, None), (500, 500, None)],
)
def test_few_lesions_are_turned_often_within_a_bound_on_memory_and_many_are_not(lesions, non_lesions, turned):
    chosen = for_classification(OPEN, lesions, non_lesions)
    assert chosen.turned_per_region == turned
    assert chosen.intensity_variation == (None if turned is None else 0.5)
    assert chosen.mining_rounds == 0


def test_what_the_user_set_stays():
    given = OPEN.model_copy(update={"turned_per_region": 0, "intensity_variation": 0.2, "steps": 7})
    chosen = for_classification(given, 5, 5)
    assert (chosen.turned_per_region, chosen.intensity_variation, chosen.steps) == (0, 0.2, 7)
