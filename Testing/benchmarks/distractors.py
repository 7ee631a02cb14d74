"""What is bright or dark in a head after contrast and is no lesion: painted into training backgrounds as negatives.

Three backgrounds show few vessels, and none shows what other centres' scans do: thick enhancing dura, remnants of the
skull, old cavities. Values are in shares of white matter's brightness.
"""

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree

from mtann.geometry import Geometry
from mtann.phantoms.fields import random_field
from mtann.synthetic.insert import insert_lesions
from mtann.synthetic.presets import RECIPES
from mtann.synthetic.recipe import LesionRecipe
from mtann.volume import Volume

Float32 = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

CAVITY = RECIPES["glioma"].model_copy(
    update={
        "unit": "image",
        "count": (1, 2),
        "radius_mm": (4.0, 30.0),
        "contrast": (-0.8, -0.1),
        "core_contrast": (-0.8, -0.1),
        "halo_contrast": (-0.25, 0.0),
    }
)
"""Cavities after operations, cysts, tumours that do not enhance: darker than tissue, with an oedema."""
HOLES = RECIPES["metastasis"].model_copy(
    update={
        "unit": "image",
        "count": (3, 20),
        "radius_mm": (1.0, 7.0),
        "contrast": (-0.6, -0.15),
        "halo_contrast": (-0.1, 0.0),
        "halo_mm": (0.0, 3.0),
        "solid": 1.0,
        "ring": 0.0,
        "patchy": 0.0,
        "hollow_above_mm": 30.0,
        "mass_effect": (0.0, 0.0),
        "blur_mm": (0.5, 1.5),
    }
)
"""Lacunes, wide perivascular spaces and old plaques: the tissue between them looks like a rim round a core."""
_STEP_MM = 0.5
_BEND = 0.12
_SINUS_DEPTH_MM, _SINUS_RADIUS_MM, _SINUS_LENGTH_MM = (-2.0, 4.0), (1.5, 6.0), (15.0, 110.0)
_SINUS_BRIGHTNESS = (1.3, 3.2)
_VESSEL_RADIUS_MM, _VESSEL_BRIGHTNESS = (0.5, 3.0), (1.2, 3.2)
"""From a cortical vein to the great vein of Galen."""


def smooth_field(shape: tuple[int, ...], cells: int, random: np.random.Generator) -> Float32:
    """A smooth field between -1 and 1 that varies over so many cells an axis."""
    axes = [np.linspace(-1.0, 1.0, n) for n in shape]
    field = random_field(random, 2 / cells, 1.0).on_grid(*axes)
    return np.asarray(field / np.abs(field).max(), dtype=np.float32)


def add_distractors(image: Float32, brain: Bools, random: np.random.Generator) -> tuple[Float32, Bools]:
    """An image (z, y, x), 1 mm, with things that are no lesions, and its mask, a little smaller or larger."""
    white = float(np.percentile(image[brain], 75))
    image = image / white
    over = np.maximum(image - 1.2, 0)
    image = image + over * (np.exp(random.uniform(-0.9, 0.7)) - 1)
    if random.random() < 0.7:
        image, brain = _sinuses(image, brain, random)
    image, brain = _border(image, brain, random)
    if random.random() < 0.3:
        image = _membrane(image, brain, random)
    for _ in range(int(random.integers(0, 7))):
        image = vessel(image, brain, random)
    for recipe in (CAVITY, HOLES):
        if random.random() < 0.5:
            image = _dark(image, brain, recipe, random)
    return np.where(brain, np.maximum(image, 1e-3), 0).astype(np.float32) * np.float32(white), brain


def _sinuses(image: Float32, brain: Bools, random: np.random.Generator) -> tuple[Float32, Bools]:
    """Wide veins along the brain's cover, some that meet, some partly outside of what was taken for brain."""
    depth = ndimage.distance_transform_edt(brain) - ndimage.distance_transform_edt(~brain)
    start = None
    for _ in range(int(random.integers(1, 5))):
        if start is None or random.random() < 0.5:
            start = random.choice(np.argwhere(np.abs(depth) <= 1.5))
        cover = sinus(depth, start, random)
        brightness = random.uniform(*_SINUS_BRIGHTNESS) * (1 + 0.15 * smooth_field(image.shape, 12, random))
        if random.random() < 0.5:
            outside = ~brain & (cover > 0.5)
            image, brain = np.where(outside, 0.3, image), brain | outside
        image = image + cover * brain * np.maximum(brightness - image, 0)
    return np.asarray(image, dtype=np.float32), brain


