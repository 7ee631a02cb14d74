"""The LIDC chest CTs as other scanners might have shown them, with synthetic nodules beside the real ones.

Each copy gets another size of patient (voxels stretched by up to a tenth, sides swapped), nodules of the recipe
``lung-nodule``, another reconstruction kernel (blurred or sharpened), thicker slices and noise.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from real_scans import scans_folder
from scipy import ndimage

from mtann.cases import TrainingCase
from mtann.sampling.lesions import Lesion, lesions_from_label_map, read_lesions
from mtann.synthetic.insert import insert_lesions
from mtann.synthetic.presets import recipe_named
from mtann.volume import Volume
from mtann.volume_io import read_volume

SCANS = {"LIDC-IDRI-0001": "dicom", "LIDC-IDRI-0003": "ct.nii.gz", "LIDC-IDRI-0314": "ct.nii.gz"}
SMALL = recipe_named("lung-nodule").model_copy(update={"count": (4, 9), "radius_mm": (2.0, 6.0)})
LARGE = recipe_named("lung-nodule").model_copy(update={"count": (2, 5), "radius_mm": (3.5, 15.0)})

_STRETCH = 0.1
_BLUR_MM, _SHARPEN = 0.9, 0.8
_THICK_SHARE, _THICK_MM = 0.6, 3.0
_NOISE_HU = 45.0

Float32 = npt.NDArray[np.float32]


def read_scan(name: str) -> tuple[Volume, tuple[Lesion, ...]]:
    """A chest CT and its real nodule."""
    folder = scans_folder() / "lidc" / name
    volume = read_volume(folder / SCANS[name])
    # Outside of the reconstructed circle, scanners write values below that of air.
    return volume.with_array(np.maximum(volume.array, -1024)), read_lesions(folder / "nodule.nii.gz")


def training_case(name: str, seed: int) -> TrainingCase:
    """One copy of a scan: its image, its real nodule and the synthetic ones."""
    random = np.random.default_rng([seed, sorted(SCANS).index(name)])
    volume, real = read_scan(name)
    made = insert_lesions([volume], None, SMALL if seed % 2 else LARGE, random, real)
    image = vary_scanner(np.asarray(made.channels[0].array, np.float32), volume.geometry.spacing_zyx_mm, random)
    labels = np.asarray(made.label_map.array).astype(np.uint16)
    box = read_volume(scans_folder() / "lidc" / name / "nodule.nii.gz").array > 0
    labels[box] = labels.max() + 1
    spacing = np.array(volume.geometry.spacing_xyz_mm) * np.exp(random.uniform(-_STRETCH, _STRETCH, 3))
    geometry = replace(volume.geometry, spacing_xyz_mm=tuple(spacing.tolist()))
    if random.random() < 0.5:
        image, labels = image[:, :, ::-1].copy(), labels[:, :, ::-1].copy()
    lesions = lesions_from_label_map(Volume(labels, geometry, "nodules"), keep_instances=True)
    return TrainingCase(f"{name} {seed}", name, (Volume(image, geometry, "ct"),), lesions)


def vary_scanner(
    image: Float32, spacing_zyx_mm: tuple[float, float, float], random: np.random.Generator
) -> npt.NDArray[np.int16]:
    """A CT (z, y, x) with another kernel, other slices and more noise."""
    spacing = np.array(spacing_zyx_mm)
    blurred = ndimage.gaussian_filter(image, np.array([0, 1, 1]) * random.uniform(0.3, _BLUR_MM) / spacing)
    image = blurred if random.random() < 0.5 else image + random.uniform(0, _SHARPEN) * (image - blurred)
    if random.random() < _THICK_SHARE:
        image = ndimage.gaussian_filter1d(image, random.uniform(0, _THICK_MM) / 2.3548 / spacing[0], axis=0)
    grain = ndimage.gaussian_filter(
        random.normal(size=image.shape).astype(np.float32), (0, *[random.uniform(0, 1)] * 2)
    )
    image = image + random.uniform(0, _NOISE_HU) * grain / grain.std()
    return np.clip(np.rint(image), -1024, 3071).astype(np.int16)
