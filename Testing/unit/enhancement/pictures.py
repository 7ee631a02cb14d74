"""Small pictures and volumes of disks on a smooth ground, clean and with noise, and a model that is quick to teach."""

from functools import lru_cache

import numpy as np
from scipy import ndimage

from mtann.enhancement.pairs import EnhancementCase
from mtann.enhancement.train import train_enhancement
from mtann.geometry import Geometry
from mtann.models.bundle import ModelBundle
from mtann.models.enhancement_card import EnhancementCard
from mtann.settings import EnhancementSettings, NetworkSettings
from mtann.volume import Volume

SLICE = Geometry((1, 72, 80), (0.5, 0.5, 1.0), (-20.0, 10.0, 5.0))
BLOCK = Geometry((20, 26, 28), (1.0, 1.0, 1.0), (-20.0, 10.0, 5.0))
SMALL = NetworkSettings(dimensions=2, dilations=(1,), hidden=(16,))
QUICK = EnhancementSettings(steps=250, batch_size=512, voxels_per_case=3000, folds=0)


def clean(seed: int, geometry: Geometry = SLICE) -> np.ndarray:
    """Values of about 50 to 200."""
    random = np.random.default_rng(seed)
    shape = geometry.shape_zyx
    grid = np.indices(shape).astype(float)
    ground = ndimage.gaussian_filter(random.normal(size=shape), [0 if n == 1 else 8 for n in shape])
    image = 100 + 20 * ground / ground.std()
    for _ in range(12):
        centre, radius = random.uniform(0, shape), random.uniform(3, 8)
        distance = np.sqrt(sum((axis - at) ** 2 for axis, at in zip(grid, centre, strict=True)))
        image += random.uniform(-40, 40) * np.clip(radius - distance + 0.5, 0, 1)
    return image


def noisy(seed: int, geometry: Geometry = SLICE, sigma: float = 8.0) -> np.ndarray:
    return clean(seed, geometry) + np.random.default_rng([seed, 1]).normal(0, sigma, geometry.shape_zyx)


def pair(image: np.ndarray, target: np.ndarray, name: str = "a", geometry: Geometry = SLICE) -> EnhancementCase:
    """A case of one channel; the name is the patient's, too."""
    return EnhancementCase(
        name,
        name,
        (Volume(image.astype(np.float32), geometry, name),),
        Volume(target.astype(np.float32), geometry, f"{name} target"),
    )


def denoising_cases(count: int = 4, geometry: Geometry = SLICE) -> list[EnhancementCase]:
    return [pair(noisy(seed, geometry), clean(seed, geometry), f"p{seed}", geometry) for seed in range(count)]


@lru_cache
def denoiser() -> ModelBundle[EnhancementCard]:
    settings = QUICK.model_copy(update={"folds": 2})
    return train_enhancement(
        denoising_cases(), settings, name="denoiser", target_name="clean", network=SMALL, device="cpu"
    )