def sinus(depth: npt.NDArray[np.float64], start: npt.NDArray[np.int64], random: np.random.Generator) -> Float32:
    """How much of each voxel belongs to a wide vein: where a bent plane meets some depth below the cover."""
    normal = random.normal(size=3)
    normal /= np.linalg.norm(normal)
    away = [
        g - s for g, s in zip(np.meshgrid(*map(np.arange, depth.shape), indexing="ij", sparse=True), start, strict=True)
    ]
    across = sum(n * a for n, a in zip(normal, away, strict=True)) + 5 * smooth_field(depth.shape, 5, random)
    below = depth - random.uniform(*_SINUS_DEPTH_MM)
    radius = random.uniform(*_SINUS_RADIUS_MM) * (1 + 0.4 * smooth_field(depth.shape, 8, random))
    inside = radius - np.sqrt(across**2 + (below * random.uniform(0.8, 1.6)) ** 2)
    reach = random.uniform(*_SINUS_LENGTH_MM) / 2 - np.sqrt(sum(a**2 for a in away))
    return np.asarray(np.clip(np.minimum(inside, reach) + 0.5, 0, 1), dtype=np.float32)


def _border(image: Float32, brain: Bools, random: np.random.Generator) -> tuple[Float32, Bools]:
    """Strip more or less than was stripped, and let the brain's cover enhance in places."""
    depth = ndimage.distance_transform_edt(brain)
    if random.random() < 0.4:
        brain = depth > random.uniform(0, 3) * (1 + smooth_field(image.shape, 5, random))
        depth = ndimage.distance_transform_edt(brain)
    if random.random() < 0.35:
        where = smooth_field(image.shape, 6, random) > random.uniform(0.0, 0.6)
        sheet = np.clip(random.uniform(0.8, 3.0) + 0.5 - depth, 0, 1) * ndimage.gaussian_filter(where.astype(float), 1)
        image = image + random.uniform(0.15, 1.0) * sheet * brain
    if random.random() < 0.35:
        outside = ndimage.distance_transform_edt(~brain)
        where = smooth_field(image.shape, 7, random) > random.uniform(0.1, 0.6)
        rest = ~brain & where & (outside <= random.uniform(1, 4))
        grain = ndimage.gaussian_filter(random.normal(size=image.shape), 1.5) * 2
        image = np.where(rest, np.maximum(random.uniform(0.4, 2.2) * (1 + 0.3 * grain), 0.05), image)
        brain = brain | rest
    return np.asarray(image, dtype=np.float32), np.asarray(brain)


def _membrane(image: Float32, brain: Bools, random: np.random.Generator) -> Float32:
    """A part of a bent plane, as falx and tentorium are."""
    normal = random.normal(size=3)
    normal /= np.linalg.norm(normal)
    middle = ndimage.center_of_mass(brain) + random.uniform(-20, 20, 3)
    grid = np.meshgrid(*map(np.arange, image.shape), indexing="ij", sparse=True)
    away = sum(n * (g - m) for n, g, m in zip(normal, grid, middle, strict=True))
    away = np.abs(away + 6 * smooth_field(image.shape, 4, random))
    where = smooth_field(image.shape, 5, random) > random.uniform(0.0, 0.5)
    sheet = np.clip(random.uniform(0.4, 1.3) + 0.5 - away, 0, 1) * ndimage.gaussian_filter(where.astype(float), 1)
    return np.asarray(image + random.uniform(0.15, 0.9) * sheet * brain, dtype=np.float32)


def vessel(image: Float32, brain: Bools, random: np.random.Generator) -> Float32:
    """A winding tube."""
    place = random.choice(np.argwhere(brain)).astype(float)
    heading = random.normal(size=3)
    points = []
    for _ in range(int(random.uniform(15, 80) / _STEP_MM)):
        heading = heading / np.linalg.norm(heading) + _BEND * random.normal(size=3)
        place = place + _STEP_MM * heading / np.linalg.norm(heading)
        points.append(place)
    path, radius = np.array(points), np.exp(random.uniform(*np.log(_VESSEL_RADIUS_MM)))
    low = np.maximum(np.floor(path.min(axis=0) - radius - 2), 0).astype(int)
    high = np.minimum(np.ceil(path.max(axis=0) + radius + 3), image.shape).astype(int)
    if (low >= high).any():
        return image
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    shape = tuple((high - low).tolist())
    near = np.zeros(shape, dtype=bool)
    inside = np.round(path).astype(int) - low
    near[tuple(inside[((inside >= 0) & (inside < shape)).all(axis=1)].T)] = True
    voxels = np.argwhere(ndimage.binary_dilation(near, iterations=int(radius) + 3))
    distance = np.full(shape, np.inf)
    distance[tuple(voxels.T)] = cKDTree(path - low).query(voxels)[0]
    cover = ndimage.gaussian_filter(np.clip(radius + 0.5 - distance, 0, 1), 0.5) * brain[box]
    image = image.copy()
    image[box] += cover * np.maximum(random.uniform(*_VESSEL_BRIGHTNESS) - image[box], 0)
    return image


def _dark(image: Float32, brain: Bools, recipe: LesionRecipe, random: np.random.Generator) -> Float32:
    shown = np.where(brain, np.maximum(image, 1e-3), 0).astype(np.float32)
    volume = Volume(shown, Geometry(shown.shape, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)), "background")
    return np.asarray(insert_lesions([volume], None, recipe, random).channels[0].array, dtype=np.float32)
