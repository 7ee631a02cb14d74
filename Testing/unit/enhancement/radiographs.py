"""Synthetic radiographs whose soft tissue and bone are known: smooth anatomy with nodules and vessels, and ribs."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from mtann.enhancement.pairs import EnhancementCase
from mtann.geometry import Geometry
from mtann.volume import Volume

SIZE = 144
GRID = Geometry((1, SIZE, SIZE), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0))


@dataclass(frozen=True)
class Radiograph:
    """A radiograph (y, x) and its parts, which add up to it: anatomy, nodules, bone, noise."""

    anatomy: np.ndarray
    nodules: np.ndarray
    bone: np.ndarray
    noise: np.ndarray

    @property
    def image(self) -> np.ndarray:
        return self.anatomy + self.nodules + self.bone + self.noise

    def case(self, name: str, gain: float = 1.0, offset: float = 0.0) -> EnhancementCase:
        """The radiograph as a case whose target is bone, at any gain and offset of the detector."""
        image = Volume((gain * self.image + offset)[None].astype(np.float32), GRID, name)
        return EnhancementCase(name, name, (image,), image.with_array((gain * self.bone)[None].astype(np.float32)))


def radiograph(seed: int) -> Radiograph:
    """Ribs rise by 40 units with dense rims, nodules by 30 to 60; ribs are 12 pixels wide, nodules 8 to 16."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:SIZE, :SIZE].astype(float)
    anatomy = 300 + 60 * ndimage.gaussian_filter(random.normal(size=(SIZE, SIZE)), 16) * 16
    for _ in range(6):
        anatomy += random.uniform(10, 25) * _band(y - _course(x, random, slope=0.8), random.uniform(1.5, 3.0))
    nodules = np.zeros_like(anatomy)
    for _ in range(6):
        centre, radius = random.uniform(16, SIZE - 16, 2), random.uniform(4, 8)
        depth = np.clip(1 - (np.hypot(y - centre[0], x - centre[1]) / radius) ** 2, 0, None)
        nodules = np.maximum(nodules, random.uniform(30, 60) * np.sqrt(depth))
    bone = np.zeros_like(anatomy)
    for start in np.arange(random.uniform(-20, 0), SIZE + 20, 26):
        across = y - start - _course(x, random, slope=0.15) + SIZE / 2
        bone += 40 * (_band(across, 6.0) + 0.5 * _band(across - 5, 1.5) + 0.5 * _band(across + 5, 1.5))
    return Radiograph(anatomy, nodules, bone, random.normal(0, 2, anatomy.shape))


def _course(x: np.ndarray, random: np.random.Generator, slope: float) -> np.ndarray:
    """Height of a gently curved line over the picture."""
    along = x / SIZE - 0.5
    return SIZE * (random.uniform(0.3, 0.7) if slope > 0.5 else 0.5) + SIZE * (
        random.uniform(-slope, slope) * along + random.uniform(0.2, 0.4) * along**2
    )


def _band(across: np.ndarray, half_width: float) -> np.ndarray:
    """1 within a band, with edges of two pixels."""
    return np.clip((half_width - np.abs(across)) / 2 + 0.5, 0, 1)
