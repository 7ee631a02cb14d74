"""What a model was taught on and with: hashes of the training images, versions of the software."""

import hashlib
import platform
from collections.abc import Sequence

import numpy as np

from mtann.cases import TrainingCase
from mtann.models.card import TrainingImage
from mtann.sampling.lesions import Lesion
from mtann.version import VERSION
from mtann.volume import Volume


def training_images(cases: Sequence[TrainingCase], names: Sequence[str]) -> tuple[TrainingImage, ...]:
    """Hashes of everything that was learnt from, so that a scan met again is recognised; never a name or a path."""
    images = []
    for case in cases:
        images += [
            TrainingImage(role=name, sha256=hash_volume(volume))
            for name, volume in zip(names, case.channels, strict=True)
        ]
        images.append(TrainingImage(role="lesions", sha256=hash_places(case.lesions)))
        if case.non_lesions:
            images.append(TrainingImage(role="non_lesions", sha256=hash_places(case.non_lesions)))
        if case.mask is not None:
            images.append(TrainingImage(role="mask", sha256=hash_volume(case.mask)))
    return tuple(images)


def software_versions() -> dict[str, str]:
    """Versions of what the network is trained with."""
    import torch

    return {"mtann": VERSION, "numpy": np.__version__, "python": platform.python_version(), "torch": torch.__version__}


def hash_volume(volume: Volume) -> str:
    """The hash of the file that an image came from, or of its voxels where it came from memory."""
    return volume.sha256 or hashlib.sha256(np.ascontiguousarray(volume.array).tobytes()).hexdigest()


def hash_places(lesions: Sequence[Lesion]) -> str:
    """Hash of marked places: where they are, their sizes and outlines."""
    digest = hashlib.sha256()
    for lesion in lesions:
        digest.update(repr((lesion.centre_lps_mm, lesion.radius_mm)).encode())
        if lesion.outline is not None:
            digest.update(lesion.outline.array.tobytes())
    return digest.hexdigest()
