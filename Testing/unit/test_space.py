"""Lesions of 3 to 30 mm are found where they are in the patient, on grids of every kind, through files."""

import numpy as np
import pytest
from ball_grids import GRIDS, SPHERES

from mtann.cases import TrainingCase
from mtann.phantoms.shapes import sphere_phantom
from mtann.pipeline import detect
from mtann.sampling.lesions import lesions_from_label_map
from mtann.settings import NetworkSettings, TrainingSettings
from mtann.teach import train
from mtann.volume_io import read_volume, write_volume

pytestmark = pytest.mark.slow


def taught_on(geometry, dimensions):
    phantom = sphere_phantom(geometry, SPHERES, noise_sigma=0.03, seed=1)
    lesions = lesions_from_label_map(phantom.labels, keep_instances=True)
    return train(
        [TrainingCase("c", "p", (phantom.volume,), lesions)],
        name="balls",
        network=NetworkSettings(dimensions=dimensions, dilations=(1, 2, 4), hidden=(24, 12)),
        training=TrainingSettings(steps=500, mining_rounds=0, folds=0),
        spacing_mm=1.0 if dimensions == 3 else 0.5,
        device="cpu",
    )


@pytest.fixture(scope="module")
def models():
    return {3: taught_on(GRIDS["isotropic"], 3), 2: taught_on(GRIDS["one slice"], 2)}


@pytest.mark.parametrize("name", GRIDS)
def test_centroids_lie_within_half_a_voxel_of_the_truth(name, models, tmp_path):
    geometry = GRIDS[name]
    model = models[2] if name == "one slice" else models[3]
    phantom = sphere_phantom(geometry, SPHERES, noise_sigma=0.03, seed=2)
    write_volume(phantom.volume, tmp_path / "image.nii.gz")
    result = detect(read_volume(tmp_path / "image.nii.gz"), model, device="cpu")
    assert result.likelihood.geometry.matches(geometry)
    assert result.candidate_map.geometry.matches(geometry)
    for sphere in SPHERES:
        offsets = [
            geometry.index_from_lps(candidate.centroid_lps_mm) - geometry.index_from_lps(sphere.centre_lps_mm)
            for candidate in result.candidates[: 2 * len(SPHERES)]
        ]
        nearest = min(offsets, key=np.linalg.norm)
        assert np.abs(nearest).max() <= 0.5, f"{2 * sphere.radius_mm:g} mm ball: off by {nearest.round(2)} voxels"
