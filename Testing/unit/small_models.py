"""A model and images that are small enough for every test: bright balls on noise."""

from functools import lru_cache

from mtann.cases import TrainingCase
from mtann.geometry import Geometry
from mtann.models.bundle import ModelBundle
from mtann.phantoms.shapes import ShapesPhantom, Sphere, sphere_phantom
from mtann.sampling.lesions import lesions_from_label_map
from mtann.settings import NetworkSettings, TrainingSettings
from mtann.teach import train

GRID = Geometry((24, 40, 44), (1.0, 1.0, 1.0), (-20.0, 10.0, 5.0))
BALLS = (Sphere((-8.0, 22.0, 15.0), 2.5), Sphere((9.0, 34.0, 17.0), 4.0))
QUICK = TrainingSettings(steps=150, mining_rounds=1, folds=2, negatives_per_case=1500, batch_size=256)
NETWORK = NetworkSettings(dilations=(1, 2), hidden=(8, 4))


def balls(seed: int = 1, geometry: Geometry = GRID) -> ShapesPhantom:
    return sphere_phantom(geometry, BALLS, noise_sigma=0.05, seed=seed)


def ball_cases(count: int = 2, channels: int = 1) -> list[TrainingCase]:
    cases = []
    for seed in range(1, count + 1):
        phantom = balls(seed)
        lesions = lesions_from_label_map(phantom.labels, keep_instances=True)
        cases.append(TrainingCase(f"case{seed}", f"patient{seed}", (phantom.volume,) * channels, lesions))
    return cases


@lru_cache
def ball_model(channels: int = 1) -> ModelBundle:
    names = ("t1c", "flair", "t2")[:channels]
    return train(
        ball_cases(channels=channels), name="balls", channels=names, network=NETWORK, training=QUICK, device="cpu"
    )
