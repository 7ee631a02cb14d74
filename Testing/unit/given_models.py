"""A model and images that are small enough for every test of candidate classification: balls against tubes."""

from functools import lru_cache

from mtann.cases import TrainingCase
from mtann.models.bundle import ModelBundle
from mtann.phantoms.shapes import ShapesPhantom, spheres_and_cylinders
from mtann.sampling.lesions import Lesion, lesions_from_label_map
from mtann.settings import NetworkSettings, TrainingSettings
from mtann.teach import train

NETWORK = NetworkSettings(dilations=(1, 2), hidden=(8,))
QUICK = TrainingSettings(
    task="classification",
    steps=250,
    folds=2,
    negatives_per_case=1000,
    batch_size=128,
    turned_per_region=0,  # What few lesions are augmented by takes more steps to learn.
    intensity_variation=0.1,
)
BALLS = TUBES = 4


def balls_and_tubes(seed: int) -> ShapesPhantom:
    return spheres_and_cylinders(seed, BALLS, noise_sigma=0.1, radii_mm=(2.5, 3.5), contrasts=(0.9, 1.1))


def given_case(seed: int) -> TrainingCase:
    """A case with outlined balls as lesions, and tubes marked in their middles as non-lesions."""
    made = balls_and_tubes(seed)
    lesions = lesions_from_label_map(made.labels, keep_instances=True)
    tubes = tuple(Lesion(tube.centre_lps_mm, tube.radius_mm) for tube in made.cylinders)
    return TrainingCase(f"case{seed}", f"patient{seed}", (made.volume,), lesions, non_lesions=tubes)


@lru_cache
def filter_model() -> ModelBundle:
    cases = [given_case(seed) for seed in range(1, 5)]
    return train(cases, name="filter", channels=("t1c",), network=NETWORK, training=QUICK, spacing_mm=1.0, device="cpu")
